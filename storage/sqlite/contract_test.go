// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/storagetest"
)

func TestContractOfFile(t *testing.T) {
	var paths sync.Map // by store
	open := func(t *testing.T, path string) storage.Store {
		t.Helper()
		s := mustOpen(t, path)
		paths.Store(s, path)
		return s
	}
	storagetest.Run(t, storagetest.Harness{
		Open: func(t *testing.T) storage.Store {
			return open(t, filepath.Join(t.TempDir(), "registry.db"))
		},
		Reopen: func(t *testing.T, s storage.Store) storage.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path, _ := paths.Load(s)
			return open(t, path.(string))
		},
	})
}

// limited makes few writes in one Apply, as stores on several machines do.
type limited struct{ storage.Store }

func (limited) MaxWrites() int { return 8 }

func (s limited) Apply(ctx context.Context, writes ...storage.Write) (storage.Change, error) {
	if len(writes) > s.MaxWrites() {
		return storage.Change{}, errors.New("too many writes")
	}
	return s.Store.Apply(ctx, writes...)
}

func openMemory(t *testing.T) storage.Store { return mustOpen(t, ":memory:") }

// The suite accepts a store that limits the writes of one Apply.
func TestContractOfALimitedStore(t *testing.T) {
	storagetest.Run(t, storagetest.Harness{Open: func(t *testing.T) storage.Store { return limited{openMemory(t)} }})
}

func TestContractOfMemory(t *testing.T) {
	storagetest.Run(t, storagetest.Harness{Open: openMemory})
}
