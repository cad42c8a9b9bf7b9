// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"fmt"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
)

// BenchmarkCall routes, binds and runs a unary call, of a method that may wait
// and of one that is quick. The number of namespaces makes no difference.
func BenchmarkCall(b *testing.B) {
	for _, namespaces := range []int{1, 100, 1000} {
		for _, method := range []string{"m", "quick"} {
			b.Run(fmt.Sprintf("%s/namespaces=%d", method, namespaces), func(b *testing.B) {
				h, _ := newHub(b, "H")
				for i := range namespaces {
					d := activation(fmt.Sprint("n", i), "m")
					d.Methods = append(d.Methods, plugin.Unary("quick", "", answer, plugin.Quick()))
					register(b, h, d)
				}
				benchmarkCall(b, h, fmt.Sprintf("n%d.%s", namespaces/2, method))
			})
		}
	}
}

func benchmarkCall(b *testing.B, h *hub.Hub, path string) {
	params := []byte(`{"name":"x"}`)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for item := range h.Call(path, params).Items(b.Context()) {
			if n++; item.Kind == plugin.KindError {
				b.Fatal(item.Message)
			}
		}
		if n != 2 {
			b.Fatal(n, "items")
		}
	}
}

// BenchmarkStream is the cost of one item more of a stream.
func BenchmarkStream(b *testing.B) {
	h, _ := newHub(b, "H", costly(nil))
	n := 0
	b.ReportAllocs()
	b.ResetTimer()
	for range h.Call("s.count", nil).Items(b.Context()) {
		if n++; n > b.N {
			break
		}
	}
}

// BenchmarkRegister is the cost of one registration more.
func BenchmarkRegister(b *testing.B) {
	for _, namespaces := range []int{1, 1000} {
		b.Run(fmt.Sprintf("namespaces=%d", namespaces), func(b *testing.B) {
			h, _ := newHub(b, "H")
			for i := range namespaces {
				register(b, h, activation(fmt.Sprint("n", i), "m"))
			}
			for b.Loop() {
				register(b, h, activation("one-more", "m"))
				unregister(b, h, "one-more")
			}
		})
	}
}
