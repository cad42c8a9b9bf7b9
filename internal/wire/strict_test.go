// SPDX-License-Identifier: AGPL-3.0-only

package wire_test

import (
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/wire"
)

// nested is a request whose params open so many levels below the request.
func nested(levels int) string {
	return `{"jsonrpc":"2.0","id":7,"method":"m","params":` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + `}`
}

// TestParseRejectsAmbiguousMessages: two readers of JSON-RPC could see two
// requests in one of these messages.
func TestParseRejectsAmbiguousMessages(t *testing.T) {
	const parseError, invalid = "fault -32700 to null", "fault -32600 to null"
	const head = `{"jsonrpc":"2.0","id":7,"method":"m"`
	for _, test := range []struct{ name, frame, want string }{
		{"an id twice", head + `,"id":8}`, parseError},
		{"jsonrpc twice", head + `,"jsonrpc":"2.0"}`, parseError},
		{"a method twice", head + `,"method":"m"}`, parseError},
		{"params twice", head + `,"params":1,"params":1}`, parseError},
		{"an unknown name twice", head + `,"x":1,"x":1}`, parseError},
		{"a name twice in params", head + `,"params":{"a":1,"a":1}}`, parseError},
		{"a name twice deep in params", head + `,"params":[{"b":[{"a":1,"a":2}]}]}`, parseError},
		{"a name twice deep in many levels", head + `,"params":[{"a":1,"\u0061":2},` + strings.Repeat("[],", 80) + `[]]}`, parseError},
		{"a name twice in an unknown member", head + `,"x":{"a":1,"a":1}}`, parseError},
		{"a method in another case", `{"jsonrpc":"2.0","id":7,"Method":"m"}`, "fault -32600 to 7"},
		{"jsonrpc in another case", `{"JsonRPC":"2.0","id":7,"method":"m"}`, "fault -32600 to 7"},
		{"an id in another case", `{"jsonrpc":"2.0","ID":7,"method":"m"}`, "m id none params none"},
		{"a Kelvin sign", `{"jsonrpc":"2.0","id":7,"method":"m","\u212aey":1}`, "m id 7 params none"},
		{"a long s in params", head + `,"param\u017f":1}`, "m id 7 params none"},
		{"a zero byte in a name", head + `,"method\u0000":"n"}`, "m id 7 params none"},
		{"a bare zero byte in a name", head + ",\"method\x00\":\"n\"}", parseError},
		{"a zero byte in a method", `{"jsonrpc":"2.0","id":7,"method":"m\u0000n"}`, "m\x00n id 7 params none"},
		{"an id beyond 2^53", `{"jsonrpc":"2.0","id":9007199254740993,"method":"m","params":[9007199254740993]}`, "m id 9007199254740993 params [9007199254740993]"},
		{"an id that is minus nought", `{"jsonrpc":"2.0","id":-0,"method":"m"}`, "m id -0 params none"},
		{"a number beyond a double", head + `,"params":[1e999]}`, "m id 7 params [1e999]"},
		{"invalid UTF-8 in params", head + ",\"params\":[\"\xc0\x80\"]}", parseError},
		{"a surrogate in UTF-8", head + ",\"params\":[\"\xed\xa0\x80\"]}", parseError},
		{"half a pair in params", head + `,"params":["\udc00"]}`, parseError},
		{"half a pair in a name", head + `,"params":{"\ud800":1}}`, parseError},
		{"half a pair in an id", `{"jsonrpc":"2.0","id":"\ud800x","method":"m"}`, parseError},
		{"a byte order mark before it", "\xef\xbb\xbf" + head + `}`, parseError},
		{"half a pair in a method", `{"jsonrpc":"2.0","id":7,"method":"\ud800"}`, parseError},
		{"a byte order mark within", "{\xef\xbb\xbf" + head[1:] + `}`, parseError},
		{"two requests", head + `}` + head + `}`, parseError},
		{"two requests on two lines", head + "}\n" + head + `}`, parseError},
		{"a batch after a request", head + `}[]`, parseError},
		{"a request after a batch", `[` + head + `}]` + head + `}`, parseError},
		{"a comma after it", head + `},`, parseError},
		{"a comment", head + `/**/}`, parseError},
		{"single quotes", `{'jsonrpc':"2.0"}`, parseError},
		{"NaN", head + `,"params":[NaN]}`, parseError},
		{"a hexadecimal id", `{"jsonrpc":"2.0","id":0x7,"method":"m"}`, parseError},
		{"another kind of space", head + ",\v\"params\":1}", parseError},

		{"a long id", `{"jsonrpc":"2.0","id":"` + strings.Repeat("x", wire.MaxID-2) + `","method":"m"}`, `m id "` + strings.Repeat("x", wire.MaxID-2) + `" params none`},
		{"too long an id", `{"jsonrpc":"2.0","id":"` + strings.Repeat("x", wire.MaxID-1) + `","method":"m"}`, invalid},
		{"too long a number", `{"jsonrpc":"2.0","id":` + strings.Repeat("9", wire.MaxID+1) + `,"method":"m"}`, invalid},
		{"a long method", `{"jsonrpc":"2.0","id":7,"method":"` + strings.Repeat("x", wire.MaxMethod) + `"}`, strings.Repeat("x", wire.MaxMethod) + " id 7 params none"},
		{"too long a method", `{"jsonrpc":"2.0","id":7,"method":"` + strings.Repeat("x", wire.MaxMethod+1) + `"}`, "fault -32600 to 7"},
		{"a long name", head + `,"` + strings.Repeat("x", 1<<20) + `":1}`, "m id 7 params none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := wire.Parse([]byte(test.frame), wire.MaxDepth)
			if got := shown(m.Request); m.Batch != nil || got != test.want {
				t.Errorf("%.200s, batch %v, want %.200s", got, m.Batch, test.want)
			}
		})
	}
}

