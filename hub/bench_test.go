// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"fmt"
	"testing"

	"github.com/plexus-go/plexus/hub"
)

// BenchmarkCall routes, binds and runs a unary call. The number of namespaces
// makes no difference.
func BenchmarkCall(b *testing.B) {
	for _, namespaces := range []int{1, 1000} {
		b.Run(fmt.Sprintf("namespaces=%d", namespaces), func(b *testing.B) {
			h, _ := newHub(b, "H")
			for i := range namespaces {
				if err := h.Register(activation(fmt.Sprint("n", i), "m")); err != nil {
					b.Fatal(err)
				}
			}
			path, params := fmt.Sprintf("n%d.m", namespaces/2), []byte(`{"name":"x"}`)
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for item := range h.Call(path, params).Items(b.Context()) {
					if n++; item.Kind == hub.Error {
						b.Fatal(item.Message)
					}
				}
				if n != 2 {
					b.Fatal(n, "items")
				}
			}
		})
	}
}

// BenchmarkRegister is the cost of one registration more.
func BenchmarkRegister(b *testing.B) {
	for _, namespaces := range []int{1, 1000} {
		b.Run(fmt.Sprintf("namespaces=%d", namespaces), func(b *testing.B) {
			h, _ := newHub(b, "H")
			for i := range namespaces {
				if err := h.Register(activation(fmt.Sprint("n", i), "m")); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if err := h.Register(activation("one-more", "m")); err != nil {
					b.Fatal(err)
				}
				if err := h.Unregister("one-more"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
