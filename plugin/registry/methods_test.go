// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

func (h *harness) registerNames(names ...string) {
	h.t.Helper()
	for _, name := range names {
		h.register(object("name", name, "host", "h", "port", 1))
	}
}

func TestListNewestFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		same(t, "an empty registry", h.all(), `{"type":"backends","backends":[]}`)
		var want []string
		add := func(name string) {
			h.registerNames(name)
			want = slices.Insert(want, 0, name)
		}
		// Of what came within one second the last is the newest.
		for i := range 50 {
			add(fmt.Sprintf("first %d", (i*37)%50))
		}
		later()
		for i := range 50 {
			add(fmt.Sprintf("second %d", (i*37)%50))
		}
		same(t, "listed", h.names(""), want)

		later() // what is done to an entry later doesn't make it newer
		h.registerNames("first 3")
		h.do("update", `{"name": "first 4", "port": 9}`)
		h.do("ping", `{"name": "first 5"}`)
		same(t, "after changes", h.names(""), want)

		h.do("delete", `{"name": "first 6"}`)
		h.registerNames("first 6")
		want = slices.DeleteFunc(want, func(name string) bool { return name == "first 6" })
		want = slices.Insert(want, 0, "first 6")
		same(t, "after a new beginning", h.names(""), want)
	})
}

func TestListActiveOnly(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.registerNames("a", "b", "c")
	h.do("deregister", `{"name": "b"}`)
	active, all := []string{"c", "a"}, []string{"c", "b", "a"}
	for params, want := range map[string][]string{
		``:                       active,
		`null`:                   active,
		`{}`:                     active,
		`{"active_only": null}`:  active,
		`{"active_only": true}`:  active,
		`{"active_only": false}`: all,
	} {
		same(t, "list "+params, h.names(params), want)
	}
	if a := h.call(context.Background(), "list", `{"active_only": 1}`); a.refused == nil {
		t.Errorf("list of active_only 1: %s", a.content)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.registerNames("a", "A")
	same(t, "get", h.get("a").Name, "a")
	for _, unknown := range []string{"b", "", "a ", "ab", "á"} {
		a := h.call(context.Background(), "get", object("name", unknown))
		same(t, "get of "+unknown, string(a.content), `{"type":"backend","backend":null}`)
	}
}

func TestUpdateChangesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.registerNames("beside")
		beside := h.get("beside")
		for _, test := range []struct {
			given  string
			change func(want *entry)
		}{
			{`"host": "h9"`, func(want *entry) { want.Host = "h9" }},
			{`"port": 9`, func(want *entry) { want.Port = 9 }},
			{`"protocol": "WS"`, func(want *entry) { want.Protocol = "ws" }},
			{`"description": "other"`, func(want *entry) { want.Description = new("other") }},
			{`"description": ""`, func(want *entry) { want.Description = new("") }},
			{`"namespace": "other"`, func(want *entry) { want.Namespace = new("other") }},
			{`"namespace": ""`, func(want *entry) { want.Namespace = new("") }},
			{`"host": "h9", "port": 9, "protocol": "ws", "description": "x", "namespace": "y"`, func(want *entry) {
				want.Host, want.Port, want.Protocol, want.Description, want.Namespace = "h9", 9, "ws", new("x"), new("y")
			}},
			{`"port": 9, "host": null, "protocol": null, "description": null, "namespace": null`, func(want *entry) { want.Port = 9 }},
			{`"unknown": 1`, nil}, // which changes nothing
			{`"host": null, "port": null, "description": null`, nil},
		} {
			want := h.register(fullRegistration)
			now := later()
			if test.change != nil {
				want.UpdatedAt = now
				test.change(&want)
			}
			e := h.do("update", `{"name": "alpha", `+test.given+`}`)
			if e.Type != "backend_updated" || e.Backend == nil {
				t.Fatalf("update %s: answered %+v", test.given, e)
			}
			same(t, "updated "+test.given, *e.Backend, want)
			same(t, "got", h.get("alpha"), want)
			same(t, "the entry beside it", h.get("beside"), beside)
			h.do("delete", `{"name": "alpha"}`)
		}
	})
}

// An update does not say that the backend lives.
func TestUpdateLeavesInactive(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.registerNames("a")
	h.do("deregister", `{"name": "a"}`)
	if e := h.do("update", `{"name": "a", "port": 2}`); e.Backend.Active || e.Backend.Port != 2 {
		t.Errorf("updated %v", e.Backend)
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		want := h.register(fullRegistration)
		answered := `{"type":"ping","name":"alpha","success":true,"message":"Backend health check updated"}`
		ping := func() {
			t.Helper()
			same(t, "ping", string(h.call(context.Background(), "ping", `{"name": "alpha"}`).content), answered)
		}
		want.LastSeen = new(later())
		ping()
		same(t, "an active one", h.get("alpha"), want)

		h.do("deregister", `{"name": "alpha"}`)
		now := later()
		ping()
		want.LastSeen, want.UpdatedAt = &now, now
		same(t, "an inactive one", h.get("alpha"), want)
	})
}

func TestDeregisterKeepsTheEntry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		want := h.register(fullRegistration)
		now := later()
		for range 2 { // the second changes nothing
			a := h.call(context.Background(), "deregister", `{"name": "alpha"}`)
			same(t, "deregister", string(a.content), `{"type":"backend_deregistered","name":"alpha"}`)
			want.Active, want.Reason, want.UpdatedAt = false, "deregistered", now
			same(t, "got", h.get("alpha"), want)
			same(t, "active", h.names(""), []string{})
			same(t, "all", h.names(`{"active_only": false}`), []string{"alpha"})
			later()
		}
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.registerNames("a", "b")
	a := h.call(context.Background(), "delete", `{"name": "a"}`)
	same(t, "delete", string(a.content), `{"type":"backend_deleted","name":"a"}`)
	same(t, "listed", h.names(`{"active_only": false}`), []string{"b"})
	if b := h.lookup("a"); b != nil {
		t.Errorf("got %v", b)
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.registerNames("gone", "kept")
	h.do("delete", `{"name": "gone"}`)
	before := h.all()
	for _, name := range []string{"gone", "never", "", " kept", "\x00", `quo"te`, strings.Repeat("x", 300)} {
		for _, method := range []string{"update", "delete", "deregister", "ping"} {
			e := h.do(method, object("name", name))
			want := event{Type: "error", Message: "Backend not found: " + name}
			if method == "ping" {
				want.Type, want.Name = "ping", name
			}
			same(t, method+" of "+name, e, want)
		}
	}
	same(t, "listed", h.all(), before)
}

// Clients send a method's only parameter bare.
func TestNameWithoutObject(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.registerNames("a")
	if e := h.do("get", `"a"`); e.Backend == nil || e.Backend.Name != "a" {
		t.Errorf("answered %+v", e)
	}
}
