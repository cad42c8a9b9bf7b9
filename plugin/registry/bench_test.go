// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// filled is a registry with n entries.
func filled(t testing.TB, store storage.Store, n int, options ...registry.Option) *harness {
	t.Helper()
	writes := make([]storage.Write, n)
	for i := range writes {
		backend := theirs(fmt.Sprintf("backend-%05d", i))
		backend.Description, backend.Namespace = new("A backend of a benchmark"), new("plexus")
		writes[i].Backend = backend
	}
	if n > 0 {
		if _, err := store.Apply(context.Background(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	return over(t, store, options...)
}

// answerTo calls a method and encodes its answer into buffer, as a connection
// does.
func (h *harness) answerTo(buffer []byte, path string, params []byte) []byte {
	for item := range h.hub().Call(path, params).Items(context.Background()) {
		switch item.Kind {
		case plugin.KindData:
			var err error
			if buffer, err = codec.AppendJSON(buffer[:0], item.Content); err != nil {
				h.t.Error(err)
			}
		case plugin.KindError:
			h.t.Errorf("%s: %s", path, item.Message)
		}
	}
	return buffer
}

// quick is do for those who call often: the schema is not asked.
func (h *harness) quick(method, params string) event {
	return decode(h.t, h.answerTo(nil, "registry."+method, []byte(params)))
}

func BenchmarkGet(b *testing.B) {
	h := filled(b, memory(b), 10_000)
	params := []byte(`{"name": "backend-05000"}`)
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = h.answerTo(buffer, "registry.get", params)
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := filled(b, memory(b), n)
			var buffer []byte
			b.ReportAllocs()
			for b.Loop() {
				buffer = h.answerTo(buffer, "registry.list", nil)
			}
			b.SetBytes(int64(len(buffer)))
		})
	}
}

func BenchmarkRegister(b *testing.B) {
	for _, test := range []struct{ name, path string }{
		{"memory", ":memory:"},
		{"file", filepath.Join(b.TempDir(), "registry.db")},
	} {
		b.Run(test.name, func(b *testing.B) {
			h := filled(b, openStore(b, test.path), 0)
			var buffer []byte
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				buffer = h.answerTo(buffer, "registry.register", []byte(object("name", fmt.Sprint("n", i%1000), "host", "h", "port", 1+i%65535)))
			}
		})
		// Writes that come together are stored together.
		b.Run(test.name+" by 64 at once", func(b *testing.B) {
			path := test.path
			if path != ":memory:" {
				path += "-64"
			}
			h := filled(b, openStore(b, path), 0)
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				name := fmt.Sprintf("%p", pb)
				var buffer []byte
				for i := 0; pb.Next(); i++ {
					buffer = h.answerTo(buffer, "registry.register", []byte(object("name", name, "host", "h", "port", 1+i%65535)))
				}
			})
		})
	}
}