func TestParseLimitsDepth(t *testing.T) {
	deepest := strings.Repeat("[", wire.MaxDepth-1) + strings.Repeat("]", wire.MaxDepth-1)
	wide := `[` + strings.Repeat(`{"a":[]},`, 500) + `{"a":" [[["}]`
	const request = `{"jsonrpc":"2.0","id":7,"method":"m"}`
	const deep = "Invalid request: the message is nested deeper than 64 levels, the limit"
	for _, test := range []struct {
		name, frame, want, fault string
	}{
		{"the deepest", nested(wire.MaxDepth - 1), "m id 7 params " + deepest, ""},
		{"the deepest of objects", `{"jsonrpc":"2.0","id":7,"method":"m","params":` + strings.Repeat(`{"a":`, 63) + "1" + strings.Repeat("}", 63) + `}`,
			"m id 7 params " + strings.Repeat(`{"a":`, 63) + "1" + strings.Repeat("}", 63), ""},
		{"one level more", nested(wire.MaxDepth), "fault -32600 to 7", deep},
		{"one level more of objects", `{"jsonrpc":"2.0","id":7,"method":"m","params":` + strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64) + `}`, "fault -32600 to 7", deep},
		{"100,000 levels", nested(100_000), "fault -32600 to 7", deep},
		{"100,000 levels that are not closed", `{"jsonrpc":"2.0","id":7,"params":` + strings.Repeat("[", 100_000), "fault -32600 to 7", deep},
		{"nothing but levels", strings.Repeat("[", 100_000), "fault -32600 to null", deep},
		{"100,000 levels of objects", `{"jsonrpc":"2.0","id":"a","params":` + strings.Repeat(`{"a":`, 100_000), `fault -32600 to "a"`, deep},
		{"before the id", `{"jsonrpc":"2.0","params":` + nested(100) + `,"id":7,"method":"m"}`, "fault -32600 to null", deep},
		{"in an unknown member", `{"jsonrpc":"2.0","id":7,"method":"m","x":` + nested(100) + `}`, "fault -32600 to 7", deep},
		{"as an id that is bad anyway", `{"jsonrpc":"2.0","id":` + nested(100) + `}`, "fault -32600 to null", deep},
		{"after an id that is bad", `{"jsonrpc":"2.0","id":1.5,"params":` + nested(100) + `}`, "fault -32600 to null", deep},
		{"in a batch", `[` + request + `,` + nested(wire.MaxDepth-1) + `]`, "fault -32600 to null", deep},
		{"many levels side by side", `{"jsonrpc":"2.0","id":7,"method":"m","params":` + wide + `}`, "m id 7 params " + wide, ""},
		{"brackets in text", `{"jsonrpc":"2.0","id":7,"method":"m","params":"` + strings.Repeat("[", 100) + `"}`, `m id 7 params "` + strings.Repeat("[", 100) + `"`, ""},
		{"bad JSON side by side", `{"jsonrpc":"2.0","id":7,"method":"m","params":[` + strings.Repeat("[],", 100) + `]}`, "fault -32700 to null", "Parse error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := wire.Parse([]byte(test.frame), wire.MaxDepth)
			if got := shown(m.Request); m.Batch != nil || got != test.want {
				t.Fatalf("%.200s, batch %v, want %.200s", got, m.Batch, test.want)
			}
			if fault := worded(m.Request.Err); test.fault != "" && fault != test.fault {
				t.Errorf("%q, want %q", fault, test.fault)
			}
		})
	}
	if m := wire.Parse([]byte(nested(3)), 3); m.Request.Err == nil || !strings.Contains(worded(m.Request.Err), "3 levels") {
		t.Errorf("four levels within three: %v", m.Request.Err)
	}
	if m := wire.Parse([]byte(nested(2)), 3); m.Request.Err != nil {
		t.Errorf("three levels within three: %v", m.Request.Err)
	}
	if m := wire.Parse([]byte(`[`+nested(1)+`]`), 3); len(m.Batch) != 1 || m.Batch[0].Err != nil {
		t.Errorf("three levels within three, in a batch: %+v", m)
	}
	if m := wire.Parse([]byte(nested(500)), 1000); m.Request.Err != nil {
		t.Errorf("501 levels within 1000: %v", m.Request.Err)
	}
}

func TestADeepMessageIsCheap(t *testing.T) {
	frame := []byte(nested(100_000))
	cost := testing.AllocsPerRun(10, func() { wire.Parse(frame, wire.MaxDepth) })
	if cost > 50 {
		t.Errorf("%v allocations", cost)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, test := range []struct{ name, frame string }{
		{"get", `{"jsonrpc":"2.0","id":7,"method":"hub.call","params":{"method":"registry.get","params":{"name":"alpha"}}}`},
		{"100 objects", `{"jsonrpc":"2.0","id":7,"method":"hub.call","params":[` + strings.Repeat(`{"name":"alpha","port":1},`, 99) + `{}]}`},
		{"100,000 levels", nested(100_000)},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				wire.Parse([]byte(test.frame), wire.MaxDepth)
			}
		})
	}
}
