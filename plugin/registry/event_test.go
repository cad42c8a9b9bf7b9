// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// generic is an Event without its own way of writing itself.
type generic registry.Event

// TestEventsAreEncodedAsTheirTypesAre compares the event's own JSON with what
// the encoding makes of its fields, for every variant.
func TestEventsAreEncodedAsTheirTypesAre(t *testing.T) {
	t.Parallel()
	h := open(t)
	events := []registry.Event{}
	add := func(e registry.Event, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	ctx := context.Background()
	list := func(activeOnly bool) { add(h.registry.List(ctx, registry.ListParams{ActiveOnly: &activeOnly})) }
	list(true)
	odd := "\u2028 \u2029 </script> & \" \\ \t \x00 é ☃ 🎉"
	for _, in := range []registry.RegisterParams{
		{Name: "plain", Host: "h", Port: 1},
		{
			Name: "full", Host: "::1", Port: 65535, Protocol: ptr("wss"), Description: &odd, Namespace: &odd, Version: &odd,
			Metadata: registry.Metadata("{ \"z\" : [1e300, 12345678901234567890] ,\n \"a\": \"\\u00e9<\" }"), Source: ptr("auto"),
		},
		{Name: `na"me`, Host: "h", Port: 1, Description: ptr(""), Metadata: registry.Metadata(`{}`)},
	} {
		add(h.registry.Register(ctx, in))
		add(h.registry.Register(ctx, in)) // which gives it a last_seen
		list(true)
		add(h.registry.Get(ctx, registry.NameParams{Name: in.Name}))
	}
	add(h.registry.Get(ctx, registry.NameParams{Name: "nobody"}))
	add(h.registry.Update(ctx, registry.UpdateParams{Name: "full", Description: ptr(odd + "\n")}))
	add(h.registry.Update(ctx, registry.UpdateParams{Name: odd, Port: ptr(uint16(1))}))
	add(h.registry.Ping(ctx, registry.LeaseParams{Name: "full"}))
	add(h.registry.Ping(ctx, registry.LeaseParams{Name: odd}))
	add(h.registry.Deregister(ctx, registry.LeaseParams{Name: "full"}))
	list(false)
	add(h.registry.Delete(ctx, registry.LeaseParams{Name: "full"}))
	add(h.registry.ReloadEvent(ctx))
	// One that another program has stored.
	made := *registry.NewInfo(storage.Backend{Name: "made", Host: "h", Port: 1, Protocol: "ws", Source: "manual", Metadata: []byte(`x`)})
	add(registry.Event{Registered: &registry.BackendEvent{Backend: made}}, nil)
	add(registry.Event{Updated: &registry.BackendEvent{Backend: made}}, nil)
	add(registry.Event{Backend: &registry.LookupEvent{Backend: &made}}, nil)
	add(registry.Event{Backends: &registry.BackendsEvent{Backends: []*registry.BackendInfo{&made, &made}}}, nil)

	revision := int64(7)
	add(registry.Event{Backends: &registry.BackendsEvent{Backends: []*registry.BackendInfo{&made}, Next: "1.61", Revision: &revision}}, nil)
	add(registry.Event{Registered: &registry.BackendEvent{Backend: made, Revision: revision}}, nil)
	add(registry.Event{Registered: &registry.BackendEvent{Backend: made, LeaseID: "lease"}}, nil)
	add(registry.Event{Updated: &registry.BackendEvent{Backend: made, Revision: revision}}, nil)
	add(h.registry.Status(ctx))

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
	for i, event := 0, reflect.TypeFor[registry.Event](); i < event.NumField(); i++ {
		if f := event.Field(i); f.Type.Kind() == reflect.Pointer && !seen[f.Name] {
			t.Errorf("no event %s was written", f.Name)
		}
	}
}

// TestListsKnowTheirSize: what a list says to be as long as is at least its
// length, and little more.
func TestListsKnowTheirSize(t *testing.T) {
	h := open(t)
	for i := range 50 {
		h.register(object("name", ofLength(i+1), "host", "h", "port", 1))
	}
	event, err := h.registry.List(t.Context(), registry.ListParams{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := codec.AppendJSON(nil, event)
	if size := event.SizeJSON(); err != nil || len(event.Backends.Backends) != 50 || size < len(text) || size > len(text)+128 {
		t.Errorf("%d bytes, said to be %d (%v)", len(text), size, err)
	}
	if size := (registry.Event{}).SizeJSON(); size != 0 {
		t.Errorf("nothing is said to be %d bytes", size)
	}
}
