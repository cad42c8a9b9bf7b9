// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

// Each write is answered once it is on the disk. What many writers gain over
// one is what group commit is worth.
func BenchmarkApply(b *testing.B) {
	for _, writers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openTest(b)
			var left atomic.Int64
			left.Store(int64(b.N))
			var group sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for writer := range writers {
				group.Go(func() {
					for i := 0; left.Add(-1) >= 0; i++ {
						if _, err := s.Apply(b.Context(), put(fmt.Sprintf("%d-%d", writer, i%100))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := openTest(b)
	if _, err := s.Apply(b.Context(), put("a")); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context(), "a"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	const size = 10_000
	s := openTest(b)
	writes := make([]storage.Write, size)
	for i := range writes {
		writes[i] = put(fmt.Sprint(i))
	}
	if _, err := s.Apply(b.Context(), writes...); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		listed, _, err := s.List(b.Context())
		if err != nil || len(listed) != size {
			b.Fatal(len(listed), err)
		}
	}
}
