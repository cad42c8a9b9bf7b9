// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/plexus-go/plexus/plugin"
)

// reasonOf is what is wrong with parameters: "missing x", or the reason.
func reasonOf(err error) string {
	var bad *plugin.Error
	if !errors.As(err, &bad) {
		return "not refused"
	}
	reason := strings.TrimPrefix(bad.Message, "Invalid params: ")
	return strings.Replace(reason, "missing field: ", "missing ", 1)
}

type street struct {
	Name   string   `json:"name"`
	Number uint8    `json:"number"`
	Suffix *string  `json:"suffix"`
	Floor  int      `json:"floor,omitzero"`
	Tags   []string `json:"tags,omitempty"`
}

type branch struct {
	Leaf  leaf     `json:"leaf"`
	Below []branch `json:"below,omitempty"`
	Next  *branch  `json:"next"`
}

type leaf struct {
	Color string `json:"color"`
}

type nest struct {
	Street  *street            `json:"street"`
	List    []street           `json:"list,omitempty"`
	Refs    []*street          `json:"refs,omitempty"`
	Pair    *[2]street         `json:"pair"`
	Lists   [][]street         `json:"lists,omitempty"`
	Map     map[string]street  `json:"map,omitempty"`
	MapRefs map[string]*street `json:"map_refs,omitempty"`
	Shape   *shape             `json:"shape"`
	Branch  *branch            `json:"branch"`
	Unnamed *struct {
		A string `json:"a"`
	} `json:"unnamed"`
	Free    *free           `json:"free"`
	Handle  *plugin.Handle  `json:"handle"`
	Handles []plugin.Handle `json:"handles,omitempty"`
	Loose   *loose          `json:"loose"`
	Words   []string        `json:"words,omitempty"`
	Sums    map[string]int  `json:"sums,omitempty"`
	Anys    []any           `json:"anys,omitempty"`
	Bytes   []byte          `json:"bytes,omitempty"`
	When    []time.Time     `json:"when,omitempty"`
	Bares   []source        `json:"bares,omitempty"`
}

// loose requires less in its schema than its fields would.
type loose struct {
	A int `json:"a"`
	B int `json:"b"`
}

