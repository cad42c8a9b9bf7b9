// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/transcript"
)

const recordings = "../../testdata/wire/"

// recordedFrame is a line of a recording, as far as it concerns a registry.
type recordedFrame struct {
	Dir   string          `json:"dir"`
	Frame json.RawMessage `json:"frame"`
}

// recorded reads every frame of the recordings that match pattern.
func recorded(t *testing.T, pattern string) []recordedFrame {
	t.Helper()
	paths, err := filepath.Glob(recordings + pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings %s: %v", pattern, err)
	}
	var frames []recordedFrame
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var f recordedFrame
			if err := json.Unmarshal(line, &f); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			frames = append(frames, f)
		}
	}
	return frames
}

// recordedItem is an item in a frame that was received.
type recordedItem struct {
	Type        string          `json:"type"`
	ContentType string          `json:"content_type"`
	Content     json.RawMessage `json:"content"`
}

func (f recordedFrame) item() recordedItem {
	var frame struct {
		Params struct {
			Result recordedItem `json:"result"`
		} `json:"params"`
	}
	if f.Dir != "recv" || json.Unmarshal(f.Frame, &frame) != nil {
		return recordedItem{}
	}
	return frame.Params.Result
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
	for _, f := range recorded(t, "call-registry-schema.jsonl") {
		item := f.item()
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
		matcher := transcript.Matcher{Dir: dir}
		if err := matcher.Match("$superset recorded.json", methods[least.Name]); err != nil {
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
	for _, f := range recorded(t, "*.jsonl") {
		item := f.item()
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
	for _, f := range recorded(t, "*.jsonl") {
		var frame struct {
			Params struct {
				Method string          `json:"method"`
				Params json.RawMessage `json:"params"`
			} `json:"params"`
		}
		if f.Dir != "send" || json.Unmarshal(f.Frame, &frame) != nil {
			continue
		}
		method, ours := strings.CutPrefix(frame.Params.Method, "registry.")
		if !ours || served(method).returns == nil {
			continue
		}
		found++
		h.call(context.Background(), method, string(frame.Params.Params))
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
