// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"

	"github.com/plexus-go/plexus/internal/filewatch"
)

// keyFile is a JWKS in a file, which is read again when it changes.
type keyFile struct {
	path string
	log  *slog.Logger
	file *filewatch.Watcher
	set  atomic.Pointer[keySet]
}

func openKeyFile(path string, log *slog.Logger) (*keyFile, error) {
	f := &keyFile{path: path, log: log, file: filewatch.New(maxFileBytes, path)}
	return f, f.load(f.file.Read()[0])
}

func (f *keyFile) load(file filewatch.File) error {
	err := file.Err
	if err == nil {
		var set keySet
		var ignored int
		if set, ignored, err = parseKeys(file.Data); err == nil {
			f.set.Store(&set)
			f.log.Info("signing keys were read", "file", f.path, "keys", len(set), "ignored", ignored)
			return nil
		}
	}
	return fmt.Errorf("%s: %w", f.path, err)
}

func (f *keyFile) run(ctx context.Context, changed func()) {
	for files := range f.file.Changes(ctx) {
		if err := f.load(files[0]); err != nil {
			f.log.Error("the former signing keys stay in use", "error", err)
			continue
		}
		changed()
	}
}

func (f *keyFile) find(_ context.Context, id string, algorithm jose.SignatureAlgorithm) (any, error) {
	return f.set.Load().find(id, algorithm)
}
