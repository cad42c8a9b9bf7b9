// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

type shape struct {
	plugin.Union `discriminator:"kind" title:"Shape" description:"What can be drawn"`
	Circle       *circle `tag:"circle" description:"Round"`
	Group        *group  `tag:"group" description:"Several"`
	Empty        *nought `tag:"empty \"one\""`
}

type circle struct {
	Radius float64 `json:"radius"`
}

type group struct {
	Members []shape           `json:"members"`
	ByName  map[string]*shape `json:"by_name,omitempty"`
}

type nought struct{}

func TestUnionRoundTrip(t *testing.T) {
	for _, test := range []struct {
		name string
		in   shape
		want string
	}{
		{"a variant with fields", shape{Circle: &circle{2}}, `{"kind":"circle","radius":2}`},
		{"a variant without fields, and a tag to be quoted", shape{Empty: &nought{}}, `{"kind":"empty \"one\""}`},
		{"unions within", shape{Group: &group{Members: []shape{{Circle: &circle{1}}, {Group: &group{Members: []shape{}}}}}},
			`{"kind":"group","members":[{"kind":"circle","radius":1},{"kind":"group","members":[]}]}`},
		{"unions in a map, in one order", shape{Group: &group{Members: []shape{}, ByName: map[string]*shape{"b": {Circle: &circle{2}}, "a": {Circle: &circle{1}}}}},
			`{"kind":"group","members":[],"by_name":{"a":{"kind":"circle","radius":1},"b":{"kind":"circle","radius":2}}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for what, content := range map[string]any{"value": test.in, "pointer": &test.in} {
				got, err := codec.AppendJSON(nil, content)
				if err != nil || string(got) != test.want {
					t.Fatalf("a %s is written as\n%s, %v, want\n%s", what, got, err, test.want)
				}
			}
			back, err := bindAs[struct{ S shape }](`{"S":`+test.want+`}`, false)
			if err != nil || !reflect.DeepEqual(back.S, test.in) {
				t.Errorf("read as %+v, %v, want %+v", back.S, err, test.in)
			}
		})
	}
}

// TestUnionThatContainsItself: it is an error, as for any other content. It must
// not end the process, as the overflow of a stack does.
func TestUnionThatContainsItself(t *testing.T) {
	loop := shape{Group: &group{Members: make([]shape, 1)}}
	loop.Group.Members[0] = loop
	byName := shape{Group: &group{ByName: map[string]*shape{}}}
	byName.Group.ByName["a"] = &byName
	for _, content := range []any{loop, &byName} {
		if got, err := codec.AppendJSON(nil, content); err == nil || len(got) > 0 || !strings.Contains(err.Error(), "cycle") {
			t.Errorf("got %d bytes, %v, want an error about the cycle", len(got), err)
		}
	}
}

func TestUnionReadsTheDiscriminatorAnywhere(t *testing.T) {
	got, err := bindAs[struct{ S *shape }](`{"S":{"radius":3,"other":1,"kin\u0064":"circle"}}`, false)
	if err != nil || got.S == nil || got.S.Circle == nil || got.S.Circle.Radius != 3 {
		t.Errorf("%+v, %v", got.S, err)
	}
}

func TestUnionRejectsUnknownVariants(t *testing.T) {
	for raw, want := range map[string]string{
		`{"kind":"square"}`:                   "S.kind: unknown variant `square`, expected one of `circle`, `group`, `empty \"one\"`",
		`{"radius":3}`:                        "S: missing field `kind`",
		`{"kind":5}`:                          "S.kind: invalid type: integer `5`, expected a string",
		`{"kind":null}`:                       "S.kind: invalid type: null, expected a string",
		`5`:                                   "S: invalid type: integer `5`, expected shape",
		`[]`:                                  "S: invalid type: sequence, expected shape",
		`{"kind":"circle","radius":true}`:     "S.radius: invalid type: boolean `true`, expected f64",
		`{"kind":"group","members":[{}]}`:     "S.members[0]: missing field `kind`",
		`{"kind":"group","members":["a"]}`:    "S.members[0]: invalid type: string \"a\", expected shape",
		`{"kind":"Circle"}`:                   "S.kind: unknown variant `Circle`, expected one of `circle`, `group`, `empty \"one\"`",
		`{"kind":"group","by_name":{"a":[]}}`: "S.by_name.a: invalid type: sequence, expected shape",
	} {
		_, err := bindAs[struct{ S shape }](`{"S":`+raw+`}`, false)
		if err == nil || err.Error() != "Invalid params: "+want {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
}

func TestUnionNeedsExactlyOneVariant(t *testing.T) {
	for want, content := range map[string]any{
		"no variant is set": shape{},
		"both set":          shape{Circle: &circle{}, Empty: &nought{}},
	} {
		got, err := codec.AppendJSON([]byte("before"), content)
		if err == nil || !strings.Contains(err.Error(), want) || string(got) != "before" {
			t.Errorf("written as %s, error %v, want %q", got, err, want)
		}
	}
}

func TestUnionPointerThatIsNilIsNull(t *testing.T) {
	got, err := codec.AppendJSON(nil, struct {
		S *shape `json:"s"`
	}{})
	if err != nil || string(got) != `{"s":null}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestUnionSchemaIsAOneOfWithConstTags(t *testing.T) {
	body := `"title": "Shape", "description": "What can be drawn", "oneOf": [
		{"type":"object","title":"Shape circle","description":"Round","required":["kind","radius"],"properties":{
			"kind":{"type":"string","const":"circle"},"radius":{"type":"number","format":"double"}}},
		{"type":"object","title":"Shape group","description":"Several","required":["kind","members"],"properties":{
			"kind":{"type":"string","const":"group"},
			"members":{"type":"array","items":{"$ref":"#/$defs/shape"}},
			"by_name":{"type":["object","null"],"additionalProperties":{"anyOf":[{"$ref":"#/$defs/shape"},{"type":"null"}]}}}},
		{"type":"object","title":"Shape empty \"one\"","required":["kind"],"properties":{"kind":{"type":"string","const":"empty \"one\""}}}
	]`
	checkSchema(t, resultOf[shape](), `{"$schema":"https://json-schema.org/draft/2020-12/schema",`+body+`,"$defs":{"shape":{`+body+`}}}`)
}

// checkSchema compares a schema with JSON text, whatever the order of members.
func checkSchema(t *testing.T, got any, want string) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var g, w any
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("the wanted schema: %v", err)
	}
	if !reflect.DeepEqual(g, w) {
		gi, _ := json.MarshalIndent(g, "", " ")
		wi, _ := json.MarshalIndent(w, "", " ")
		t.Errorf("got\n%s\nwant\n%s", gi, wi)
	}
}
