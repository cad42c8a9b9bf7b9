// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/plexus-go/plexus/plugin"
)

// object is a type that gives its own schema and JSON.
type object json.RawMessage

func (object) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"type":"object","description":"Any object"}`)
}

func (o *object) UnmarshalJSON(text []byte) error {
	if text[0] != '{' {
		return &json.UnmarshalTypeError{}
	}
	*o = append(object(nil), text...)
	return nil
}

func (o object) MarshalJSON() ([]byte, error) { return o, nil }

// level is an enumeration with descriptions.
type level string

func (level) Enum() []plugin.Choice {
	return []plugin.Choice{{Value: "low", Description: "Not much"}, {Value: "high"}}
}

// tree contains itself.
type tree struct {
	_        struct{} `title:"Tree" description:"A tree"`
	Value    int64    `json:"value"`
	Left     *tree    `json:"left"`
	Children []tree   `json:"children"`
}

type Inner struct {
	_ struct{} `description:"What is inside"`
	A string   `json:"a" description:"An a"`
}

type label string

type labels []label

func unary[In, Out any](name, description string) plugin.MethodSchema {
	return plugin.Unary(name, description, func(context.Context, In) (Out, error) {
		var none Out
		return none, nil
	}).Schema()
}

func resultOf[Out any]() *jsonschema.Schema {
	return parsed(unary[plugin.None, Out]("m", "").Returns)
}

// parsed reads a schema; nil for none.
func parsed(text json.RawMessage) (s *jsonschema.Schema) {
	if text == nil {
		return nil
	}
	if err := json.Unmarshal(text, &s); err != nil {
		panic(err)
	}
	return s
}

// TestSchemaOfAType states the schema of a field of each type, where it is
// required and where it is optional.
func TestSchemaOfAType(t *testing.T) {
	type bytes []byte
	for _, test := range []struct {
		name     string
		required *jsonschema.Schema
		optional *jsonschema.Schema
		want     [2]string
	}{
		{"string", field[string](), field[*string](), [2]string{`{"type":"string"}`, `{"type":["string","null"]}`}},
		{"bool", field[bool](), field[*bool](), [2]string{`{"type":"boolean"}`, `{"type":["boolean","null"]}`}},
		{"int", field[int](), field[*int](), [2]string{`{"type":"integer","format":"int64"}`, `{"type":["integer","null"],"format":"int64"}`}},
		{"int8", field[int8](), field[*int8](), [2]string{`{"type":"integer","format":"int8","minimum":-128,"maximum":127}`, `{"type":["integer","null"],"format":"int8","minimum":-128,"maximum":127}`}},
		{"int16", field[int16](), field[*int16](), [2]string{`{"type":"integer","format":"int16","minimum":-32768,"maximum":32767}`, `{"type":["integer","null"],"format":"int16","minimum":-32768,"maximum":32767}`}},
		{"int32", field[int32](), field[*int32](), [2]string{`{"type":"integer","format":"int32","minimum":-2147483648,"maximum":2147483647}`, `{"type":["integer","null"],"format":"int32","minimum":-2147483648,"maximum":2147483647}`}},
		{"int64", field[int64](), field[*int64](), [2]string{`{"type":"integer","format":"int64"}`, `{"type":["integer","null"],"format":"int64"}`}},
		{"uint", field[uint](), field[*uint](), [2]string{`{"type":"integer","format":"uint","minimum":0}`, `{"type":["integer","null"],"format":"uint","minimum":0}`}},
		{"uint8", field[uint8](), field[*uint8](), [2]string{`{"type":"integer","format":"uint8","minimum":0,"maximum":255}`, `{"type":["integer","null"],"format":"uint8","minimum":0,"maximum":255}`}},
		{"uint16", field[uint16](), field[*uint16](), [2]string{`{"type":"integer","format":"uint16","minimum":0,"maximum":65535}`, `{"type":["integer","null"],"format":"uint16","minimum":0,"maximum":65535}`}},
		{"uint32", field[uint32](), field[*uint32](), [2]string{`{"type":"integer","format":"uint32","minimum":0,"maximum":4294967295}`, `{"type":["integer","null"],"format":"uint32","minimum":0,"maximum":4294967295}`}},
		{"uint64", field[uint64](), field[*uint64](), [2]string{`{"type":"integer","format":"uint64","minimum":0}`, `{"type":["integer","null"],"format":"uint64","minimum":0}`}},
		{"float32", field[float32](), field[*float32](), [2]string{`{"type":"number","format":"float"}`, `{"type":["number","null"],"format":"float"}`}},
		{"float64", field[float64](), field[*float64](), [2]string{`{"type":"number","format":"double"}`, `{"type":["number","null"],"format":"double"}`}},
		{"time", field[time.Time](), field[*time.Time](), [2]string{`{"type":"string","format":"date-time"}`, `{"type":["string","null"],"format":"date-time"}`}},
		{"text of its own", field[netip.Addr](), field[*netip.Addr](), [2]string{`{"type":"string"}`, `{"type":["string","null"]}`}},
		{"bytes", field[[]byte](), field[*[]byte](), [2]string{`{"type":"string","contentEncoding":"base64"}`, `{"type":["string","null"],"contentEncoding":"base64"}`}},
		{"named bytes", field[bytes](), field[*[4]byte](), [2]string{`{"type":"string","contentEncoding":"base64"}`, `{"type":["string","null"],"contentEncoding":"base64"}`}},
		{"any", field[any](), field[*any](), [2]string{`true`, `true`}},
		{"raw JSON", field[json.RawMessage](), field[*jsontext.Value](), [2]string{`true`, `true`}},
		{"named string", field[label](), field[*label](), [2]string{`{"type":"string"}`, `{"type":["string","null"]}`}},
		{"named list", field[labels](), field[*labels](), [2]string{`{"type":"array","items":{"type":"string"}}`, `{"type":["array","null"],"items":{"type":"string"}}`}},
		{"list", field[[]string](), field[*[]string](), [2]string{`{"type":"array","items":{"type":"string"}}`, `{"type":["array","null"],"items":{"type":"string"}}`}},
		{"array", field[[2]bool](), field[*[2]bool](), [2]string{`{"type":"array","items":{"type":"boolean"}}`, `{"type":["array","null"],"items":{"type":"boolean"}}`}},
		{"list of pointers", field[[]*int16](), field[[]*Inner](), [2]string{`{"type":"array","items":{"type":"integer","format":"int16","minimum":-32768,"maximum":32767}}`, `{"type":"array","items":{"$ref":"#/$defs/Inner"}}`}},
		{"map", field[map[string]bool](), field[*map[label]bool](), [2]string{`{"type":"object","additionalProperties":{"type":"boolean"}}`, `{"type":["object","null"],"additionalProperties":{"type":"boolean"}}`}},
		{"struct", field[Inner](), field[*Inner](), [2]string{`{"$ref":"#/$defs/Inner"}`, `{"anyOf":[{"$ref":"#/$defs/Inner"},{"type":"null"}]}`}},
		{"enumeration", field[level](), field[*level](), [2]string{`{"$ref":"#/$defs/level"}`, `{"anyOf":[{"$ref":"#/$defs/level"},{"type":"null"}]}`}},
		{"union", field[shape](), field[*shape](), [2]string{`{"$ref":"#/$defs/shape"}`, `{"anyOf":[{"$ref":"#/$defs/shape"},{"type":"null"}]}`}},
		{"schema of its own", field[object](), field[*object](), [2]string{`{"type":"object"}`, `{"type":["object","null"]}`}},
		{"a duration", field[time.Duration](), field[*time.Duration](), [2]string{`{"type":"string","format":"duration"}`, `{"type":["string","null"],"format":"duration"}`}},
		{"constants of its own", field[fixed](), field[*fixed](), [2]string{`{"type":"string","enum":["a","b"]}`, `{"anyOf":[{"type":"string","enum":["a","b"]},{"type":"null"}]}`}},
		{"alternatives of its own", field[either](), field[*either](), [2]string{`{"anyOf":[{"type":"string"},{"type":"integer"}]}`, `{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkSchema(t, test.required, test.want[0])
			checkSchema(t, test.optional, test.want[1])
		})
	}
}

