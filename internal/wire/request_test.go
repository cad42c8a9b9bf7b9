// SPDX-License-Identifier: AGPL-3.0-only

package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/internal/wire"
)

// worded is what an error says, and its data.
func worded(e *jsonrpc2.Error) string {
	if e == nil {
		return "none"
	}
	var data string
	if e.Data == nil || json.Unmarshal(*e.Data, &data) != nil {
		return e.Message
	}
	return e.Message + ": " + data
}

// shown says in one line what was read.
func shown(r wire.Request) string {
	if r.Err != nil {
		id := "null"
		if r.IDText != nil {
			id = string(r.IDText)
		}
		return fmt.Sprintf("fault %d to %s", r.Err.Code, id)
	}
	id, params := "none", "none"
	if r.IDText != nil {
		id = string(r.IDText)
	}
	if wire.Text(r.Params) != nil {
		params = string(wire.Text(r.Params))
	}
	return fmt.Sprintf("%s id %s params %s", r.Method, id, params)
}

func TestParse(t *testing.T) {
	const parseError, parseErrorTo7, invalid = "fault -32700 to null", "fault -32700 to 7", "fault -32600 to null"
	const nothing = " id none params none" // a notification, which starts nothing
	const head, request = `{"jsonrpc":"2.0","id":7,"method":"m"`, `{"jsonrpc":"2.0","id":1,"method":"m"}`
	for _, test := range []struct {
		name, frame, want string
	}{
		{"a request", `{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":1}}`, `m id 7 params {"a":1}`},
		{"no params", `{"jsonrpc":"2.0","id":7,"method":"m"}`, `m id 7 params none`},
		{"params that are null", `{"jsonrpc":"2.0","id":7,"method":"m","params":null}`, `m id 7 params null`},
		{"params of any kind", `{"jsonrpc":"2.0","id":7,"method":"m","params":"x"}`, `m id 7 params "x"`},
		{"members in any order, with space", "\r\n\t {\"params\" : [ 1 ] ,\n\"method\":\"m\", \"id\" :7,\"jsonrpc\":\"2.0\"} \n", `m id 7 params [ 1 ]`},
		{"unknown members", `{"jsonrpc":"2.0","id":7,"method":"m","extra":{"id":8},"result":1}`, `m id 7 params none`},
		{"members of another case", `{"jsonrpc":"2.0","id":7,"ID":8,"method":"m","Method":"n","PARAMS":1}`, `m id 7 params none`},
		{"names with escapes", `{"json\u0072pc":"2\u002e0","\u0069d":7,"m\u0065thod":"\u006d","p\u0061rams":1}`, `m id 7 params 1`},
		{"a method with escapes", `{"jsonrpc":"2.0","id":7,"method":"\u00e9\n"}`, "é\n id 7 params none"},
		{"an empty method", `{"jsonrpc":"2.0","id":7,"method":""}`, ` id 7 params none`},

		{"an id that is text", `{"jsonrpc":"2.0","id":"a\u0062 ","method":"m"}`, `m id "a\u0062 " params none`},
		{"an id that is empty text", `{"jsonrpc":"2.0","id":"","method":"m"}`, `m id "" params none`},
		{"an id that is null", `{"jsonrpc":"2.0","id":null,"method":"m"}`, `m id null params none`},
		{"an id that is negative", `{"jsonrpc":"2.0","id":-1,"method":"m"}`, `m id -1 params none`},
		{"an id beyond 64 bits", `{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"m"}`, `m id 123456789012345678901234567890 params none`},
		{"no id, a notification", `{"jsonrpc":"2.0","method":"m"}`, `m id none params none`},
		{"an id that is a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"m"}`, invalid},
		{"an id that is a whole fraction", `{"jsonrpc":"2.0","id":1.0,"method":"m"}`, invalid},
		{"an id with an exponent", `{"jsonrpc":"2.0","id":1e2,"method":"m"}`, invalid},
		{"an id that is a boolean", `{"jsonrpc":"2.0","id":true,"method":"m"}`, invalid},
		{"an id that is an object", `{"jsonrpc":"2.0","id":{},"method":"m"}`, invalid},
		{"an id that is an array", `{"jsonrpc":"2.0","id":[1],"method":"m"}`, invalid},

		{"no jsonrpc", `{"id":7,"method":"m"}`, "fault -32600 to 7"},
		{"another jsonrpc", `{"jsonrpc":"1.0","id":"a","method":"m"}`, `fault -32600 to "a"`},
		{"jsonrpc as a number", `{"jsonrpc":2.0,"id":7,"method":"m"}`, "fault -32600 to 7"},
		{"no method", `{"jsonrpc":"2.0","id":7}`, "fault -32600 to 7"},
		{"a method that is a number", `{"jsonrpc":"2.0","id":7,"method":5}`, "fault -32600 to 7"},
		{"a method that is null", `{"jsonrpc":"2.0","id":null,"method":null}`, invalid},
		{"an answer", `{"jsonrpc":"2.0","id":7,"result":1}`, nothing},
		{"an answer that is null", `{"jsonrpc":"2.0","id":7,"result":null}`, nothing},
		{"an answer that is an error", `{"jsonrpc":"2.0","id":"7","error":{"code":-32700,"message":"Parse error"}}`, nothing},
		{"an error that answers nothing", `{"jsonrpc":"2.0","id":null,"error":{}}`, nothing},
		{"an error without an id", `{"jsonrpc":"2.0","error":{}}`, nothing},
		{"an answer without a version", `{"id":7,"result":1}`, nothing},
		{"an answer in another version", `{"jsonrpc":"1.0","id":7,"result":1,"error":null}`, nothing},
		{"an answer to an id that is none", `{"jsonrpc":"2.0","id":1.5,"error":{}}`, nothing},
		{"an answer with a method that is null", `{"jsonrpc":"2.0","id":7,"method":null,"result":1}`, nothing},
		{"an answer with a name twice", `{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":1}}`, nothing},
		{"an answer with half a pair", `{"jsonrpc":"2.0","id":7,"result":"\ud800"}`, nothing},
		{"an answer that is cut off", `{"jsonrpc":"2.0","id":7,"result":"`, parseError},
		{"a request with a result", `{"jsonrpc":"2.0","id":7,"method":"m","result":1}`, "m id 7 params none"},
		{"a notification without method", `{"jsonrpc":"2.0"}`, invalid},

		{"nothing", ``, parseError},
		{"space", " \n", parseError},
		{"text", `hello`, parseError},
		{"a number", `5`, parseError},
		{"a string", `"x"`, parseError},
		{"null", `null`, parseError},
		{"an object of nothing", `{}`, parseError},
		{"half an object", `{"jsonrpc":"2.0","id":1,"method":`, parseError},
		{"an object that is not closed", `{"jsonrpc":"2.0","id":7,"method":"m"`, parseError},
		{"something after the object", `{"jsonrpc":"2.0","id":7,"method":"m"} x`, parseError},
		{"a comma too many", `{"jsonrpc":"2.0","id":7,"method":"m",}`, parseError},
		{"no quotes", `{jsonrpc:"2.0","id":7,"method":"m"}`, parseError},
		{"a member twice, spelled differently", `{"jsonrpc":"2.0","id":7,"method":"m","m\u0065thod":"n"}`, parseErrorTo7},
		{"what is not UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\"}", parseErrorTo7},
		{"a zero byte", "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}\x00", parseError},
		{"a number with a leading zero", `{"jsonrpc":"2.0","id":07,"method":"m"}`, parseError},

		// Two readers of JSON-RPC could see two requests in one of these.
		{"an id twice", head + `,"id":8}`, parseError},
		{"jsonrpc twice", head + `,"jsonrpc":"2.0"}`, parseErrorTo7},
		{"a method twice", head + `,"method":"m"}`, parseErrorTo7},
		{"params twice", head + `,"params":1,"params":1}`, parseErrorTo7},
		{"an unknown name twice", head + `,"x":1,"x":1}`, parseErrorTo7},
		{"a name twice in params", head + `,"params":{"a":1,"a":1}}`, parseErrorTo7},
		{"a name twice deep in params", head + `,"params":[{"b":[{"a":1,"a":2}]}]}`, parseErrorTo7},
		{"a name twice deep in many levels", head + `,"params":[{"a":1,"\u0061":2},` + strings.Repeat("[],", 80) + `[]]}`, parseErrorTo7},
		{"a name twice in an unknown member", head + `,"x":{"a":1,"a":1}}`, parseErrorTo7},
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
		{"invalid UTF-8 in params", head + ",\"params\":[\"\xc0\x80\"]}", parseErrorTo7},
		{"a surrogate in UTF-8", head + ",\"params\":[\"\xed\xa0\x80\"]}", parseErrorTo7},
		{"half a pair in params", head + `,"params":["\udc00"]}`, parseErrorTo7},
		{"half a pair in a name", head + `,"params":{"\ud800":1}}`, parseErrorTo7},
		{"half a pair in an id", `{"jsonrpc":"2.0","id":"\ud800x","method":"m"}`, parseError},
		{"a byte order mark before it", "\xef\xbb\xbf" + head + `}`, parseError},
		{"half a pair in a method", `{"jsonrpc":"2.0","id":7,"method":"\ud800"}`, parseErrorTo7},
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

		// Batches.
		{"one member", `[` + request + `]`, "[m id 1 params none]"},
		{"two members, with space", " [ " + request + " ,\n" + `{"jsonrpc":"2.0","method":"n"} ] `, "[m id 1 params none; n id none params none]"},
		{"members that are no requests", `[1,null,"x",[],{},` + request + `,{"jsonrpc":"2.0","id":2},{"jsonrpc":"2.0","id":{},"method":"m"}]`,
			"[" + strings.Repeat(invalid+"; ", 5) + "m id 1 params none; fault -32600 to 2; " + invalid + "]"},
		{"one id twice", `[` + request + `,` + request + `]`, "[m id 1 params none; m id 1 params none]"},
		{"nothing", `[]`, invalid},
		{"nothing but space", "[ \n]", invalid},
		{"a batch that is not closed", `[` + request, parseError},
		{"a bad member", `[` + request + `,{"a":}]`, parseError},
		{"no comma", `[` + request + request + `]`, parseError},
		{"something after it", `[` + request + `]]`, parseError},
		{"a member with an id twice", `[{"jsonrpc":"2.0","id":1,"id":2,"method":"m"},` + request + `]`, "[" + parseError + "; m id 1 params none]"},
		{"a member with a name twice in params", `[` + request + `,` + head + `,"params":{"a":1,"a":1}},` + request + `]`, "[m id 1 params none; " + parseErrorTo7 + "; m id 1 params none]"},
		{"members with half a pair", `[` + head + `,"params":"\udc00"},"\ud800",{"\ud800":1}]`, "[" + parseErrorTo7 + "; " + invalid + "; " + parseError + "]"},
		{"an object that is no request", `[{"foo":"boo"}]`, "[" + invalid + "]"},
		{"answers", `[{"jsonrpc":"2.0","id":7,"result":1},` + request + `]`, "[" + nothing + "; m id 1 params none]"},
		{"too many, with a name twice", `[` + strings.Repeat(request+",", wire.MaxBatch) + `{"a":1,"a":1}]`, invalid},
		{"as many members as there may be", `[` + strings.Repeat(request+",", wire.MaxBatch-1) + request + `]`, "[" + strings.Repeat("m id 1 params none; ", wire.MaxBatch-1) + "m id 1 params none]"},
		{"one member too many", `[` + strings.Repeat(request+",", wire.MaxBatch) + request + `]`, invalid},
		{"too many that are no requests", `[` + strings.Repeat("1,", wire.MaxBatch) + `1]`, invalid},
		{"too many, and not JSON", `[` + strings.Repeat("1,", wire.MaxBatch+5) + `]`, parseError},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := wire.Parse([]byte(test.frame), wire.MaxDepth)
			got := shown(m.Request)
			if m.Batch != nil {
				members := make([]string, len(m.Batch))
				for i, r := range m.Batch {
					members[i] = shown(r)
				}
				got = "[" + strings.Join(members, "; ") + "]"
			}
			if got != test.want {
				t.Errorf("%.300s, want %.300s", got, test.want)
			}
		})
	}
	for send, want := range map[string]string{
		head + `,"params":{"a":[{"b":1,"b":2}]}}`:                             "Parse error: a name stands twice in one object: /params/a/0/b",
		head + `,"params":["\ud800"]}`:                                        "Parse error: text that is not Unicode: /params/0",
		head + `,"` + strings.Repeat("x", 200) + `":{"a":1,"a":1}}`:           "Parse error: a name stands twice in one object",
		`[` + head + `,"params":{"a":1,"a":1}},` + request + `]`:              "",
		`{"jsonrpc":"2.0","id":7,"id":8,"method":"m","params":{"a":1,"a":1}}`: "Parse error: a name stands twice in one object: /id",
	} {
		m := wire.Parse([]byte(send), wire.MaxDepth)
		if got := worded(m.Request.Err); want != "" && got != want {
			t.Errorf("%.100s: %s, want %s", send, got, want)
		}
	}
	if f := wire.Parse([]byte(`[`+strings.Repeat("1,", wire.MaxBatch)+`1]`), wire.MaxDepth).Request.Err; worded(f) != "Invalid request: a batch has at most 1024 members" {
		t.Errorf("too many members: %v", f)
	}
}

