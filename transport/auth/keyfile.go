// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"
)

// keyFile is a JWKS in a file, which is read again when it changes.
type keyFile struct {
	path string
	log  *slog.Logger
	read digest
	set  atomic.Pointer[keySet]
}

func openKeyFile(path string, log *slog.Logger) (*keyFile, error) {
	f := &keyFile{path: path, log: log}
	seen := look(path)
	f.read = seen.sum
	return f, f.load(seen)
}

func (f *keyFile) load(seen sight) error {
	err := seen.err
	if err == nil {
		var set keySet
		var passed int
		if set, passed, err = parseKeys(seen.data); err == nil {
			f.set.Store(&set)
			f.log.Info("signing keys were read", "file", f.path, "keys", len(set), "passed over", passed)
			return nil
		}
	}
	return fmt.Errorf("%s: %w", f.path, err)
}

func (f *keyFile) run(ctx context.Context) {
	follow(ctx, f.path, f.read, func(seen sight) {
		if err := f.load(seen); err != nil {
			f.log.Error("the signing keys from before stay in force", "error", err)
		}
	})
}

func (f *keyFile) find(_ context.Context, id string, algorithm jose.SignatureAlgorithm) (any, error) {
	return f.set.Load().find(id, algorithm)
}
