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
func recordedItems(t *testing.T, names ...string) (all []testkit.Item) {
	t.Helper()
	for _, e := range testkit.Recordings(t, names...) {
		items, _ := e.Items(t)
		all = append(all, items...)
	}
	return all
}

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
	for _, item := range recordedItems(t, "call-registry-schema") {
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

func TestRecordedContentsSatisfyTheSchema(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	for _, item := range recordedItems(t) {
		method, ours := strings.CutPrefix(item.ContentType, "registry.")
		if !ours || method == "schema" || method == "method_schema" {
			continue
		}
		found[method]++
		if err := served(method).validate("", item.Content); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	for _, method := range []string{"register", "list", "get", "update", "delete", "ping", "reload"} {
		if found[method] == 0 {
			t.Errorf("no item of %s is recorded", method)
		}
	}
}

// What clients were recorded to send, sent to ours: what is accepted satisfies
// the schema of the parameters, or the harness says so.
func TestRecordedCallsSatisfyTheSchema(t *testing.T) {
	t.Parallel()
	h := open(t)
	found := 0
	for _, e := range testkit.Recordings(t) {
		path, params := e.Request.Call()
		method, ours := strings.CutPrefix(path, "registry.")
		if !ours || served(method).returns == nil {
			continue
		}
		found++
		h.call(context.Background(), method, string(params))
	}
	if found < 50 {
		t.Errorf("only %d calls are recorded", found)
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