func TestParseLeavesTheFrameAlone(t *testing.T) {
	const text = ` [{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1}}, {"jsonrpc":"2.0","id":2,"method":"m","params":[2]}] `
	frame := []byte(text)
	m := wire.Parse(frame, wire.MaxDepth)
	// What is appended to a part must not run into the next one.
	_, _ = append(wire.Text(m.Batch[0].Params), "#####"...), append(m.Batch[0].IDText, "#####"...)
	if string(frame) != text || string(m.Batch[1].IDText) != "2" || string(wire.Text(m.Batch[1].Params)) != "[2]" {
		t.Errorf("%s", frame)
	}
	// A frame read later must not change one that was read before.
	wire.Parse([]byte(strings.Repeat(`[{"x":9}]`, 1)), wire.MaxDepth)
	if got := shown(m.Batch[0]); got != `m id 1 params {"a":1}` {
		t.Error(got)
	}
}

func TestParseTakesLargeFrames(t *testing.T) {
	large := `"` + strings.Repeat("x", 1<<20) + `"`
	for range 2 {
		m := wire.Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":`+large+`}`), wire.MaxDepth)
		if m.Request.Err != nil || string(wire.Text(m.Request.Params)) != large {
			t.Fatalf("fault %v, %d bytes of params", m.Request.Err, len(wire.Text(m.Request.Params)))
		}
	}
}

