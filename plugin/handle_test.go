// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// registryID is what uuid5(OID, "registry@1") is on every machine, by Python's
// uuid.uuid5(uuid.NAMESPACE_OID, "registry@1").
const registryID = "c0732a74-d20d-5e45-b148-d74a066df313"

func TestPluginID(t *testing.T) {
	id := func(namespace, version string) string {
		return plugin.Definition{Namespace: namespace, Version: version}.Handle("").PluginID.String()
	}
	for _, version := range []string{"1", "1.0.0", "1.7.3-rc.1", "1."} {
		if got := id("registry", version); got != registryID {
			t.Errorf("version %s: %s, want %s", version, got, registryID)
		}
	}
	seen := map[string]string{}
	for _, of := range [][2]string{{"registry", "1.0.0"}, {"registry", "2.0.0"}, {"registry", "10.0.0"}, {"registry", ""}, {"Registry", "1.0.0"}, {"echo", "1.0.0"}} {
		got := id(of[0], of[1])
		if seen[got] != "" {
			t.Errorf("%v and %s have one id", of, seen[got])
		}
		seen[got] = of[0] + of[1]
	}
}

func TestHandleForms(t *testing.T) {
	d := plugin.Definition{Namespace: "registry", Version: "1.2.3"}
	for _, test := range []struct {
		handle     plugin.Handle
		text, json string
	}{
		{d.Handle("get"), registryID + "@1.2.3::get", `{"plugin_id":"` + registryID + `","version":"1.2.3","method":"get"}`},
		{d.Handle("get", "alpha"), registryID + "@1.2.3::get:alpha", `{"plugin_id":"` + registryID + `","version":"1.2.3","method":"get","meta":["alpha"]}`},
		{d.Handle("get", "a", "", "c"), registryID + "@1.2.3::get:a::c", `{"plugin_id":"` + registryID + `","version":"1.2.3","method":"get","meta":["a","","c"]}`},
	} {
		if got := test.handle.String(); got != test.text {
			t.Errorf("printed as %s, want %s", got, test.text)
		}
		parsed, err := plugin.ParseHandle(test.text)
		if err != nil || !reflect.DeepEqual(parsed, test.handle) {
			t.Errorf("%s is parsed as %+v, %v", test.text, parsed, err)
		}
		text, err := codec.AppendJSON(nil, test.handle)
		if err != nil || string(text) != test.json {
			t.Errorf("written as %s, %v, want %s", text, err, test.json)
		}
		var back plugin.Handle
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, test.handle) {
			t.Errorf("%s is read as %+v, %v", text, back, err)
		}
		if err := codec.DecodeJSON(text, &back); err != nil || !reflect.DeepEqual(back, test.handle) || back.Validate() != nil {
			t.Errorf("as a parameter: %+v, %v", back, err)
		}
		validates(t, plugin.Handle{}.JSONSchema(), test.json)
	}
}

// TestHandleWithoutAVersion: it is what hubs take an empty version for.
func TestHandleWithoutAVersion(t *testing.T) {
	got, want := plugin.Definition{Namespace: "a"}.Handle("get"), plugin.Definition{Namespace: "a", Version: "0.0.0"}.Handle("get")
	if !reflect.DeepEqual(got, want) || got.Validate() != nil {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestParseHandleRejects(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "expected <plugin id>@<version>::<method>"},
		{registryID, "expected <plugin id>@<version>::<method>"},
		{registryID + "::get", "expected <plugin id>@<version>::<method>"},
		{registryID + "@1.0.0:get", "expected <plugin id>@<version>::<method>"},
		{"registry@1.0.0::get", `"registry" is not a UUID`},
		{"{" + registryID + "}@1.0.0::get", "is not a UUID"},
		{strings.ReplaceAll(registryID, "-", "") + "@1.0.0::get", "is not a UUID"},
		{"urn:uuid:" + registryID + "@1.0.0::get", "is not a UUID"},
		{"00000000-0000-0000-0000-000000000000@1.0.0::get", "without the id of a plugin"},
		{registryID + "@::get", `version ""`},
		{registryID + "@1:0::get", `version "1:0"`},
		{registryID + "@1.0.0::", `method ""`},
		{registryID + "@1.0.0:::x", `method ""`},
		{strings.Repeat("x", 1000), "…"},
	} {
		_, err := plugin.ParseHandle(test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 300 {
			t.Errorf("%s: %v, want %s", test.text, err, test.want)
		}
	}
}

// FuzzParseHandle: what is accepted is printed as it was, but for the case of
// its UUID, and is then read as the same.
func FuzzParseHandle(f *testing.F) {
	for _, seed := range []string{"", "::", "@::", registryID + "@1.0.0::get", strings.ToUpper(registryID) + "@1::a:b", registryID + "@1@2::a::b:", registryID + "@\n::\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := plugin.ParseHandle(text)
		if err != nil {
			return
		}
		if err := h.Validate(); err != nil {
			t.Fatalf("accepted %q, but %v", text, err)
		}
		const uuid = len(registryID)
		printed := h.String()
		if want := strings.ToLower(text[:uuid]) + text[uuid:]; printed != want {
			t.Fatalf("%q is printed as %q", text, printed)
		}
		if again, err := plugin.ParseHandle(printed); err != nil || !reflect.DeepEqual(again, h) {
			t.Fatalf("%q is read as %+v, %v", printed, again, err)
		}
	})
}

func TestResolve(t *testing.T) {
	h := plugin.Definition{Namespace: "registry", Version: "1.0.0"}.Handle("get", "alpha")
	s := &scope{handle: greeting{"hello"}}
	if got, err := plugin.Resolve[greeting](s.in(t.Context()), h); err != nil || got.Text != "hello" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := plugin.Resolve[map[string]string](s.in(t.Context()), h); err != nil || got["text"] != "hello" {
		t.Errorf("as another type: %v, %v", got, err)
	}
	if _, err := plugin.Resolve[int](s.in(t.Context()), h); err == nil || !strings.Contains(err.Error(), h.String()) {
		t.Errorf("as one that it is not: %v", err)
	}
	s.handle = nil
	if _, err := plugin.Resolve[int](s.in(t.Context()), h); !errors.Is(err, plugin.ErrNoHandle) {
		t.Errorf("of no activation: %v", err)
	}
}
