// SPDX-License-Identifier: AGPL-3.0-only

package plugintest

import (
	"iter"

	"github.com/plexus-go/plexus/plugin"
)

// Stream calls a method and yields its contents. An error of the method is a
// [*plugin.Error], as a client would read it, and the last unless it is
// recoverable; a content that is no T ends the test. Breaking out of the range
// ends the method.
func Stream[T any](h *Hub, path string, params any) iter.Seq2[T, error] {
	h.t.Helper()
	items := h.Items(path, params)
	return func(yield func(T, error) bool) {
		h.t.Helper()
		for item := range items {
			var content T
			var err error
			switch item.Kind {
			case plugin.KindData:
				if bad := item.Decode(&content); bad != nil {
					h.t.Fatalf("%s: %v", path, bad)
				}
			case plugin.KindError:
				err = item.Err()
			default:
				continue
			}
			if !yield(content, err) {
				return
			}
		}
	}
}

// All calls a method and returns all its contents. An error ends the test.
func All[T any](h *Hub, path string, params any) []T {
	h.t.Helper()
	all := []T{}
	for content, err := range Stream[T](h, path, params) {
		if err != nil {
			h.t.Fatalf("%s: %v", path, err)
		}
		all = append(all, content)
	}
	return all
}

// One calls a method that answers once and returns its content. An error, or
// any other number of contents, ends the test.
func One[T any](h *Hub, path string, params any) T {
	h.t.Helper()
	all := All[T](h, path, params)
	if len(all) != 1 {
		h.t.Fatalf("%s has answered %d times", path, len(all))
	}
	return all[0]
}

// Fails calls a method and returns the error that ends it. One that succeeds
// ends the test.
func (h *Hub) Fails(path string, params any) *plugin.Error {
	h.t.Helper()
	var last *plugin.Error
	for item := range h.Items(path, params) {
		last = item.Err()
	}
	if last == nil {
		h.t.Fatalf("%s has not failed", path)
	}
	return last
}