// fixed gives a schema that null must be added to beside it.
type fixed string

func (fixed) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"type":"string","enum":["a","b"]}`)
}

// either gives a schema that null must be added to within.
type either string

func (either) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"anyOf":[{"type":"string"},{"type":"integer"}]}`)
}

// field returns the schema of a field of type T in a result.
func field[T any]() *jsonschema.Schema {
	return resultOf[struct {
		F T `json:"f"`
	}]().Properties["f"]
}

func TestSchemaOfParameters(t *testing.T) {
	type Base struct {
		Limit uint8 `json:"limit,omitzero" default:"10" description:"At most"`
	}
	type params struct {
		_      struct{} `title:"Search" description:"How to search"`
		Text   string   `json:"text" description:"What for"`
		Level  *level   `json:"level" description:"How much"`
		Tags   []string `json:"tags,omitempty"`
		Inner  Inner    `json:"inner"`
		Source *source  `json:"source" default:"\"auto\""`
		Base
		unexported int
		Hidden     int `json:"-"`
		Untagged   bool
	}
	_ = params{}.unexported
	checkSchema(t, methodOf[params]().Schema().Params, `{
		"type": "object", "title": "Search", "description": "How to search",
		"required": ["text", "inner", "Untagged"],
		"properties": {
			"text": {"type":"string","description":"What for"},
			"level": {"anyOf":[{"$ref":"#/$defs/level"},{"type":"null"}],"default":null,"description":"How much"},
			"tags": {"type":["array","null"],"items":{"type":"string"},"default":null},
			"inner": {"$ref":"#/$defs/Inner"},
			"source": {"anyOf":[{"$ref":"#/$defs/source"},{"type":"null"}],"default":"auto"},
			"limit": {"type":["integer","null"],"format":"uint8","minimum":0,"maximum":255,"default":10,"description":"At most"},
			"Untagged": {"type":"boolean"}
		},
		"$defs": {
			"level": {"oneOf":[{"type":"string","title":"level low","const":"low","description":"Not much"},{"type":"string","title":"level high","const":"high"}]},
			"Inner": {"type":"object","description":"What is inside","required":["a"],"properties":{"a":{"type":"string","description":"An a"}}},
			"source": {"type":"string","enum":["auto","manual","file"]}
		}
	}`)
	if s := methodOf[plugin.None]().Schema().Params; s != nil {
		t.Errorf("no parameters have the schema %v", s)
	}
}