// nested is a request whose params open so many levels below the request.
func nested(levels int) string {
	return `{"jsonrpc":"2.0","id":7,"method":"m","params":` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + `}`
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
		{"before the id", `{"jsonrpc":"2.0","params":` + nested(100) + `,"id":8,"method":"m"}`, "fault -32600 to 8", deep},
		{"before an id twice", `{"jsonrpc":"2.0","params":` + nested(100) + `,"id":8,"id":9,"method":"m"}`, "fault -32600 to null", deep},
		{"around an id that looks like the request's", `{"jsonrpc":"2.0","params":` + strings.Repeat(`{"id":1,"\\\"":"]}","x":`, 100) + `0` + strings.Repeat("}", 100) + `,"method":"m","id":8}`, "fault -32600 to 8", deep},
		{"in an unknown member", `{"jsonrpc":"2.0","id":7,"method":"m","x":` + nested(100) + `}`, "fault -32600 to 7", deep},
		{"as an id that is bad anyway", `{"jsonrpc":"2.0","id":` + nested(100) + `}`, "fault -32600 to null", deep},
		{"after an id that is bad", `{"jsonrpc":"2.0","id":1.5,"params":` + nested(100) + `}`, "fault -32600 to null", deep},
		{"in a batch that is not closed", `[` + request + `,` + nested(wire.MaxDepth-1), "fault -32600 to null", deep},
		{"in a batch without ids", `[[],` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `]`, "fault -32600 to null", deep},
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
	// A batch is refused whole: each of its requests is answered.
	batch := `[` + request + `,5,{"jsonrpc":"2.0","method":"m"},{"jsonrpc":"2.0","method":"m","params":` + nested(100) + `,"id":"b"}]`
	if m := wire.Parse([]byte(batch), wire.MaxDepth); !m.Deep || m.Request.Err != nil || len(m.Batch) != 2 ||
		shown(m.Batch[0]) != "fault -32600 to 7" || shown(m.Batch[1]) != `fault -32600 to "b"` || worded(m.Batch[1].Err) != deep {
		t.Errorf("a batch that is too deep: %+v", m)
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
