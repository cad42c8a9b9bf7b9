// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/storage/sqlite"
)

// harness is a registry in a hub, over a store.
type harness struct {
	t        testing.TB
	hub      func() *hub.Hub // made when it is needed: schemas take their time
	registry *registry.Registry
	store    storage.Store
	log      *testkit.Log // of the registry and of the hub
}

// open makes a registry over a store of its own.
func open(t testing.TB, options ...registry.Option) *harness {
	t.Helper()
	return over(t, memory(t), options...)
}

// memory makes an empty store.
func memory(t testing.TB) storage.Store {
	t.Helper()
	return openStore(t, ":memory:")
}

func openStore(t testing.TB, path string) storage.Store {
	t.Helper()
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// over makes a registry over a store.
func over(t testing.TB, store storage.Store, options ...registry.Option) *harness {
	t.Helper()
	h := &harness{t: t, store: store, log: &testkit.Log{}}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if h.registry, err = registry.New(context.Background(), store, append(options, registry.WithLogger(log))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	h.hub = sync.OnceValue(func() *hub.Hub { return hosting(h.registry, log) })
	return h
}

func hosting(r *registry.Registry, log *slog.Logger) *hub.Hub {
	made, err := hub.New("test-hub", hub.WithLogger(log))
	if err == nil {
		err = made.Register(r)
	}
	if err != nil {
		panic(err)
	}
	return made
}

func (h *harness) close() {
	if err := h.registry.Close(); err != nil {
		h.t.Error(err)
	}
}

// entry is a backend as a client reads it.
type entry struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Host         string          `json:"host"`
	Port         int             `json:"port"`
	Protocol     string          `json:"protocol"`
	Description  *string         `json:"description"`
	Namespace    *string         `json:"namespace"`
	Version      *string         `json:"version"`
	Metadata     json.RawMessage `json:"metadata"`
	Source       string          `json:"source"`
	Active       bool            `json:"is_active"`
	RegisteredAt int64           `json:"registered_at"`
	LastSeen     *int64          `json:"last_seen"`
	CreatedAt    int64           `json:"created_at"`
	UpdatedAt    int64           `json:"updated_at"`
	Health       string          `json:"health"`
	HealthError  string          `json:"health_error"`
	Flapping     bool            `json:"flapping"`
	Reason       string          `json:"inactive_reason"`
	AnswersAs    string          `json:"answers_as"`
}

func (e entry) String() string {
	text, _ := json.Marshal(e)
	return string(text)
}

// event is the content of an item of the registry, as a client reads it.
type event struct {
	Type     string  `json:"type"`
	Backend  *entry  `json:"backend"`
	Backends []entry `json:"backends"`
	Name     string  `json:"name"`
	Success  bool    `json:"success"`
	Message  string  `json:"message"`
	Count    int     `json:"count"`
	LeaseID  string  `json:"lease_id"`
	Next     string  `json:"next"`
	Revision int64   `json:"revision"`
	History  string  `json:"history"`
	Left     bool    `json:"left"`
	Reason   string  `json:"inactive_reason"`
}

// described is the event as "type name".
func (e event) described() string {
	words := []string{e.Type}
	for _, b := range e.Backends {
		words = append(words, b.Name)
	}
	if e.Backend != nil {
		words = append(words, e.Backend.Name)
	}
	if e.Name != "" {
		words = append(words, e.Name)
	}
	return strings.Join(words, " ")
}

// answer is what a call came to: the content of its one item, or its error.
type answer struct {
	content []byte
	refused *plugin.Error
}

// call calls a method through the hub. Parameters that were accepted, and
// every content, must satisfy the schema that the registry serves.
func (h *harness) call(ctx context.Context, method, params string) answer {
	h.t.Helper()
	var a answer
	var kinds []plugin.Kind
	for item := range h.hub().Call("registry."+method, []byte(params)).Items(ctx) {
		kinds = append(kinds, item.Kind)
		switch item.Kind {
		case plugin.KindData:
			if item.ContentType != "registry."+method || !slices.Equal(item.Metadata.Provenance, []string{registry.Namespace}) {
				h.t.Errorf("%s: the item is of %q from %q", method, item.ContentType, item.Metadata.Provenance)
			}
			var err error
			if a.content, err = codec.AppendJSON(nil, item.Content); err != nil {
				h.t.Errorf("%s: %v", method, err)
			}
		case plugin.KindError:
			a.refused = item.Err()
		}
	}
	switch {
	case slices.Equal(kinds, []plugin.Kind{plugin.KindData, plugin.KindDone}):
		if err := served(method).validate(params, a.content); err != nil {
			h.t.Errorf("%s %s: %v", method, params, err)
		}
	case !slices.Equal(kinds, []plugin.Kind{plugin.KindError}):
		h.t.Errorf("%s %s: the stream is %v", method, params, kinds)
	}
	return a
}

// do calls a method that must not be refused.
func (h *harness) do(method, params string) event {
	h.t.Helper()
	return h.doContext(context.Background(), method, params)
}

func (h *harness) doContext(ctx context.Context, method, params string) event {
	h.t.Helper()
	a := h.call(ctx, method, params)
	if a.refused != nil {
		h.t.Fatalf("%s %s: refused with %d %q", method, params, a.refused.Code, a.refused.Message)
	}
	return decode(h.t, a.content)
}

func decode(t testing.TB, content []byte) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(content, &e); err != nil {
		t.Fatalf("%s: %v", content, err)
	}
	return e
}

