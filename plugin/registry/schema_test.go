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

// TestSchemaSaysWhatIsAccepted: each value on either side of a rule that JSON
// Schema can express satisfies the schema if, and only if, it is accepted. A
// protocol in capitals is accepted beside those that are listed.
func TestSchemaSaysWhatIsAccepted(t *testing.T) {
	t.Parallel()
	for method, cases := range map[string]map[string][2][]string{ // what satisfies it, and what does not
		"register": {
			"name":        {{`"a"`, quoted(ofLength(255))}, {`""`, quoted(ofLength(256)), `null`}},
			"host":        {{`"a"`}, {`""`, quoted(ofLength(256))}},
			"port":        {{`1`, `65535`}, {`0`, `65536`, `-1`, `1.5`, `"1"`, `null`}},
			"protocol":    {{`"ws"`, `"wss"`, `null`}, {`"http"`, `""`, `true`}},
			"description": {{`""`, quoted(ofLength(4096)), `null`}, {quoted(ofLength(4097)), `1`}},
			"namespace":   {{quoted(ofLength(255)), `null`}, {quoted(ofLength(256))}},
			"version":     {{quoted(ofLength(255)), `null`}, {quoted(ofLength(256))}},
			"metadata":    {{`{}`, `"{}"`, `null`}, {`[]`, `1`}},
			"source":      {{`"auto"`, `"manual"`, `null`}, {`"file"`, `""`}},
			"ttl_seconds": {{`5`, `86400`, `null`}, {`4`, `86401`, `-1`}},
		},
		"update": {
			"host":        {{`"a"`, `null`}, {`""`}},
			"port":        {{`1`, `65535`, `null`}, {`0`, `65536`}},
			"protocol":    {{`"ws"`, `null`}, {`"http"`}},
			"description": {{`null`}, {quoted(ofLength(4097))}},
			"namespace":   {{`null`}, {quoted(ofLength(256))}},
		},
		"list": {
			"source": {{`"auto"`, `"file"`, `"manual"`, `"env"`, `null`}, {`"x"`, `""`}},
			"limit":  {{`1`, `null`}, {`0`, `-1`}},
		},
		"watch": {
			"name":      {{quoted(ofLength(4096)), `null`}, {quoted(ofLength(4097))}},
			"namespace": {{quoted(ofLength(4096)), `null`}, {quoted(ofLength(4097))}},
			"history":   {{quoted(ofLength(4096)), `null`}, {quoted(ofLength(4097))}},
		},
	} {
		for name, values := range cases {
			for i, list := range values {
				for _, value := range list {
					params := `{"name":"a","host":"h","port":1,"` + name + `":` + value + `}`
					switch name {
					case "name", "host", "port":
						params = strings.Replace(params, map[string]string{"name": `"name":"a",`, "host": `"host":"h",`, "port": `"port":1,`}[name], "", 1)
					}
					if err := served(method).params.Validate(instance([]byte(params))); (err == nil) != (i == 0) {
						t.Errorf("%s: %s %.40s: %v", method, name, value, err)
					}
				}
			}
		}
	}
}

// TestTypesHaveNames: generators name types by titles and by $defs, and number
// what has neither, or has the name of another.
func TestTypesHaveNames(t *testing.T) {
	t.Parallel()
	var schema struct {
		Methods []struct {
			Name    string
			Returns json.RawMessage
		}
	}
	if err := json.Unmarshal(servedSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	for _, m := range schema.Methods {
		titles := map[any]bool{}
		var walk func(v any)
		walk = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, element := range v {
					walk(element)
				}
			case map[string]any:
				choices, _ := v["oneOf"].([]any)
				for _, choice := range choices {
					title, _ := choice.(map[string]any)["title"].(string)
					if title == "" || titles[title] {
						t.Errorf("%s: title %q of %v", m.Name, title, choice)
					}
					titles[title] = true
				}
				for _, value := range v {
					walk(value)
				}
			}
		}
		if m.Returns != nil {
			walk(instance(m.Returns))
		}
		if m.Name == "get" && (!titles["RegistryEvent backend_registered"] || !titles["BackendSource auto"]) {
			t.Errorf("the titles of %s: %v", m.Name, titles)
		}
	}
}

// TestDescriptionsOfParametersHelp: none only repeats the name.
func TestDescriptionsOfParametersHelp(t *testing.T) {
	t.Parallel()
	for name, method := range servedMethods() {
		if method.Params == nil {
			continue
		}
		for parameter, schema := range method.Params.Properties {
			if d := schema.Description; len(strings.Fields(d)) < 2 || strings.HasSuffix(d, parameter+" parameter") {
				t.Errorf("%s: %s is described as %q", name, parameter, d)
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
