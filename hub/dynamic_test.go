// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// truck is found at run time; it has trailers, which are, too.
type truck struct {
	name    string
	defined int
	method  func(ctx context.Context) (string, error) // of wait
}

func (k *truck) Define() plugin.Definition {
	k.defined++
	return plugin.Definition{
		Namespace: k.name, Version: "1.0.0", Description: "Truck " + k.name,
		Methods: []plugin.Method{
			plugin.Unary("position", "", func(ctx context.Context, in nameParams) (string, error) {
				return k.name + " for " + in.Name + " at " + plugin.PathOf(ctx), nil
			}),
			plugin.Unary("wait", "", func(ctx context.Context, _ plugin.None) (string, error) { return k.method(ctx) }),
		},
		Children: []plugin.Activation{body("engine", "Loud")},
		Dynamic: &plugin.Dynamic{Kind: "trailer", Find: func(_ context.Context, name string) (plugin.Activation, error) {
			return &truck{name: name}, nil
		}},
	}
}

// fleet keeps trucks by their names.
func fleet(find func(ctx context.Context, name string) (plugin.Activation, error)) plugin.Definition {
	names := func(all ...string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, n := range all {
				if !yield(n, nil) {
					return
				}
			}
		}
	}
	return plugin.Definition{
		Namespace: "fleet", Version: "1.0.0", Description: "Trucks",
		Methods: []plugin.Method{plugin.Unary("count", "", func(context.Context, plugin.None) (int, error) { return 1, nil })},
		Dynamic: &plugin.Dynamic{
			Kind: "truck", Description: "A truck", Find: find,
			List:   func(context.Context) iter.Seq2[string, error] { return names("t1", "t2") },
			Search: func(_ context.Context, q string) iter.Seq2[string, error] { return names(q + "1") },
		},
	}
}

func TestDynamicChildren(t *testing.T) {
	t1 := &truck{name: "t1"}
	h, log := newHub(t, "H", fleet(func(ctx context.Context, name string) (plugin.Activation, error) {
		switch name {
		case "t1", "t1.a":
			return t1, nil
		case "broken":
			return nil, errors.New("password is 123")
		case "refuses":
			return nil, plugin.Errorf(7, "no signal")
		case "panics":
			panic("in Find")
		case "malformed":
			return activation("malformed", "a.b"), nil
		case "typed":
			return (*truck)(nil), nil
		case "slow":
			plugin.Progress(ctx, "looking", plugin.Unknown)
			return t1, nil
		}
		return nil, nil
	}))
	const x = `{"name":"x"}`
	for _, test := range []struct {
		path, params string
		want         []string
		provenance   string // of the last item
	}{
		{"fleet.t1.position", x, []string{`data fleet.t1.position "t1 for x at fleet.t1.position"`, "done"}, "fleet t1"},
		{"fleet.t1.position", `"x"`, []string{`data fleet.t1.position "t1 for x at fleet.t1.position"`, "done"}, "fleet t1"},
		{"H.fleet.t1.position", x, []string{`data fleet.t1.position "t1 for x at fleet.t1.position"`, "done"}, "fleet t1"},
		{"fleet.t1.position", `{}`, []string{"error -32602 Invalid params: missing field: name"}, "H"},
		{"fleet.t1.nope", x, []string{"error -32601 Method not found: fleet.t1.nope"}, "H"},
		{"fleet.t1", x, []string{"error -32601 Method not found: fleet.t1"}, "H"},
		{"fleet.t1.engine.info", ``, []string{`data fleet.t1.engine.info "engine at fleet.t1.engine.info"`, "done"}, "fleet t1 engine"},
		{"fleet.t1.a.position", x, []string{`data fleet.t1.a.position "a for x at fleet.t1.a.position"`, "done"}, "fleet t1 a"},
		{"fleet.t1.a.b.engine.info", ``, []string{`data fleet.t1.a.b.engine.info "engine at fleet.t1.a.b.engine.info"`, "done"}, "fleet t1 a b engine"},
		{"fleet.t1" + strings.Repeat(".a", 15) + ".position", x, []string{"data fleet.t1" + strings.Repeat(".a", 15) + `.position "a for x at fleet.t1` + strings.Repeat(".a", 15) + `.position"`, "done"}, "fleet t1" + strings.Repeat(" a", 15)},
		{"fleet.t1" + strings.Repeat(".a", 16) + ".position", x, []string{"error -32601 Method not found: fleet.t1" + strings.Repeat(".a", 16) + ".position: more than 16 levels of children"}, "H"},
		{"fleet.nobody.position", x, []string{"error -32601 Activation not found: fleet.nobody"}, "H"},
		{"fleet..position", x, []string{"error -32601 Activation not found: fleet."}, "H"},
		{"fleet.broken.position", x, []string{"error -32000 fleet.broken.position failed"}, "fleet"},
		{"fleet.refuses.position", x, []string{"error 7 no signal"}, "fleet"},
		{"fleet.panics.position", x, []string{"error -32000 fleet.panics.position failed"}, "fleet"},
		{"fleet.typed.position", x, []string{"error -32000 fleet.typed.position failed"}, "fleet"},
		{"fleet.malformed.position", x, []string{"error -32000 fleet.malformed.position failed"}, "fleet"},
		{"fleet.slow.position", x, []string{"progress", `data fleet.slow.position "t1 for x at fleet.slow.position"`, "done"}, "fleet slow"},
		{"fleet." + strings.Repeat("x", 1020) + ".position", x, []string{"error -32601 Method not found: fleet." + strings.Repeat("x", 250) + "…"}, "H"},

		{"fleet.count", ``, []string{"data fleet.count 1", "done"}, "fleet"},
		{"fleet.truck", `{"name":"t1"}`, []string{`data fleet.truck {"namespace":"t1","version":"1.0.0","description":"Truck t1"}`, "done"}, "fleet"},
		{"fleet.truck", `"nobody"`, []string{"data fleet.truck null", "done"}, "fleet"},
		{"fleet.truck", `"t1.a"`, []string{"data fleet.truck null", "done"}, "fleet"}, // no path leads to one
		{"fleet.truck", `"broken"`, []string{"error -32000 fleet.truck failed"}, "fleet"},
		{"fleet.truck", `"panics"`, []string{"error -32000 fleet.truck failed"}, "fleet"},
		{"fleet.list_children", ``, []string{`data fleet.list_children "t1"`, `data fleet.list_children "t2"`, "done"}, "fleet"},
		{"fleet.search_children", `{"query":"t"}`, []string{`data fleet.search_children "t1"`, "done"}, "fleet"},
	} {
		t.Run(test.path, func(t *testing.T) {
			all := items(t.Context(), h.Call(test.path, []byte(test.params)))
			equal(t, lines(all), test.want...)
			if got := strings.Join(all[len(all)-1].Metadata.Provenance, " "); got != test.provenance {
				t.Errorf("%s: comes from %q, want %q", test.params, got, test.provenance)
			}
		})
	}
	for _, want := range []string{"password is 123", "in Find", "a.b"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s: %s", want, log)
		}
	}
	call, err := h.Find("fleet", "t1.position").Bind([]byte(`["x"]`))
	if got := run(t.Context(), call); err != nil || got[0] != `data fleet.t1.position "t1 for x at fleet.t1.position"` {
		t.Errorf("by position: %q, %v", got, err)
	}
	// A dynamic child has a schema and a hash; it does not show in its parent's.
	s := schemaAt(t, h, "fleet.t1")
	var event struct{ Event, Value string }
	contentOf(t, h, "fleet.t1.hash", ``, &event)
	if s.Namespace != "t1" || s.Hash != event.Value || s.Children[0].Namespace != "engine" || schemaAt(t, h, "fleet").Children != nil {
		t.Errorf("%+v", s)
	}
}

