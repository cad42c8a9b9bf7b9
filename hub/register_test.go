// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
)

func TestNewRejectsAMalformedName(t *testing.T) {
	for _, name := range []string{"", "a.b", "_info", "9", "a b"} {
		if h, err := hub.New(name); err == nil || h != nil {
			t.Errorf("%q: %v, %v", name, h, err)
		}
	}
}

func TestRegisterRejects(t *testing.T) {
	for _, test := range []struct {
		name       string
		activation plugin.Activation
		want       string
	}{
		{"a namespace that is taken", activation("taken", "other"), `hub H: register: namespace "taken" is taken`},
		{"the hub's own name", activation("H", "m"), `hub H: register: namespace "H" is the hub's own`},
		{"a malformed namespace", activation("a.b", "m"), `hub H: register: namespace "a.b" is malformed`},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, _ := newHub(t, "H", activation("taken", "m"))
			before := h.Hash()
			err := h.Register(test.activation)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if h.Hash() != before || len(h.Schema().Children) != 1 || h.Find("taken", "m") == nil || h.Find("taken", "other") != nil {
				t.Error("the hub is not as it was")
			}
		})
	}
}

// TestAMiddlewareThatPanicsAtRegistration leaves the hub as it was, and what had
// started is closed. The panic goes on.
func TestAMiddlewareThatPanicsAtRegistration(t *testing.T) {
	h := newHubWith(t, "H", []hub.Option{hub.WithMiddleware(func(m plugin.Method, next plugin.Handler) plugin.Handler {
		if m.Name() == "breaks" {
			panic("in the middleware")
		}
		return next
	})})
	before := h.Hash()
	var d diary
	a, _, _, _ := family(&d)
	a.Methods = activation("", "breaks").Methods
	cause := func() (cause any) {
		defer func() { cause = recover() }()
		return h.Register(a)
	}()
	if cause != "in the middleware" || h.Hash() != before || h.Find("a", "breaks") != nil {
		t.Errorf("%v, or the hub is not as it was", cause)
	}
	d.check(t, append(slices.Clone(defined), "start a", "start b", "start c", "start d", "close d", "close c", "close b", "close a")...)
	register(t, h, activation("a", "m")) // the namespace is free
}

func TestUnregister(t *testing.T) {
	h, _ := newHub(t, "H", activation("a", "m"))
	before := h.Hash()
	register(t, h, activation("b", "m"))
	call := h.Call("b.m", []byte(`"x"`))
	unregister(t, h, "b")
	if h.Hash() != before || len(h.Schema().Children) != 1 || h.Find("b", "m") != nil {
		t.Error("the hub is not as it was before b")
	}
	equal(t, run(t.Context(), h.Call("b.m", []byte(`"x"`))), "error -32601 Activation not found: b")
	equal(t, run(t.Context(), call), "error -32601 Activation not found: b")
	if err := h.Unregister("b"); err == nil || !strings.Contains(err.Error(), `no activation "b"`) {
		t.Errorf("gone already: %v", err)
	}
	if err := h.Unregister("H"); err == nil {
		t.Error("the hub itself was unregistered")
	}
	if err := h.Register(activation("b", "n")); err != nil || h.Find("b", "n") == nil || h.Find("b", "m") != nil {
		t.Errorf("the namespace can't be used again: %v", err)
	}
}

func TestOptionsAreInTheSchema(t *testing.T) {
	h := newHubWith(t, "H", []hub.Option{hub.WithVersion("2.3.4"), hub.WithDescription("A hub")})
	if s := h.Schema(); s.Namespace != "H" || h.Namespace() != "H" || s.Version != "2.3.4" || s.Description != "A hub" || s.Hash != h.Hash() {
		t.Errorf("%+v", s)
	}
	if s := h.Schema(); s.Children != nil || s.ChildrenHash != "" {
		t.Errorf("a hub without activations has the children %v, %q", s.Children, s.ChildrenHash)
	}
}

// TestConcurrentChangesAndCalls finds data races under -race, and calls that
// end in no way or in two.
func TestConcurrentChangesAndCalls(t *testing.T) {
	h, _ := newHub(t, "H", activation("stays", "m"))
	before := h.Hash()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			namespace := fmt.Sprint("comes", worker)
			for range 10 {
				register(t, h, activation(namespace, "m"))
				if h.Find(namespace, "m") == nil {
					t.Errorf("%s was registered and is not there", namespace)
				}
				unregister(t, h, namespace)
			}
		})
		all.Go(func() {
			for i := range 200 {
				path := []string{"stays.m", "comes0.m", "comes1.schema", "H.hash", "H.schema", "H.comes2.m"}[i%6]
				got := run(t.Context(), h.Call(path, []byte(`{"name":"x"}`)))
				last := got[len(got)-1]
				if last != "done" && (!strings.HasPrefix(last, "error -32601") || len(got) != 1) || slices.Index(got, "done") != slices.Index(got, last) && last == "done" {
					t.Errorf("%s: %q", path, got)
				}
				if path == "stays.m" && !slices.Equal(got, []string{`data stays.m "for x"`, "done"}) {
					t.Errorf("%q", got)
				}
			}
		})
	}
	all.Wait()
	if h.Hash() != before {
		t.Error("all that came has gone, and the hash is another")
	}
}