func TestSchemaOfARecursiveType(t *testing.T) {
	body := `"title":"Tree","description":"A tree","type":"object","required":["value","children"],"properties":{
		"value":{"type":"integer","format":"int64"},
		"left":{"anyOf":[{"$ref":"#/$defs/tree"},{"type":"null"}]},
		"children":{"type":"array","items":{"$ref":"#/$defs/tree"}}}`
	checkSchema(t, resultOf[tree](), `{"$schema":"https://json-schema.org/draft/2020-12/schema",`+body+`,"$defs":{"Tree":{`+body+`},"tree":{`+body+`}}}`)
	checkSchema(t, resultOf[[]tree](), `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array",
		"items":{"$ref":"#/$defs/tree"},"$defs":{"tree":{`+body+`}}}`)
}

func TestSchemaOfAResultIsTitledByItsType(t *testing.T) {
	inner := `"title":"Inner","description":"What is inside","type":"object","required":["a"],"properties":{"a":{"type":"string","description":"An a"}}`
	levels := `"title":"level","oneOf":[{"type":"string","title":"level low","const":"low","description":"Not much"},{"type":"string","title":"level high","const":"high"}]`
	sources := `"title":"source","type":"string","enum":["auto","manual","file"]`
	const dialect = `{"$schema":"https://json-schema.org/draft/2020-12/schema",`
	// What is no union stands in $defs by its title, too.
	checkSchema(t, resultOf[Inner](), dialect+inner+`,"$defs":{"Inner":{`+inner+`}}}`)
	checkSchema(t, resultOf[level](), dialect+levels+`,"$defs":{"level":{`+levels+`}}}`)
	checkSchema(t, resultOf[source](), dialect+sources+`,"$defs":{"source":{`+sources+`}}}`)
	checkSchema(t, resultOf[*Inner](), dialect+`"title":"Inner","anyOf":[{"$ref":"#/$defs/Inner"},{"type":"null"}],"$defs":{"Inner":{`+strings.Replace(inner, `"title":"Inner",`, "", 1)+`}}}`)
	if s := resultOf[any](); s != nil {
		t.Errorf("anything has the schema %v", s)
	}
}