// TestADynamicChildIsShownByItsName: whatever its name is, and whatever its own
// definition calls it, a client can call it by each path that it is shown.
func TestADynamicChildIsShownByItsName(t *testing.T) {
	const id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
	names := []string{"42", id, "-1", "a b", "München", "10:30", "x@y", "hash", "T1", strings.Repeat("n", 65)}
	for _, of := range []struct {
		about  string
		define func(name string) plugin.Definition
	}{
		{"its own", func(name string) plugin.Definition { return body(name, "Blue") }},
		{"the same for all", func(string) plugin.Definition { return body("body", "Blue") }},
		{"none", func(string) plugin.Definition { return body("", "Blue") }},
	} {
		shared := of.define("same")
		parent := fleet(func(_ context.Context, name string) (plugin.Activation, error) {
			if name == "same" || name == "other" {
				return &shared, nil // one value by two names
			}
			if !slices.Contains(names, name) {
				return nil, nil
			}
			d := of.define(name)
			d.Children = []plugin.Activation{body("luna", "Grey")}
			return d, nil
		})
		h, _ := newHub(t, "H", parent)
		for _, name := range append(names, "same", "other") {
			// The gate, the schema, items and errors all show a path that leads there.
			var gate, shown plugin.Schema
			all := items(t.Context(), h.Call("fleet.truck", fmt.Appendf(nil, `{"name":%q}`, name)))
			if err := all[0].Decode(&gate); err != nil || gate.Namespace != name {
				t.Errorf("%s, %q: the gate shows %q, %v", of.about, name, gate.Namespace, err)
			}
			contentOf(t, h, "fleet."+name+".schema", ``, &shown)
			if shown.Namespace != name {
				t.Errorf("%s, %q: the schema shows %q", of.about, name, shown.Namespace)
			}
			all = items(t.Context(), h.Call("H.fleet."+name+".info", nil))
			path := strings.Join(append(all[0].Metadata.Provenance, "info"), ".")
			if all[0].ContentType != path || path != "fleet."+name+".info" || !strings.HasSuffix(describe(all[0]), fmt.Sprintf(`%s"`, path)) {
				t.Errorf("%s, %q: %q from %q", of.about, name, describe(all[0]), path)
			}
			all = items(t.Context(), h.Call("fleet."+name+".schema", []byte(`{"method":"nope"}`)))
			equal(t, lines(all), "error -32601 Method not found: fleet."+name+".nope")
		}
		for _, path := range []string{"fleet.42.luna.info", "fleet." + id + ".luna.info"} {
			all := items(t.Context(), h.Call(path, nil))
			if all[0].ContentType != path {
				t.Errorf("%s, %s: %q", of.about, path, lines(all))
			}
		}
	}
}

