// SPDX-License-Identifier: AGPL-3.0-only

package wire_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

type registerParams struct {
	Name     string  `json:"name"`
	Host     string  `json:"host"`
	Port     uint16  `json:"port"`
	Protocol *string `json:"protocol"`
}

type nameParams struct {
	Name string `json:"name"`
}

type listParams struct {
	ActiveOnly *bool `json:"active_only"`
}

func method[In any](name string) plugin.Method {
	return plugin.Unary(name, "", func(context.Context, In) (string, error) { return name + " was called", nil })
}

// registry has the methods of the recorded registry, and their parameters.
var registry = plugin.Definition{Namespace: "registry", Version: "1.0.0", Methods: []plugin.Method{
	method[registerParams]("register"), method[listParams]("list"), method[nameParams]("get"),
	method[nameParams]("delete"), method[nameParams]("ping"), method[plugin.None]("reload"),
}}

func newHub(t testing.TB, namespace string, activations ...plugin.Activation) *hub.Hub {
	t.Helper()
	h, err := hub.New(namespace)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range activations {
		if err := h.Register(a); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// echoing makes an activation whose methods answer with their own path.
func echoing(namespace string, methods ...string) plugin.Definition {
	d := plugin.Definition{Namespace: namespace}
	for _, name := range methods {
		d.Methods = append(d.Methods, plugin.Unary(name, "", func(context.Context, plugin.None) (string, error) {
			return namespace + "." + name, nil
		}))
	}
	return d
}

// reached runs the call of a target and returns the content type of its first
// item.
func reached(t *testing.T, target wire.Target, params string) string {
	t.Helper()
	call, err := target.Route.Bind([]byte(params))
	if err != nil {
		return worded(wire.ErrorOf(err))
	}
	for item := range call.Items(t.Context()) {
		if item.Kind != plugin.KindData {
			return item.Message
		}
		return item.ContentType
	}
	return ""
}

func TestResolve(t *testing.T) {
	h := newHub(t, "reg-hub",
		echoing("registry", "get", "get_all", "unsubscribe", "x_unsub"), echoing("a_b", "c_d", "c"), echoing("a", "x_y"), echoing("call", "me"))
	const call, respond = "subscribe as ", "respond"
	for _, test := range []struct {
		name    string
		want    string // the action, and the name of the notifications
		reached string // for a stream
	}{
		{"_info", call + "result", "_info"},
		{"reg-hub.call", call + "reg-hub.call", "registry.get"},
		{"reg-hub.schema", call + "result", "reg-hub.schema"},
		{"reg-hub.hash", call + "result", "reg-hub.hash"},
		{"reg-hub.hashes", call + "result", "reg-hub.hashes"},
		{"reg-hub.respond", respond, ""},

		{"registry_get", call + "registry_get", "registry.get"},
		{"registry_get_all", call + "registry_get_all", "registry.get_all"},
		{"a_b_c_d", call + "a_b_c_d", "a_b.c_d"},
		{"a_b_c", call + "a_b_c", "a_b.c"},
		{"a_x_y", call + "a_x_y", "a.x_y"},
		{"call_me", call + "call_me", "call.me"},
		{"registry_unsubscribe", call + "registry_unsubscribe", "registry.unsubscribe"},
		{"registry_x_unsub", call + "registry_x_unsub", "registry.x_unsub"},

		{"registry.get", call + "registry.get", "registry.get"},
		{"registry.get_all", call + "registry.get_all", "registry.get_all"},
		{"registry.schema", call + "registry.schema", "registry.schema"},
		{"registry.hash", call + "registry.hash", "registry.hash"},
		{"registry.get.schema", call + "registry.get.schema", "registry.method_schema"},
		{"a_b.c_d", call + "a_b.c_d", "a_b.c_d"},

		{"_info_unsub", "unsubscribe", ""},
		{"reg-hub.call_unsub", "unsubscribe", ""},
		{"reg-hub.schema_unsub", "unsubscribe", ""},
		{"reg-hub.hash_unsub", "unsubscribe", ""},
		{"reg-hub.hashes_unsub", "unsubscribe", ""},
		{"registry_get_unsub", "unsubscribe", ""},
		{"registry.get_unsub", "unsubscribe", ""},
		{"registry_x_unsub_unsub", "unsubscribe", ""},
		{"registry_unsubscribe_get", "unsubscribe", ""},
		{"registry_unsubscribe_get_all", "unsubscribe", ""},
		{"registry_unsubscribe_unsubscribe", "unsubscribe", ""},
		{"a_b_unsubscribe_c_d", "unsubscribe", ""},
		{"a_unsubscribe_x_y", "unsubscribe", ""},

		{"", "unknown", ""},
		{"nope", "unknown", ""},
		{"nope.x", "unknown", ""},
		{"reg-hub", "unknown", ""},
		{"reg-hub.", "unknown", ""},
		{"reg-hub.nope", "unknown", ""},
		{"reg-hub.respond_unsub", "unknown", ""},
		{"reg-hub.registry.get", "unknown", ""},
		{"reg-hub_call", "unknown", ""},
		{"Reg-hub.call", "unknown", ""},
		{"plexus.call", "unknown", ""},
		{"info", "unknown", ""},
		{"_info_", "unknown", ""},
		{"_unsub", "unknown", ""},
		{"nope_unsub", "unknown", ""},
		{"registry_get_unsub_unsub", "unknown", ""},
		{"registry", "unknown", ""},
		{"registry_", "unknown", ""},
		{"_registry_get", "unknown", ""},
		{"registry_nope", "unknown", ""},
		{"registry_GET", "unknown", ""},
		{"registry_schema", "unknown", ""},
		{"registry_hash", "unknown", ""},
		{"registry_get.schema", "unknown", ""},
		{"registry_unsubscribe_nope", "unknown", ""},
		{"registry_unsubscribe_schema", "unknown", ""},
		{"registry_unsubscribeget", "unknown", ""},
		{"unsubscribe_get", "unknown", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := wire.Resolve(h, test.name)
			got := map[wire.Action]string{
				wire.Subscribe: call + target.Notify, wire.Unsubscribe: "unsubscribe", wire.Respond: respond, wire.Unknown: "unknown",
			}[target.Action]
			if got != test.want {
				t.Fatalf("%s, want %s", got, test.want)
			}
			if target.Action == wire.Subscribe {
				params := ""
				if test.name == "reg-hub.call" {
					params = `{"method":"registry.get"}`
				}
				if got := reached(t, target, params); got != test.reached {
					t.Errorf("reached %q, want %q", got, test.reached)
				}
			}
		})
	}
}

func TestResolveFollowsRegistrations(t *testing.T) {
	h := newHub(t, "H")
	if got := wire.Resolve(h, "a_m").Action; got != wire.Unknown {
		t.Errorf("action %d before it is there", got)
	}
	if err := h.Register(echoing("a", "m")); err != nil {
		t.Fatal(err)
	}
	if got := wire.Resolve(h, "a_m").Action; got != wire.Subscribe {
		t.Errorf("action %d when it is there", got)
	}
	if err := h.Unregister("a"); err != nil {
		t.Fatal(err)
	}
	if got := wire.Resolve(h, "a_m").Action; got != wire.Unknown {
		t.Errorf("action %d when it has gone", got)
	}
}

// checked panics for one name.
type checked struct {
	Name string `json:"name"`
}

func (c *checked) Validate() error {
	switch c.Name {
	case "panic":
		panic(c.Name)
	case "bad":
		return fmt.Errorf("name %q is bad", c.Name)
	}
	return nil
}

// TestBindFaults states which faults of a call are its answer, and which are
// items of its stream.
func TestBindFaults(t *testing.T) {
	h := newHub(t, "H", registry, plugin.Definition{Namespace: "a", Methods: []plugin.Method{method[checked]("m")}})
	for _, test := range []struct {
		method, params string
		code           int // of the fault; 0 for an item of the stream
		want           string
	}{
		{"registry_get", `{}`, -32602, "Invalid params: missing field `name` at line 1 column 2"},
		{"registry.get", `[]`, -32602, "Invalid params: No more params"},
		{"registry_register", `["direct2","h",70000]`, -32602, "Invalid params: port: invalid value: integer `70000`, expected u16 at line 1 column 5"},
		{"a_m", `"bad"`, -32602, `Invalid params: name "bad" is bad at line 1 column 5`},
		{"a_m", `"panic"`, -32603, "Internal error"},
		{"H.schema", `{"method":5}`, -32602, "Invalid params: method: invalid type: integer `5`, expected a string at line 1 column 11"},
		{"H.call", `{}`, -32602, "Invalid params: missing field `method` at line 1 column 2"},
		{"H.call", ``, -32602, "Invalid params: invalid type: null, expected struct CallParams at line 1 column 4"},
		{"H.call", `{"method":5}`, -32602, "Invalid params: method: invalid type: integer `5`, expected a string at line 1 column 11"},
		{"H.call", `{"method":"registry.get"}`, 0, "Invalid params: name: invalid type: null, expected a string"},
		{"H.call", `{"method":"registry.get","params":{}}`, 0, "Invalid params: missing field: name"},
		{"H.call", `{"method":"a.m","params":"panic"}`, 0, "a.m failed"},
		{"H.call", `{"method":"x"}`, 0, "Invalid params: Invalid method format: x"},
	} {
		target := wire.Resolve(h, test.method)
		_, err := target.Route.Bind([]byte(test.params))
		switch fault := wire.ErrorOf(err); {
		case test.code == 0 && fault != nil:
			t.Errorf("%s %s: answered with %v, not in its stream", test.method, test.params, fault)
		case test.code != 0 && (fault == nil || int(fault.Code) != test.code):
			t.Errorf("%s %s: %v, want the code %d", test.method, test.params, fault, test.code)
		}
		if got := reached(t, target, test.params); got != test.want {
			t.Errorf("%s %s: %s\nwant %s", test.method, test.params, got, test.want)
		}
	}
}