type page[T any] struct {
	Items []T      `json:"items"`
	Next  *page[T] `json:"next"`
}

// TestSchemaOfAGenericType can be followed: the names of its arguments would
// break the references.
func TestSchemaOfAGenericType(t *testing.T) {
	type local struct{ A int }
	type result struct {
		Page  page[Inner]       `json:"page"`
		Pages page[page[Inner]] `json:"pages"`
		Local page[local]       `json:"local"`
		Text  page[string]      `json:"text"`
	}
	s := resultOf[result]()
	for _, name := range []string{"page_Inner", "page_page_Inner", "page_local", "page_string", "Inner", "local"} {
		if s.Defs[name] == nil {
			t.Errorf("no %s in $defs", name)
		}
	}
	if got := resultOf[page[Inner]]().Title; got != "page_Inner" {
		t.Errorf("titled %s", got)
	}
	if _, err := s.CloneSchemas().Resolve(nil); err != nil {
		t.Error(err)
	}
}

// TestHashIsTheSameOnEveryMachine states hashes that clients have cached: it
// fails where a change of this package, of Go or of a library changes them
// all, and such a change must be wanted.
func TestHashIsTheSameOnEveryMachine(t *testing.T) {
	const wantMethod, wantSelf, wantChildren, wantHash = "6ac0ecc83b63a037", "50b03ff042ee08ab", "7b7420c169c5111d", "2f36f79acf9fb152"
	method := unary[registerParams, shape]("greet", "Greet somebody")
	if method.Hash != wantMethod {
		t.Errorf("the hash of a method is %s, was %s", method.Hash, wantMethod)
	}
	s := plugin.Schema{
		Namespace: "greeter", Version: "1.0.0", Description: "Greets people", LongDescription: "All of them",
		Methods:  []plugin.MethodSchema{method},
		Children: []plugin.ChildSchema{{Namespace: "a", Description: "A", Hash: "0123456789abcdef"}},
	}
	s.Seal()
	for _, h := range [][2]string{{s.SelfHash, wantSelf}, {s.ChildrenHash, wantChildren}, {s.Hash, wantHash}} {
		if h[0] != h[1] {
			t.Errorf("a hash of the schema is %s, was %s", h[0], h[1])
		}
	}
}

// titled gives a schema with a title, which generators make a type of.
type titled struct{ A int }

