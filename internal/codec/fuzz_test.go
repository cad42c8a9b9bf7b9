// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// fuzzParams have one field of each kind that parameters may have.
type fuzzParams struct {
	Text    string            `json:"text"`
	Small   *int8             `json:"small"`
	Port    uint16            `json:"port,omitzero" default:"80"`
	Large   *int64            `json:"large"`
	Real    *float64          `json:"real"`
	Flag    *bool             `json:"flag"`
	List    []string          `json:"list,omitempty"`
	Map     map[string]uint32 `json:"map,omitempty"`
	Time    *time.Time        `json:"time"`
	Bytes   []byte            `json:"bytes,omitempty"`
	Source  *source           `json:"source"`
	Shape   *shape            `json:"shape"`
	Any     any               `json:"any,omitempty"`
	Raw     json.RawMessage   `json:"raw,omitempty"`
	Numbers struct {
		N []int `json:"n,omitempty"`
	} `json:"numbers,omitzero"`
}

// FuzzBind binds what it is given; what was taken is written and bound again.
func FuzzBind(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `"bare"`, `5`, `{"text":"a"}`, `["a",1,2,3,4.5,true]`, `{"text":"a","text":"b"}`, `{"text":1}`,
		`{"text":"a","small":-128,"port":0,"large":1,"real":1e5,"flag":false,"list":["x",""],"map":{"a":1}}`,
		`{"text":"a","time":"2026-01-02T03:04:05.6Z","bytes":"AQID","source":"auto"}`,
		`{"text":"a","shape":{"kind":"circle","radius":2},"any":{"b":[1,null]},"raw":{"x" : 1},"numbers":{"n":[1]}}`,
		`{"text":"\ud800"}`, "{\"text\":\"\xff\"}", `{"text":"a"}}`, `{"te\u0078t":"a"}`, `[["a"]]`, `{"text":"a","port":65536}`,
		`{"text":"a","real":1e999}`, `{"text":"a","large":9007199254740993}`, `{"text":"a","large":9223372036854775808}`, `{"text":"a","any":1e999,"raw":1e999}`,
		`{"text":"a","any":[[[[[[[[{"b":{}}]]]]]]]]}`, `{"Text":"a"}`, `{"text":"a","text\u0000":"b"}`,
		`{"text":"a","raw":{}}`, `{"text":"a","raw":[],"any":{}}`, `{"text":"a","raw":"","any":""}`, `{"text":"a","raw":null,"any":null}`, "\ufeff{\"text\":\"a\"}", `{"text":"a","map":{"k":1,"k":2}}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	method := methodOf[fuzzParams]()
	f.Fuzz(func(t *testing.T, raw []byte, positional bool) {
		before := string(raw)
		bound, err := method.Bind(raw, positional)
		if string(raw) != before {
			t.Fatalf("Bind changed the parameters to %q", raw)
		}
		if err != nil {
			var bad *plugin.Error
			if !errors.As(err, &bad) {
				t.Fatalf("error %v is no Error", err)
			}
			if bad.Detail() == "" {
				t.Fatal("a refusal without a reason")
			}
			return
		}
		text, err := codec.AppendJSON(nil, bound)
		if err != nil {
			t.Fatalf("what was bound can't be written: %v", err)
		}
		again, err := method.Bind(text, false)
		if err != nil {
			t.Fatalf("%s, written from what was bound, is refused: %v", text, err)
		}
		first, second := bound.(*fuzzParams), again.(*fuzzParams)
		// Times are equal if they are one instant. Raw JSON is written
		// without its spaces. An empty list, left out, comes back as nil.
		if first.Time != nil && second.Time != nil && first.Time.Equal(*second.Time) {
			first.Time = second.Time
		}
		if len(first.Raw) > 0 {
			first.Raw = compacted(t, first.Raw)
		}
		empty(&first.List, &second.List)
		empty(&first.Bytes, &second.Bytes)
		empty(&first.Numbers.N, &second.Numbers.N)
		if len(first.Map) == 0 && len(second.Map) == 0 {
			first.Map, second.Map = nil, nil
		}
		if first.Port == 0 && second.Port == 80 {
			second.Port = 0 // left out when it is zero, so the default comes back
		}
		if isEmpty(first.Any) && second.Any == nil {
			first.Any = nil
		}
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("%q bound to\n%+v, written as\n%s and bound again to\n%+v", raw, first, text, second)
		}
	})
}

func empty[S ~[]E, E any](a, b *S) {
	if len(*a) == 0 && len(*b) == 0 {
		*a, *b = nil, nil
	}
}

// isEmpty reports whether omitempty leaves v out.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func compacted(t *testing.T, raw json.RawMessage) json.RawMessage {
	text, err := codec.AppendJSON(nil, raw)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
