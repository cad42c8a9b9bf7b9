// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// recordedItems are the items in the recordings of these names, or in all.
// The schema is the one that clients of the reference registry know, with
// additions only.
func TestSchemaHasWhatTheRecordedOneHas(t *testing.T) {
	t.Parallel()
	var got map[string]any
	if err := json.Unmarshal(servedSchema(), &got); err != nil {
		t.Fatal(err)
	}
	methods := map[string]any{"": got} // the recorded name of the whole is none
	for _, m := range got["methods"].([]any) {
		methods[m.(map[string]any)["name"].(string)] = m
	}
	found := map[string]bool{}
	var recorded []testkit.Item
	for _, e := range testkit.Recordings(t, "call-registry-schema") {
		items, _ := e.Items(t)
		recorded = append(recorded, items...)
	}
	for _, item := range recorded {
		if item.Type != "data" {
			continue
		}
		var least struct{ Name string }
		if err := json.Unmarshal(item.Content, &least); err != nil {
			t.Fatal(err)
		}
		found[least.Name] = true
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "recorded.json"), item.Content, 0o600); err != nil {
			t.Fatal(err)
		}
		matcher := testkit.Matcher{Dir: dir}
		method, err := json.Marshal(methods[least.Name])
		if err != nil {
			t.Fatal(err)
		}
		if err := matcher.Match(json.RawMessage(`"$superset recorded.json"`), method); err != nil {
			t.Errorf("schema of %q: %v", least.Name, err)
		}
	}
	if !found[""] || len(found) < 2 {
		t.Errorf("recorded are the schemas of %v", found)
	}
}

// What is optional may be null, and what a client must give is what it always
// had to: an addition that is required would break every client.
func TestSchemaRequiresNothingNew(t *testing.T) {
	t.Parallel()
	required := map[string][]string{
		"register":   {"name", "host", "port"},
		"list":       nil,
		"get":        {"name"},
		"update":     {"name"},
		"delete":     {"name"},
		"ping":       {"name"},
		"reload":     nil,
		"deregister": {"name"},
	}
	var schema struct {
		Methods []struct {
			Name   string
			Params *struct {
				Required   []string
				Properties map[string]struct {
					Type    any
					Default json.RawMessage
				}
			}
		}
	}
	if err := json.Unmarshal(servedSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	for _, m := range schema.Methods {
		if m.Params == nil {
			continue
		}
		if want, known := required[m.Name]; known {
			same(t, m.Name+" requires", m.Params.Required, want)
		}
		for name, property := range m.Params.Properties {
			types, _ := property.Type.([]any)
			nullable := slices.Contains(types, any("null")) && string(property.Default) == "null"
			if nullable == slices.Contains(m.Params.Required, name) {
				t.Errorf("%s: %s is of type %v, default %s", m.Name, name, property.Type, property.Default)
			}
		}
	}
}

// The contents are those of the other program; the calls are made here, which checks
// their parameters and our contents.
func TestRecordingsSatisfyTheSchema(t *testing.T) {
	t.Parallel()
	h := open(t)
	calls, contents := 0, map[string]int{}
	for _, e := range testkit.Recordings(t) {
		items, _ := e.Items(t)
		for _, item := range items {
			method, ours := strings.CutPrefix(item.ContentType, "registry.")
			if !ours || served(method).returns == nil {
				continue
			}
			contents[method]++
			if err := served(method).validate("", item.Content); err != nil {
				t.Errorf("%s: %v", method, err)
			}
		}
		path, params := e.Request.Call()
		if method, ours := strings.CutPrefix(path, "registry."); ours && served(method).returns != nil {
			calls++
			h.call(context.Background(), method, string(params))
		}
	}
	for _, method := range []string{"register", "list", "get", "update", "delete", "ping", "reload"} {
		if contents[method] == 0 {
			t.Errorf("no item of %s is recorded", method)
		}
	}
	if calls < 50 {
		t.Errorf("only %d calls are recorded", calls)
	}
}

// FuzzRegister sends any parameters. What is accepted satisfies the schema and
// can be got and deleted; what is refused is not there.
func FuzzRegister(f *testing.F) {
	for _, c := range registerChecks {
		f.Add(`{"` + c.parameter + `":` + c.value + `,"name":"n","host":"h","port":1}`)
		f.Add(object("name", "n", "host", "h", "port", 1, c.parameter, json.RawMessage(`null`)))
	}
	f.Add(fullRegistration)
	f.Add(`["n","h",1]`)
	shared := open(f)
	f.Fuzz(func(t *testing.T, params string) {
		h := *shared
		h.t = t
		a := h.call(context.Background(), "register", params)
		if a.refused != nil {
			same(t, "after a refusal", h.names(`{"active_only": false}`), []string{})
			return
		}
		registered := decode(t, a.content).Backend
		same(t, "got", h.get(registered.Name), *registered)
		h.do("delete", object("name", registered.Name))
	})
}
