// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin/plugintest"
)

func TestAdd(t *testing.T) {
	h := plugintest.New(t, New(time.Hour))
	if got := plugintest.One[Count](h, "counter.add", nil); got.Value != 1 {
		t.Errorf("one more than 0 is %d", got.Value)
	}
	if got := plugintest.One[Count](h, "counter.add", addParams{By: -3}); got.Value != -2 {
		t.Errorf("3 less than 1 is %d", got.Value)
	}
	h.CheckSchema("counter", "testdata/counter.json")
}

// TestWatch lets three minutes pass, in no time.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := plugintest.New(t, New(time.Minute))
		want := int64(0)
		for got, err := range plugintest.Stream[Count](h, "counter.watch", nil) {
			if err != nil || got.Value != want {
				t.Fatalf("after %d minutes: %d, %v", want, got.Value, err)
			}
			if want++; want > 3 {
				return
			}
		}
	})
}