// decode calls a method without parameters, and decodes its answer.
func (h *harness) decode(method string, into any) {
	h.t.Helper()
	if err := json.Unmarshal(h.call(context.Background(), method, "").content, into); err != nil {
		h.t.Fatal(err)
	}
}

// register registers what must be accepted.
func (h *harness) register(params string) entry {
	h.t.Helper()
	e := h.do("register", params)
	if e.Type != "backend_registered" || e.Backend == nil {
		h.t.Fatalf("register %s: answered %+v", params, e)
	}
	return *e.Backend
}

// get returns an entry that must be there.
func (h *harness) get(name string) entry {
	h.t.Helper()
	b := h.lookup(name)
	if b == nil {
		h.t.Fatalf("there is no %q", name)
	}
	return *b
}

// lookup returns an entry, nil if there is none.
func (h *harness) lookup(name string) *entry {
	h.t.Helper()
	e := h.do("get", object("name", name))
	if e.Type != "backend" {
		h.t.Fatalf("get %q: answered %+v", name, e)
	}
	return e.Backend
}

// all lists every entry, as text.
func (h *harness) all() string {
	h.t.Helper()
	return string(h.call(context.Background(), "list", `{"active_only": false}`).content)
}

// stored is what a registry lists that is started now, over the same store.
func (h *harness) stored() string {
	h.t.Helper()
	again := over(h.t, h.store)
	defer again.close()
	return again.all()
}

// names lists the names of the entries that list answers.
func (h *harness) names(params string) []string {
	h.t.Helper()
	e := h.do("list", params)
	if e.Type != "backends" || e.Backends == nil {
		h.t.Fatalf("list %s: answered %+v", params, e)
	}
	names := []string{}
	for _, b := range e.Backends {
		names = append(names, b.Name)
	}
	return names
}

// object writes a JSON object of names and values.
func object(pairs ...any) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		value, err := json.Marshal(pairs[i+1])
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, ",%q:%s", pairs[i], value)
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// methodSchema is what the registry's schema says of one method.
type methodSchema struct {
	Name            string
	Params, Returns *jsonschema.Schema

	params, returns *jsonschema.Resolved // nil for none
}

// servedSchema is the schema of the registry, as a client gets it.
var servedSchema = sync.OnceValue(func() []byte {
	h := &harness{hub: func() *hub.Hub { return hosting(new(registry.Registry), slog.Default()) }}
	return h.answerTo(nil, "registry.schema", nil)
})

var servedMethods = sync.OnceValue(func() map[string]methodSchema {
	var schema struct{ Methods []methodSchema }
	if err := json.Unmarshal(servedSchema(), &schema); err != nil {
		panic(err)
	}
	methods := map[string]methodSchema{}
	for _, m := range schema.Methods {
		for given, resolved := range map[*jsonschema.Schema]**jsonschema.Resolved{m.Params: &m.params, m.Returns: &m.returns} {
			var err error
			if given == nil {
				continue
			}
			if *resolved, err = given.Resolve(nil); err != nil {
				panic(err)
			}
		}
		methods[m.Name] = m
	}
	return methods
})

func served(method string) methodSchema { return servedMethods()[method] }

// validate checks parameters that were accepted, if they are an object, and a
// content against the schema.
func (m methodSchema) validate(params string, content []byte) error {
	if m.params != nil && strings.HasPrefix(strings.TrimSpace(params), "{") {
		given, _ := instance([]byte(params)).(map[string]any)
		if protocol, ok := given["protocol"].(string); ok {
			given["protocol"] = strings.ToLower(protocol) // the schema lists how it is stored
		}
		if err := m.params.Validate(given); err != nil {
			return fmt.Errorf("accepted against the schema: %w", err)
		}
	}
	if m.returns == nil {
		return fmt.Errorf("there is no schema of its results")
	}
	if bytes.ContainsAny(content, "\r\n") {
		return fmt.Errorf("the content has line breaks: %q", content)
	}
	if err := m.returns.Validate(instance(content)); err != nil {
		return fmt.Errorf("the content %s breaks the schema: %w", content, err)
	}
	return nil
}

// instance decodes JSON for a schema. Of parameters with a number that is too large
// for a double, the rest is decoded.
func instance(text []byte) (v any) {
	var tooLarge *json.UnmarshalTypeError
	if err := json.Unmarshal(text, &v); err != nil && !errors.As(err, &tooLarge) {
		return err // which satisfies no schema
	}
	return v
}
