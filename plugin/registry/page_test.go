// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

func TestPages(t *testing.T) {
	h := open(t)
	var want []string
	for i := range 25 {
		h.registerNames(fmt.Sprintf("n%02d", i))
		want = slices.Insert(want, 0, fmt.Sprintf("n%02d", i))
	}
	for _, limit := range []int{1, 7, 24, 25, 26, 1000} {
		var got []string
		var after *string
		for pages := 0; ; pages++ {
			page := h.do("list", object("limit", limit, "after", after))
			if len(page.Backends) > limit || pages > 25 {
				t.Fatalf("a page of %d, the %dth", len(page.Backends), pages)
			}
			for _, b := range page.Backends {
				got = append(got, b.Name)
			}
			if page.Next == "" {
				break
			}
			after = &page.Next
		}
		same(t, fmt.Sprint("pages of ", limit), got, want)
	}
}

// TestPagesAreStableOverChanges deletes the entry that a page ended with, and adds one.
func TestPagesAreStableOverChanges(t *testing.T) {
	h := open(t)
	h.registerNames("a", "b", "c", "d")
	first := h.do("list", object("limit", 2))
	h.do("delete", object("name", "c"))
	h.registerNames("e")
	second := h.do("list", object("limit", 2, "after", first.Next))
	same(t, "pages", first.described()+", "+second.described(), "backends d c, backends b a")
}

func TestListFilters(t *testing.T) {
	h := open(t)
	h.registerNames("plain")
	h.register(`{"name": "spaced", "host": "h", "port": 1, "namespace": "ns"}`)
	h.register(`{"name": "found", "host": "h", "port": 1, "source": "auto"}`)
	h.register(`{"name": "both", "host": "h", "port": 1, "namespace": "ns", "source": "auto"}`)
	for params, want := range map[string]string{
		`{}`:                                    "backends both found spaced plain",
		`{"namespace": "ns"}`:                   "backends both spaced",
		`{"source": "auto"}`:                    "backends both found",
		`{"source": "auto", "namespace": "ns"}`: "backends both",
	} {
		same(t, params, h.do("list", params).described(), want)
	}
	for _, params := range []string{`{"source": "nowhere"}`, `{"limit": 0}`, `{"after": "x"}`} {
		if a := h.call(t.Context(), "list", params); a.refused == nil || a.refused.Code != plugin.CodeInvalidParams {
			t.Errorf("%s is answered with %s", params, a.content)
		}
	}
}
