// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/sqlite"
)

// generic is an event without its own way of writing itself.
type generic event

// inMemory is a registry over a store of its own.
func inMemory(t *testing.T) *Registry {
	store, err := sqlite.Open(t.Context(), ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		_ = store.Close()
	})
	return r
}

// TestEventsAreEncodedAsTheirTypesAre compares the event's own JSON with what
// the encoding makes of its fields, for every variant.
func TestEventsAreEncodedAsTheirTypesAre(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	events := []event{}
	add := func(e event, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	ctx := context.Background()
	list := func(activeOnly bool) { add(r.list(ctx, listParams{ActiveOnly: &activeOnly})) }
	list(true)
	odd := "\u2028 \u2029 </script> & \" \\ \t \x00 é ☃ 🎉"
	for _, in := range []registerParams{
		{Name: "plain", Host: "h", Port: 1},
		{
			Name: "full", Host: "::1", Port: 65535, Protocol: new("wss"), Description: &odd, Namespace: &odd, Version: &odd,
			Metadata: metadata("{ \"z\" : [1e300, 12345678901234567890] ,\n \"a\": \"\\u00e9<\" }"), Source: new("auto"),
		},
		{Name: `na"me`, Host: "h", Port: 1, Description: new(""), Metadata: metadata(`{}`)},
	} {
		add(r.register(ctx, in))
		add(r.register(ctx, in)) // which gives it a last_seen
		list(true)
		add(r.get(ctx, nameParams{Name: in.Name}))
	}
	add(r.get(ctx, nameParams{Name: "nobody"}))
	add(r.update(ctx, updateParams{Name: "full", Description: new(odd + "\n")}))
	add(r.update(ctx, updateParams{Name: odd, Port: new(uint16(1))}))
	add(r.ping(ctx, leaseParams{Name: "full"}))
	add(r.ping(ctx, leaseParams{Name: odd}))
	add(r.deregister(ctx, leaseParams{Name: "full"}))
	list(false)
	add(r.delete(ctx, leaseParams{Name: "full"}))
	add(r.reload(ctx, plugin.None{}))
	add(r.status(ctx, plugin.None{}))
	made := newInfo(storage.Backend{Name: "made", Host: "h", Port: 1, Protocol: "ws", Source: "manual", Metadata: []byte(`x`)}, nil)
	add(event{Backend: &lookupEvent{Backend: made}}, nil)
	add(event{Backends: &backendsEvent{Backends: []*BackendInfo{made, made}}}, nil)
	add(event{Backends: &backendsEvent{Backends: []*BackendInfo{made}, Next: "1.61", Revision: new(int64(7))}}, nil)
	for _, e := range []backendEvent{{Backend: *made}, {Backend: *made, Revision: 7}, {Backend: *made, LeaseID: "lease"}} {
		add(event{Registered: &e}, nil)
		add(event{Updated: &e}, nil)
	}

	seen := map[string]bool{}
	for _, e := range events {
		for i, v := 0, reflect.ValueOf(e); i < v.NumField(); i++ {
			if f := v.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
				seen[v.Type().Field(i).Name] = true
			}
		}
		before := []byte("before")
		own, err := codec.AppendJSON(before, e)
		if err != nil {
			t.Fatal(err)
		}
		fields, err := codec.AppendJSON(before, generic(e))
		if err != nil {
			t.Fatal(err)
		}
		if string(own) != string(fields) {
			t.Errorf("written   %s\nits fields %s", own, fields)
		}
		if !json.Valid(own[len(before):]) {
			t.Errorf("not JSON: %s", own)
		}
	}
	for i, all := 0, reflect.TypeFor[event](); i < all.NumField(); i++ {
		if f := all.Field(i); f.Type.Kind() == reflect.Pointer && !seen[f.Name] {
			t.Errorf("no event %s was written", f.Name)
		}
	}
}

// TestListsKnowTheirSize: what a list says to be as long as is at least its
// length, and little more.
func TestListsKnowTheirSize(t *testing.T) {
	r := inMemory(t)
	for i := range 50 {
		if _, err := r.register(t.Context(), registerParams{Name: fmt.Sprint(strings.Repeat("x", i), i), Host: "h", Port: 1}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.list(t.Context(), listParams{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := codec.AppendJSON(nil, list)
	if size := list.SizeJSON(); err != nil || len(list.Backends.Backends) != 50 || size < len(text) || size > len(text)+128 {
		t.Errorf("%d bytes, said to be %d (%v)", len(text), size, err)
	}
	if size := (event{}).SizeJSON(); size != 0 {
		t.Errorf("nothing is said to be %d bytes", size)
	}
}
