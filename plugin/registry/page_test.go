// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/plexus-go/plexus/plugin/registry"
)

func TestPages(t *testing.T) {
	p := unprobed(t, memory(t))
	var want []string
	for i := range 25 {
		p.register(fmt.Sprintf("n%02d", i))
		want = append([]string{fmt.Sprintf("n%02d", i)}, want...)
	}
	for _, limit := range []uint32{1, 7, 24, 25, 26, 1000} {
		var got []string
		params := registry.ListParams{Limit: &limit}
		for pages := 0; ; pages++ {
			event, err := p.registry.List(t.Context(), params)
			if err != nil {
				t.Fatal(err)
			}
			if len(event.Backends.Backends) > int(limit) || pages > 25 {
				t.Fatalf("a page of %d, the %dth", len(event.Backends.Backends), pages)
			}
			for _, b := range event.Backends.Backends {
				got = append(got, b.Name)
			}
			if event.Backends.Next == "" {
				break
			}
			params.After = &event.Backends.Next
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v", limit, got)
		}
	}
}

// TestPagesAreStableOverChanges deletes the entry that a page ended with, and adds one.
func TestPagesAreStableOverChanges(t *testing.T) {
	p := unprobed(t, memory(t))
	p.register("a", "b", "c", "d")
	two := uint32(2)
	first, err := p.registry.List(t.Context(), registry.ListParams{Limit: &two})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.registry.Delete(t.Context(), registry.LeaseParams{Name: "c"}); err != nil {
		t.Fatal(err)
	}
	p.register("e")
	second, err := p.registry.List(t.Context(), registry.ListParams{Limit: &two, After: &first.Backends.Next})
	if got := described(t, first, err) + ", " + described(t, second, err); got != "backends d c, backends b a" {
		t.Errorf("pages: %s", got)
	}
}

func TestListFilters(t *testing.T) {
	p := unprobed(t, memory(t))
	namespace, auto := "ns", "auto"
	p.register("plain")
	for _, params := range []registry.RegisterParams{
		{Name: "spaced", Host: "h", Port: 1, Namespace: &namespace},
		{Name: "found", Host: "h", Port: 1, Source: &auto},
		{Name: "both", Host: "h", Port: 1, Namespace: &namespace, Source: &auto},
	} {
		if _, err := p.registry.Register(t.Context(), params); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		params registry.ListParams
		want   string
	}{
		{registry.ListParams{}, "backends both found spaced plain"},
		{registry.ListParams{Namespace: &namespace}, "backends both spaced"},
		{registry.ListParams{Source: &auto}, "backends both found"},
		{registry.ListParams{Source: &auto, Namespace: &namespace}, "backends both"},
	} {
		e, err := p.registry.List(t.Context(), tt.params)
		if got := described(t, e, err); got != tt.want {
			t.Errorf("%+v: %s", tt.params, got)
		}
	}
	wrong, zero, cursor := "nowhere", uint32(0), "x"
	for _, params := range []registry.ListParams{{Source: &wrong}, {Limit: &zero}, {After: &cursor}} {
		if err := params.Validate(); err == nil {
			t.Errorf("%+v is taken", params)
		}
	}
}
