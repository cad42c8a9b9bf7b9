// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/go-jose/go-jose/v4"

	"github.com/plexus-go/plexus/internal/filewatch"
)

// keyFile is a JWKS in a file, which is read again when it changes.
type keyFile struct {
	log *slog.Logger
	set *filewatch.Loaded[keySet]
}

func openKeyFile(path string, log *slog.Logger) (*keyFile, error) {
	set, err := filewatch.Load(func(files []filewatch.File) (keySet, error) {
		set, ignored, err := parseKeys(files[0].Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		log.Info("signing keys were read", "file", path, "keys", len(set), "ignored", ignored)
		return set, nil
	}, maxFileBytes, path)
	return &keyFile{log, set}, err
}

func (f *keyFile) run(ctx context.Context, changed func()) {
	f.set.Follow(ctx, f.log, "the former signing keys stay in use", changed)
}

func (f *keyFile) find(_ context.Context, id string, algorithm jose.SignatureAlgorithm) (any, error) {
	return f.set.Get().find(id, algorithm)
}