func (titled) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"type":"object","title":"Titled","properties":{"a":{"type":"integer"}}}`)
}

// Titled would have the same name.
type Titled struct{ B int }

func TestSchemasWithATitleAreReferredTo(t *testing.T) {
	body := `"title":"Titled","type":"object","properties":{"a":{"type":"integer"}}`
	checkSchema(t, methodOf[struct {
		One  titled   `json:"one"`
		May  *titled  `json:"may"`
		Many []titled `json:"many"`
	}]().Schema().Params, `{"type":"object","required":["one","many"],"properties":{
		"one":{"$ref":"#/$defs/Titled"},
		"may":{"anyOf":[{"$ref":"#/$defs/Titled"},{"type":"null"}],"default":null},
		"many":{"type":"array","items":{"$ref":"#/$defs/Titled"}}},
		"$defs":{"Titled":{`+body+`}}}`)
	checkSchema(t, resultOf[titled](), `{"$schema":"https://json-schema.org/draft/2020-12/schema",`+body+`,"$defs":{"Titled":{`+body+`}}}`)
	checkSchema(t, resultOf[plugin.Handle]().Defs["Handle"].Required, `["plugin_id","version","method"]`)
	for what, make := range map[string]func() plugin.Method{
		"a struct": unaryOf[struct {
			A titled
			B Titled
		}],
		"the result": unaryOf[struct {
			_ struct{} `title:"Titled"`
			A titled
		}],
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, `would share the name "Titled"`) {
					t.Error(got)
				}
			}()
			make()
		})
	}
}

// detailedParams say more of their members than their types do.
type detailedParams struct {
	Port uint16  `json:"port"`
	Kind *string `json:"kind" description:"Which"`
}

func (detailedParams) SchemaDetails() map[string]string {
	return map[string]string{"port": `{"exclusiveMinimum":0}`, "kind": `{"enum":["a","b",null],"maxLength":1}`}
}

type misnamedDetails struct{ A int }

func (misnamedDetails) SchemaDetails() map[string]string { return map[string]string{"a": `{}`} }

type pointerDetails struct{ A int }

func (*pointerDetails) SchemaDetails() map[string]string { return nil }

type brokenDetails struct{ A int }

func (brokenDetails) SchemaDetails() map[string]string { return map[string]string{"A": `{"enum":1}`} }

func TestSchemaDetails(t *testing.T) {
	want := `{"type":"object","required":["port"],"properties":{
		"port":{"type":"integer","format":"uint16","minimum":0,"maximum":65535,"exclusiveMinimum":0},
		"kind":{"type":["string","null"],"description":"Which","default":null,"enum":["a","b",null],"maxLength":1}}}`
	checkSchema(t, methodOf[detailedParams]().Schema().Params, want)
	checkSchema(t, resultOf[struct{ In detailedParams }]().Defs["detailedParams"], strings.Replace(want, `"default":null,`, "", 1))
	for want, make := range map[string]func() plugin.Method{
		`no member "a"`:         unaryOf[misnamedDetails],
		"A: SchemaDetails: ":    unaryOf[brokenDetails],
		"have a value receiver": unaryOf[pointerDetails],
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("%s, want %s", got, want)
				}
			}()
			make()
		}()
	}
}

// TestTitlesOfChoicesAndVariants: each has its own, which no other type of the
// schema has, and another choice or variant changes none.
func TestTitlesOfChoicesAndVariants(t *testing.T) {
	s := resultOf[struct {
		Level level    `json:"level"`
		Shape shape    `json:"shape"`
		Mode  labelled `json:"mode"`
	}]()
	titles := map[string]bool{}
	for name, of := range s.Defs {
		titles[name] = true
		for _, one := range of.OneOf {
			if one.Title == "" || titles[one.Title] {
				t.Errorf("%s: title %q of %v", name, one.Title, one)
			}
			titles[one.Title] = true
		}
	}
	for _, want := range []string{"level low", "Shape circle", `Shape empty "one"`, "Full speed", "labelled slow"} {
		if !titles[want] {
			t.Errorf("no title %q in %v", want, titles)
		}
	}
}

type labelled string

func (labelled) Enum() []plugin.Choice {
	return []plugin.Choice{{Value: "fast", Label: "Full speed"}, {Value: "slow"}}
}
