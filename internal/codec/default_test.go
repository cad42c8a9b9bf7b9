// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"bytes"
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// retries have defaults, and are inside of everything below.
type retries struct {
	Name  string         `json:"name"`
	Times uint8          `json:"times,omitzero" default:"3"`
	Wait  *time.Duration `json:"wait" default:"90s"`
	Text  *string        `json:"text" default:""`
	Mood  source         `json:"mood,omitzero" default:"auto"`
	Next  *retries       `json:"next"`
}

type withRetries struct {
	plugin.Union `discriminator:"kind"`
	Again        *retries `tag:"again"`
}

type defaults struct {
	One     *retries            `json:"one"`
	List    []retries           `json:"list,omitempty"`
	Refs    []*retries          `json:"refs,omitempty"`
	Map     map[string]*retries `json:"map,omitempty"`
	Union   *withRetries        `json:"union"`
	Whole   *retries            `json:"whole" default:"{\"name\":\"w\",\"times\":9}"`
	Unnamed struct {
		A *int `json:"a" default:"7"`
	} `json:"unnamed,omitzero"`
	Empty *string `json:"empty" default:""`
}

func TestDefaultsAtEveryDepth(t *testing.T) {
	wait, text, empty := 90*time.Second, "", ""
	filled := func(name string) retries {
		return retries{Name: name, Times: 3, Wait: &wait, Text: &text, Mood: "auto"}
	}
	a, b := filled("a"), filled("b")
	w := filled("w")
	w.Times = 9
	base := defaults{Whole: &w, Empty: &empty}
	with := func(change func(d *defaults)) defaults {
		d := base
		change(&d)
		return d
	}
	nested := filled("a")
	nested.Next = &b
	short := time.Second
	given := retries{Name: "a", Times: 0, Wait: &short, Text: new("x"), Mood: "file"}
	for _, test := range []struct {
		raw  string
		want defaults
	}{
		{`{}`, base},
		{`{"whole":null,"empty":null}`, base},
		{`{"one":{"name":"a"}}`, with(func(d *defaults) { d.One = &a })},
		{`{"one":{ "name" : "a" , "times" : null,"wait":null,"text":null,"mood":null,"next":null}}`, with(func(d *defaults) { d.One = &a })},
		{`{"one":{"name":"a","times":0,"wait":"1s","text":"x","mood":"file"}}`, with(func(d *defaults) { d.One = &given })},
		{`{"one":{"name":"a","next":{"name":"b","times":3}}}`, with(func(d *defaults) { d.One = &nested })},
		{`{"list":[{"name":"a"},{"name":"b","bogus":{"times":null}}]}`, with(func(d *defaults) { d.List = []retries{a, b} })},
		{`{"refs":[{"name":"a"}]}`, with(func(d *defaults) { d.Refs = []*retries{&a} })},
		{`{"map":{"x":{"name":"a"},"y":null}}`, with(func(d *defaults) { d.Map = map[string]*retries{"x": &a, "y": nil} })},
		{`{"union":{"name":"a","kind":"again"}}`, with(func(d *defaults) { d.Union = &withRetries{Again: &a} })},
		{`{"unnamed":{}}`, with(func(d *defaults) { d.Unnamed.A = new(7) })},
		{`{"unnamed": { } ,"one":{"n\u0061me":"a","tim\u0065s":null}}`, with(func(d *defaults) { d.Unnamed.A = new(7); d.One = &a })},
	} {
		got, err := bindAs[defaults](test.raw, false)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got\n%s, %v, want\n%s", test.raw, asText(got), err, asText(test.want))
		}
	}
	for raw, want := range map[string]string{
		`{"one":{}}`:                          "missing one.name",
		`{"one":[]}`:                          "one: invalid type: sequence, expected retries",
		`{"list":[{"name":"a"},{"times":1}]}`: "missing list[1].name",
		`{"list":{"name":"a"}}`:               "list: invalid type: map, expected a sequence",
		`{"one":{"name":"a","times":-1}}`:     "one.times: invalid value: integer `-1`, expected u8",
		`{"union":{"name":"a"}}`:              "union: missing field `kind`",
	} {
		if _, err := bindAs[defaults](raw, false); reasonOf(err) != want {
			t.Errorf("%s: %s, want %s", raw, reasonOf(err), want)
		}
	}
}