// TestADynamicChildIsMountedOnce, as long as it is the same value.
func TestADynamicChildIsMountedOnce(t *testing.T) {
	same, fresh := &truck{name: "same"}, 0
	h, _ := newHub(t, "H", fleet(func(_ context.Context, name string) (plugin.Activation, error) {
		switch name {
		case "same":
			return same, nil
		case "value": // one that can't be compared
			fresh++
			return body("value", fmt.Sprint(fresh)), nil
		}
		fresh++
		return &truck{name: fmt.Sprint("n", fresh)}, nil
	}))
	for range 3 {
		items(t.Context(), h.Call("fleet.same.position", []byte(`"x"`)))
	}
	if same.defined != 1 {
		t.Errorf("it was asked %d times for its definition", same.defined)
	}
	for i := range 3 {
		if got := schemaAt(t, h, "fleet.value").Description; got != fmt.Sprint(i+1) {
			t.Errorf("the %dth value is described as %q", i+1, got)
		}
	}
	fresh = 0
	for i := range 3 {
		got := run(t.Context(), h.Call("fleet.other.position", []byte(`"x"`)))
		if want := fmt.Sprintf(`data fleet.other.position "n%d for x at fleet.other.position"`, i+1); got[0] != want {
			t.Errorf("got %q, want %q", got[0], want)
		}
	}
}

// named is the same value whenever it is found by the same name.
type named struct {
	name    string
	defined *int
}

func (n named) Define() plugin.Definition {
	*n.defined++
	return plugin.Definition{Namespace: n.name, Dynamic: &plugin.Dynamic{Kind: "child", Find: n.find}}
}

func (n named) find(_ context.Context, name string) (plugin.Activation, error) {
	return named{name, n.defined}, nil
}

// TestDynamicChildrenAreNotKeptWithoutBound: a client that asks for ever new
// names fills no memory, at whatever level.
func TestDynamicChildrenAreNotKeptWithoutBound(t *testing.T) {
	const bound = 4096
	defined := 0
	h, _ := newHub(t, "H", named{"a", &defined})
	ask := func(path string, want int) {
		t.Helper()
		defined = 0
		if run(t.Context(), h.Call(path, nil)); defined != want {
			t.Errorf("%s: %d children were looked at, want %d", path, defined, want)
		}
	}
	ask("a.x.y.hash", 2)
	ask("a.x.y.hash", 0)
	for n := range bound - 2 {
		ask(fmt.Sprintf("a.x.n%d.hash", n), 1)
	}
	ask("a.x.y.hash", 0)
	ask("a.x.more.hash", 1)
	ask("a.x.y.hash", 2)
}

// TestDynamicCallsWhileTheyAreRemoved: a call of a dynamic child belongs to its
// parent's life, from the moment when the child is looked for.
func TestDynamicCallsWhileTheyAreRemoved(t *testing.T) {
	for _, test := range []struct {
		name string
		path string
		want []string
	}{
		{"while it runs", "fleet.runs.wait", []string{"error -32000 the activation was removed (recoverable)", "done"}},
		{"while it is looked for", "fleet.sought.wait", []string{"error -32000 the activation was removed (recoverable)", "done"}},
		{"and it ends by itself", "fleet.ends.wait", []string{`data fleet.ends.wait "ended"`, "done"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := newHub(t, "H", fleet(func(ctx context.Context, name string) (plugin.Activation, error) {
					if name == "sought" {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return &truck{name: name, method: func(ctx context.Context) (string, error) {
						if name == "ends" {
							time.Sleep(time.Second)
							return "ended", nil
						}
						<-ctx.Done()
						return "", ctx.Err()
					}}, nil
				}))
				got := during(t, h.Call(test.path, nil), func() { unregister(t, h, "fleet") })
				equal(t, got, test.want...)
			})
		})
	}
	h, _ := newHub(t, "H", fleet(func(context.Context, string) (plugin.Activation, error) { return &truck{name: "t1"}, nil }))
	call := h.Call("fleet.t1.position", []byte(`"x"`))
	unregister(t, h, "fleet")
	equal(t, run(t.Context(), call), "error -32601 Activation not found: fleet")
}

// TestQuestionsOfADynamicChild are put to the caller like others.
func TestQuestionsOfADynamicChild(t *testing.T) {
	h, _ := newHub(t, "H", fleet(func(_ context.Context, name string) (plugin.Activation, error) {
		return asker(sure, plugin.Bidirectional()), nil
	}))
	got := conversation(t.Context(), h.Call("fleet.any.m", nil), func(q plugin.Item) { respond(t.Context(), h, q.RequestID, yes) })
	equal(t, got, "request", `data fleet.any.m "true"`, "done")
}
