// SPDX-License-Identifier: AGPL-3.0-only

package sqlite_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/storage/storagetest"
)

func TestContractOfFile(t *testing.T) {
	var paths sync.Map // by store
	open := func(t *testing.T, path string) storage.Store {
		t.Helper()
		s, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
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

func TestContractOfMemory(t *testing.T) {
	storagetest.Run(t, storagetest.Harness{
		Open: func(t *testing.T) storage.Store {
			s, err := sqlite.Open(t.Context(), ":memory:")
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	})
}