// TestDefaultsOfAnswers: what is decoded strictly is completed, too.
func TestDefaultsOfAnswers(t *testing.T) {
	for raw, want := range map[string]string{
		`{"name":"a","next":{"name":"b"}}`: `{"name":"a","times":3,"wait":"PT1M30S","text":"","mood":"auto","next":{"name":"b","times":3,"wait":"PT1M30S","text":"","mood":"auto","next":null}}`,
		`{"times":1}`:                      "missing field: answer.name",
		`{"name":"a"`:                      "answer: invalid type: map, expected retries",
		`["a`:                              "answer: invalid type: sequence, expected retries",
	} {
		var got retries
		bad := codec.DecodeStrictly("answer", []byte(raw), &got)
		if bad == nil && asText(got) != want || bad != nil && bad.Reason != want {
			t.Errorf("%s: %s, %v, want %s", raw, asText(got), bad, want)
		}
	}
}

// FuzzDefaults: nothing that is valid JSON becomes invalid, and whatever is
// accepted has all its defaults.
func FuzzDefaults(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"one":{"name":"a"},"list":[{"name":"a","next":{"name":"b","wait":null}}],"map":{"x":{"name":"a"}}}`, `{"one":[]}`, `{"list":{}}`,
		`{"union":{"kind":"again","name":"a"}}`, `{"union":[{}]}`, `{"unnamed":{"a":null,"b":{}}}`, `{"one":{"name":"a","next":[{"name":1}]}}`, `{"map":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	method := methodOf[defaults]()
	var complete func(r *retries) bool
	complete = func(r *retries) bool {
		return r == nil || r.Wait != nil && r.Text != nil && r.Mood != "" && complete(r.Next)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		bound, err := method.Bind(raw, false)
		if err != nil {
			if text := bytes.Trim(raw, " \t\r\n"); jsontext.Value(text).IsValid() && strings.Contains(err.Error(), "not valid JSON") {
				t.Fatalf("%s: %v", raw, err)
			}
			return
		}
		d := bound.(*defaults)
		all := []*retries{d.One, d.Whole}
		for i := range d.List {
			all = append(all, &d.List[i])
		}
		all = slices.AppendSeq(append(all, d.Refs...), maps.Values(d.Map))
		if d.Union != nil {
			all = append(all, d.Union.Again)
		}
		for _, r := range all {
			if !complete(r) {
				t.Fatalf("%s: bound to %s", raw, asText(d))
			}
		}
	})
}

func asText(v any) string {
	text, _ := codec.AppendJSON(nil, v)
	return string(text)
}

// TestSchemasShowDefaults, at every depth, in parameters and in results.
func TestSchemasShowDefaults(t *testing.T) {
	m := plugin.Unary("m", "", func(_ context.Context, in defaults) (defaults, error) { return in, nil }).Schema()
	for of, raw := range map[string][]byte{"parameters": m.Params, "results": m.Returns} {
		s := parsed(raw)
		for name, want := range map[string]string{"times": "3", "wait": `"PT1M30S"`, "text": `""`, "mood": `"auto"`} {
			if got := string(s.Defs["retries"].Properties[name].Default); got != want {
				t.Errorf("%s: default of %s: %s, want %s", of, name, got, want)
			}
		}
		if got := string(s.Properties["empty"].Default); got != `""` {
			t.Errorf("%s: default of empty: %s", of, got)
		}
	}
}

// TestDefaultDurationsAreShownAsSchemasPromise, in lists and maps, too.
func TestDefaultDurationsAreShownAsSchemasPromise(t *testing.T) {
	type waits struct {
		One  *time.Duration             `json:"one" default:"90s"`
		List []time.Duration            `json:"list,omitempty" default:"[\"1s\",\"PT2M\"]"`
		Maps []map[string]time.Duration `json:"maps,omitempty" default:"[{\"a\":\"1h\"}]"`
	}
	m := plugin.Unary("m", "", func(_ context.Context, in waits) (waits, error) { return in, nil }).Schema()
	for of, raw := range map[string][]byte{"parameters": m.Params, "results": m.Returns} {
		for name, want := range map[string]string{"one": `"PT1M30S"`, "list": `["PT1S","PT2M"]`, "maps": `[{"a":"PT1H"}]`} {
			if got := string(parsed(raw).Properties[name].Default); got != want {
				t.Errorf("%s: default of %s: %s, want %s", of, name, got, want)
			}
		}
	}
}