func (loose) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"type":"object","required":["a"],"properties":{"a":{"type":"integer"},"b":{"type":"integer"}}}`)
}

// free is a struct whose members may be anything, null included.
type free struct {
	Any   any             `json:"any"`
	Raw   json.RawMessage `json:"raw"`
	Value jsontext.Value  `json:"value"`
}

// TestMembersWithinParameters states what is missing, or null, and where.
func TestMembersWithinParameters(t *testing.T) {
	const ok = `{"name":"n","number":1}`
	for _, test := range []struct{ raw, want string }{
		{`{}`, ""},
		{`{"street":` + ok + `}`, ""},
		{`{"street":{"name":"n","number":1,"suffix":null,"floor":null,"tags":null,"bogus":null}}`, ""},
		{`{"street":{}}`, "missing street.name"},
		{`{"street":{"name":"n"}}`, "missing street.number"},
		{`{"street":{"Name":"n","number":1}}`, "missing street.name"},
		{`{"street":{"name":null,"number":1}}`, "street.name: invalid type: null, expected a string"},
		{`{"street":{"name":"n","number":null}}`, "street.number: invalid type: null, expected u8"},
		{`{"street":{"name":"n","number":1,"tags":["a",null]}}`, "street.tags[1]: invalid type: null, expected a string"},

		{`{"list":[` + ok + `,` + ok + `]}`, ""},
		{`{"list":[` + ok + `,{"name":"n"}]}`, "missing list[1].number"},
		{`{"list":[` + ok + `,null]}`, "list[1]: invalid type: null, expected street"},
		{`{"refs":[` + ok + `,{}]}`, "missing refs[1].name"},
		{`{"refs":[null]}`, "refs[0]: invalid type: null, expected street"},
		{`{"pair":[` + ok + `,{}]}`, "missing pair[1].name"},
		{`{"lists":[[],[` + ok + `,{"name":"n"}]]}`, "missing lists[1][1].number"},
		{`{"lists":[null]}`, "lists[0]: invalid type: null, expected a sequence"},
		{`{"words":["a",null]}`, "words[1]: invalid type: null, expected a string"},
		{`{"words":["null"]}`, ""},
		{`{"when":[null]}`, "when[0]: invalid type: null, expected a date-time (RFC 3339)"},
		{`{"bares":["auto",null]}`, "bares[1]: invalid type: null, expected a string"},
		{`{"anys":[null,{"x":null}]}`, ""},
		{`{"bytes":"bnVsbA=="}`, ""},

		{`{"map":{"a":` + ok + `}}`, ""},
		{`{"map":{"a":` + ok + `,"b":{}}}`, "missing map.b.name"},
		{`{"map":{"a":null}}`, "map.a: invalid type: null, expected street"},
		{`{"map_refs":{"a":null}}`, ""}, // as the schema says
		{`{"map_refs":{"a":{"name":"n"}}}`, "missing map_refs.a.number"},
		{`{"sums":{"a":null}}`, "sums.a: invalid type: null, expected i64"},

		{`{"shape":{"kind":"circle","radius":1}}`, ""},
		{`{"shape":{"kind":"circle"}}`, "missing shape.radius"},
		{`{"shape":{"radius":null,"kind":"circle"}}`, "shape.radius: invalid type: null, expected f64"},
		{`{"shape":{"kind":"empty \"one\""}}`, ""},
		{`{"shape":{"kind":"group","members":[{"kind":"circle","radius":1},{"kind":"group","members":[{"kind":"circle"}]}]}}`,
			"missing shape.members[1].members[0].radius"},
		{`{"shape":{"kind":"group","members":[null]}}`, "shape.members[0]: invalid type: null, expected shape"},
		{`{"shape":{"kind":"group","members":[],"by_name":{"x":{"kind":"circle"}}}}`, "missing shape.by_name.x.radius"},

		{`{"branch":{"leaf":{"color":"red"},"below":[],"next":null}}`, ""},
		{`{"branch":{"leaf":{"color":"red"},"next":{"leaf":{"color":"red"},"below":[{"leaf":{}}]}}}`, "missing branch.next.below[0].leaf.color"},
		{`{"branch":{"leaf":null}}`, "branch.leaf: invalid type: null, expected leaf"},

		{`{"handle":{"plugin_id":"6ba7b812-9dad-11d1-80b4-00c04fd430c8","version":"1","method":"m","meta":null}}`, ""},
		{`{"handle":{}}`, "missing handle.plugin_id"}, // by the schema that it gives
		{`{"handle":{"plugin_id":null,"version":"1","method":"m"}}`, "handle.plugin_id: invalid type: null, expected UUID"},
		{`{"handle":{"plugin_id":"x","version":"1","method":"m"}}`, `handle.plugin_id: invalid value: string "x", expected UUID`},
		{`{"handles":[null]}`, "handles[0]: invalid type: null, expected a map"},
		{`{"handles":[{"version":"1"}]}`, "missing handles[0].plugin_id"},
		{`{"loose":{"b":1}}`, "missing loose.a"},
		{`{"loose":{"a":1}}`, ""},

		{`{"unnamed":{}}`, "missing unnamed.a"},
		{`{"free":{"any":null,"raw":null,"value":null}}`, ""},
		{`{"free":{"any":null,"raw":null}}`, "missing free.value"},
	} {
		_, err := bindAs[nest](test.raw, false)
		if got := reasonOf(err); got != test.want && (err != nil || test.want != "") {
			t.Errorf("%s\ngot  %s\nwant %s", test.raw, got, test.want)
		}
	}
}

// TestNestingIsBounded: a value that is nested deep costs more than its bytes.
func TestNestingIsBounded(t *testing.T) {
	deep := func(levels int) string {
		return `{"branch":` + strings.Repeat(`{"leaf":{"color":"\"{["},"next":`, levels) + "null" + strings.Repeat("}", levels) + "}"
	}
	if _, err := bindAs[nest](deep(60), false); err != nil {
		t.Errorf("60 levels: %v", err)
	}
	for _, levels := range []int{70, 4000} {
		_, err := bindAs[nest](deep(levels), false)
		if got := reasonOf(err); got != "branch: nested deeper than 64 levels" {
			t.Errorf("%d levels: %s", levels, got)
		}
	}
	// What nobody looks into may be as deep as JSON may be.
	if _, err := bindAs[struct {
		Raw json.RawMessage `json:"raw"`
	}](`{"raw":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`}`, false); err != nil {
		t.Errorf("raw JSON: %v", err)
	}
}
