// SPDX-License-Identifier: AGPL-3.0-only

package wire_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// FuzzParse: whatever is taken is JSON to the standard library too, and every
// request in it is well-formed or has a fault that can be answered.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `5`, `{}`, `[]`, `[1]`, `{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":[1,"x"]}}`, `{"jsonrpc":"2.0","method":"m"}`,
		`[{"jsonrpc":"2.0","id":"a\u0062","method":"m"},5,{}]`, `{"jsonrpc":"2.0","id":1.5,"method":"m"}`, `{"jsonrpc":"2.0","id":7,"method":"m"}x`,
		`{"json\u0072pc":"2.0","id":null,"method":"\ud83d\ude00"}`, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\"}", `{"id":7,"id":8}`, `[[[`, `{"a":`,
		`[{"jsonrpc":"2.0","id":1,"method":"m","params":[[[]]]},{"jsonrpc":"2.0","method":"n"}]`, `[[],{"id":9007199254740993}]`,
		`{"":` + strings.Repeat("[", 70), `{"jsonrpc":"2.0","id":7,"method":"m","params":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
		`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 300) + `","method":"m"}`, "\ufeff{}", `{"jsonrpc":"2.0","id":7,"method":"m\u0000","params":[1e999]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := string(frame)
		m := wire.Parse(frame, wire.MaxDepth)
		if string(frame) != before {
			t.Fatalf("Parse changed the frame to %q", frame)
		}
		if m.Batch != nil && (len(m.Batch) == 0 || len(m.Batch) > wire.MaxBatch) {
			t.Fatalf("a batch of %d", len(m.Batch))
		}
		requests := m.Batch
		if requests == nil {
			requests = []wire.Request{m.Request}
		}
		deep := m.Deep // and so not read to its end
		if m.Request.Err != wire.ParseError && !deep && !json.Valid(frame) {
			t.Fatalf("%q is taken, and is not JSON", frame)
		}
		for _, r := range requests {
			if r.IDText != nil {
				checkID(t, r.IDText)
			}
			if r.Err != nil {
				if answer := wire.AppendError(nil, r.IDText, r.Err); !json.Valid(answer) {
					t.Fatalf("%q is answered with %s", frame, answer)
				}
				continue
			}
			var std map[string]json.RawMessage
			if m.Batch == nil {
				if err := json.Unmarshal(frame, &std); err != nil {
					t.Fatal(err)
				}
				var version, method string
				if json.Unmarshal(std["jsonrpc"], &version) != nil || version != "2.0" {
					t.Fatalf("%q has no jsonrpc 2.0", frame)
				}
				if json.Unmarshal(std["method"], &method) != nil || method != r.Method {
					t.Fatalf("%q has the method %q, was read with %q", frame, method, r.Method)
				}
				if string(std["params"]) != string(wire.Text(r.Params)) || string(std["id"]) != string(r.IDText) {
					t.Fatalf("%q was read with the params %s and the id %s", frame, wire.Text(r.Params), r.IDText)
				}
			}
			if wire.Text(r.Params) != nil && !json.Valid(wire.Text(r.Params)) {
				t.Fatalf("%q has the params %s", frame, wire.Text(r.Params))
			}
		}
	})
}

// FuzzParseWithin: a limit of depth changes nothing but what becomes of a
// message that is deeper.
func FuzzParseWithin(f *testing.F) {
	for _, seed := range []string{
		`[]`, `{}`, `[[]]`, `[[[`, `{"jsonrpc":"2.0","id":7,"method":"m","params":[[[{"a":{}}]]]}`, `{"params":[[[[]]]],"jsonrpc":"2.0","id":7,"method":"m"}`,
		`[{"jsonrpc":"2.0","id":1,"method":"m","params":[{}]},[[]],{"jsonrpc":"2.0","method":"n"},5,{"a":{"b":{"c":[]}}}]`, `[{"a":[1,2,"]"]},{"a":[}]`,
		`{"jsonrpc":"2.0","id":"[[[[","method":"{{{{\"[","params":{"[":"{"}}`, `{"jsonrpc":"2.0","id":7,"method":"m","params":[[1] , {"x" : [ ] } ] }x`,
		`{"jsonrpc":"2.0","id":[[[[]]]],"method":"m"}`, `{"a":1,"a":[[[]]]}`, `[[],[],[],[],[[]],{}]`,
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(1))
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, frame []byte, more uint8) {
		limit := 2 + int(more)%16
		got, free := wire.Parse(frame, limit), wire.Parse(frame, 5000)
		if !json.Valid(frame) || depth(frame) <= limit {
			deep := got.Deep
			if !reflect.DeepEqual(got, free) && !(deep && !json.Valid(frame)) {
				t.Fatalf("%q within %d is read as %+v, else as %+v", frame, limit, got, free)
			}
			return
		}
		if free.Request.Err == wire.ParseError && got.Request.Err == wire.ParseError {
			return // a name twice, before it is too deep
		}
		if free.Request.Notif && free.Request.Method == "" && free.Request.Err == nil && free.Batch == nil {
			return // an answer, which is dropped
		}
		for _, r := range append(got.Batch, got.Request) {
			if refused := r.Err != nil && r.Err.Code == -32600; !got.Deep || refused == (r.IDText == nil && got.Batch != nil) {
				t.Fatalf("%q, %d deep, is read within %d as %+v", frame, depth(frame), limit, got)
			}
		}
		if got.Request.IDText != nil {
			checkID(t, got.Request.IDText)
			if free.Request.Err != wire.ParseError && string(free.Request.IDText) != string(got.Request.IDText) {
				t.Fatalf("%q is answered with the id %s, want %s", frame, got.Request.IDText, free.Request.IDText)
			}
		}
	})
}

// depth returns how deep valid JSON is nested.
func depth(text []byte) (deepest int) {
	dec := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for err := error(nil); err == nil; _, err = dec.ReadToken() {
		deepest = max(deepest, dec.StackDepth())
	}
	return deepest
}

var validID = regexp.MustCompile(`(?s)^(".*"|null|-?[0-9]+)$`)

// checkID takes a string, null and an integer.
func checkID(t *testing.T, id []byte) {
	t.Helper()
	if !json.Valid(id) || !validID.Match(id) {
		t.Fatalf("id %s", id)
	}
}

// FuzzResolve: a name that starts a stream can be bound and ended.
func FuzzResolve(f *testing.F) {
	h := newHub(f, "reg-hub", registry, echoing("a_b", "c_d"), echoing("a", "b_c"))
	for _, seed := range []string{
		"", "_", "_info", "_info_unsub", "reg-hub.call", "reg-hub.call_unsub", "reg-hub.respond", "registry_get", "registry_unsubscribe_get", "registry.get.schema",
		"a_b_c_d", "a_b_c", "a__b", "_unsub", "registry_unsubscribe", "reg-hub.", ".", "a.b.c",
	} {
		f.Add(seed, []byte(nil))
		f.Add(seed, []byte(`{"method":"registry.get","params":["x"]}`))
	}
	f.Fuzz(func(t *testing.T, name string, params []byte) {
		target := wire.Resolve(h, name)
		switch target.Action {
		case wire.Subscribe:
			if target.Notify != name && target.Notify != "result" {
				t.Fatalf("%q notifies as %q", name, target.Notify)
			}
			if got := wire.Resolve(h, name+"_unsub").Action; got != wire.Unsubscribe {
				t.Fatalf("%q starts a stream, and %q is the action %d", name, name+"_unsub", got)
			}
			call, err := target.Route.Bind(params)
			if err != nil {
				if !json.Valid(wire.AppendError(nil, nil, wire.ErrorOf(err))) {
					t.Fatalf("%v can't be answered", err)
				}
				return
			}
			ends := 0
			for item := range call.Items(t.Context()) {
				frame, err := wire.AppendItem(nil, target.Notify, 1, item, math.MaxInt)
				if err != nil || !json.Valid(frame) {
					t.Fatalf("%s, %v", frame, err)
				}
				if item.Kind != plugin.KindData {
					ends++
				}
			}
			if ends != 1 {
				t.Fatalf("%q %q ends %d times", name, params, ends)
			}
		case wire.Respond:
			if h.Respond(t.Context(), params) == nil {
				t.Fatalf("an answer to nothing was taken: %q", params)
			}
		case wire.Unsubscribe, wire.Unknown:
			if target != (wire.Target{Action: target.Action}) {
				t.Fatalf("%q: %+v", name, target)
			}
		}
	})
}
