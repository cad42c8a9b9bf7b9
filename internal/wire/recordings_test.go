// SPDX-License-Identifier: AGPL-3.0-only

package wire_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
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

// serve answers one request as a way in does, and returns the frames.
func serve(t *testing.T, h *hub.Hub, r wire.Request, subscription int64) []string {
	t.Helper()
	if r.Err != nil {
		return []string{string(wire.AppendError(nil, r.IDText, r.Err))}
	}
	target := wire.Resolve(h, r.Method)
	switch target.Action {
	case wire.Subscribe:
		call, fault := target.Bind(wire.Text(r.Params))
		if fault != nil {
			return []string{string(wire.AppendError(nil, r.IDText, fault))}
		}
		frames := []string{string(wire.AppendSubscription(nil, r.IDText, subscription))}
		for item := range call.Items(t.Context()) {
			frame, err := wire.AppendNotification(nil, target.Notify, subscription, item)
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, string(frame))
		}
		return frames
	case wire.Respond:
		if fault := target.Respond(t.Context(), wire.Text(r.Params)); fault != nil {
			return []string{string(wire.AppendError(nil, r.IDText, fault))}
		}
		return []string{string(wire.AppendResult(nil, r.IDText, []byte(`{"success":true}`)))}
	default:
		return []string{string(wire.AppendError(nil, r.IDText, wire.MethodNotFound))}
	}
}

func parsed(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return masked(v)
}

// masked replaces what differs on every run.
func masked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			switch key {
			case "subscription", "timestamp", "plexus_hash", "hash", "self_hash", "children_hash":
				v[key] = "*"
			case "value":
				if v["event"] == "hash" {
					v[key] = "*"
				}
			case "result":
				if _, ok := value.(float64); ok {
					v[key] = "*"
				}
			}
			masked(value)
		}
	case []any:
		for _, value := range v {
			masked(value)
		}
	}
	return v
}

func TestAnswersAreAsRecorded(t *testing.T) {
	h := newHub(t, "registry-hub", registry)
	for _, name := range []string{
		"malformed-json", "unknown-top-level", "respond", "info", "hub-hash", "call-hub-hash",
		"unknown-activation", "unknown-method", "method-without-dot", "register-missing", "direct-underscore",
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range testkit.Recordings(t, name) {
				m := wire.Parse([]byte(e.Sent), wire.MaxDepth)
				if m.Batch != nil {
					t.Errorf("%s: taken for a batch", e.Sent)
					continue
				}
				var got []any
				for _, frame := range serve(t, h, m.Request, 1) {
					got = append(got, parsed(t, []byte(frame)))
				}
				var want []any
				for _, frame := range e.Frames {
					want = append(want, parsed(t, frame))
				}
				if name == "direct-underscore" && len(want) > 1 {
					// The reference sends done twice, a mistake, and the
					// content is the registry's own.
					want = want[:1]
					if len(got) != 3 {
						t.Errorf("%s: %d frames", e.Sent, len(got))
						continue
					}
					got = got[:1]
				}
				if !reflect.DeepEqual(got, want) {
					g, _ := json.Marshal(got)
					w, _ := json.Marshal(want)
					t.Errorf("%s\n got %s\nwant %s", strings.TrimSpace(e.Sent), g, w)
				}
			}
		})
	}
}
