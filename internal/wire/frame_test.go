// SPDX-License-Identifier: AGPL-3.0-only

package wire_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

func TestParseFrame(t *testing.T) {
	notification := func(item string) string {
		return `{"jsonrpc":"2.0","method":"m","params":{"subscription":7,"result":` + item + `}}`
	}
	of := func(item string, want plugin.Item) wire.Frame {
		want.Raw = []byte(item)
		return wire.Frame{Subscription: []byte("7"), Item: want}
	}
	list := []byte("[1]")
	tests := []struct {
		name, text string
		want       wire.Frame
	}{
		{"subscription", `{"jsonrpc":"2.0","id":7,"result":1275710172627390}`, wire.Frame{ID: []byte("7"), Result: []byte("1275710172627390")}},
		{"result", ` { "id" : "a" , "result" : {"success":true} } `, wire.Frame{ID: []byte(`"a"`), Result: []byte(`{"success":true}`)}},
		{"null result", `{"id":1,"result":null}`, wire.Frame{ID: []byte("1"), Result: []byte("null")}},
		{"error", `{"id":null,"error":{"code":-32700,"message":"Parse error","data":"why"}}`,
			wire.Frame{ID: []byte("null"), Err: wire.NewError(-32700, "Parse error", "why")}},
		{"error, data that is no text", `{"id":1,"error":{"code":-1,"message":"m","data":[1]}}`,
			wire.Frame{ID: []byte("1"), Err: &jsonrpc2.Error{Code: -1, Message: "m", Data: (*json.RawMessage)(&list)}}},
		{"error, code as a string", `{"id":1,"error":{"code":"-32700","message":"\u0041"}}`,
			wire.Frame{ID: []byte("1"), Err: &jsonrpc2.Error{Code: -32700, Message: "A"}}},
		{"error, of other types", `{"id":1,"error":{"code":1.5,"message":7,"more":{}}}`, wire.Frame{ID: []byte("1"), Err: &jsonrpc2.Error{}}},
		{"error that is text", `{"id":1,"error":"no"}`, wire.Frame{ID: []byte("1"), Err: &jsonrpc2.Error{}}},
		{"error that is null", `{"id":1,"error":null,"result":2}`, wire.Frame{ID: []byte("1"), Result: []byte("2")}},
		{"nothing", `{}`, wire.Frame{}},
		{"something else", `{"method":"x","params":[1]}`, wire.Frame{}},

		{"data", notification(`{"type":"data","metadata":{"provenance":["a","b"],"plexus_hash":"00e9","timestamp":17},"content_type":"x.y","content":{"z":[1]}}`),
			of(`{"type":"data","metadata":{"provenance":["a","b"],"plexus_hash":"00e9","timestamp":17},"content_type":"x.y","content":{"z":[1]}}`,
				plugin.Item{Kind: "data", Metadata: plugin.Metadata{Provenance: []string{"a", "b"}, Hash: "00e9", Timestamp: 17}, ContentType: "x.y", Content: json.RawMessage(`{"z":[1]}`)})},
		{"progress, how far is unknown", notification(`{"type":"progress","message":"some"}`),
			of(`{"type":"progress","message":"some"}`, plugin.Item{Kind: "progress", Message: "some", Percentage: -1})},
		{"error item with details", notification(`{"type":"error","data":{"a":1}}`),
			of(`{"type":"error","data":{"a":1}}`, plugin.Item{Kind: "error", Details: json.RawMessage(`{"a":1}`)})},
		{"progress", notification(`{"type":"progress","message":"half","percentage":50.5}`),
			of(`{"type":"progress","message":"half","percentage":50.5}`, plugin.Item{Kind: "progress", Message: "half", Percentage: 50.5})},
		{"error item", notification(`{"type":"error","message":"no","code":"-32601","recoverable":true}`),
			of(`{"type":"error","message":"no","code":"-32601","recoverable":true}`, plugin.Item{Kind: "error", Message: "no", Code: "-32601", Recoverable: true})},
		{"error item, code as a number", notification(`{"type":"error","code":-5,"recoverable":1}`),
			of(`{"type":"error","code":-5,"recoverable":1}`, plugin.Item{Kind: "error", Code: "-5"})},
		{"request, newest", notification(`{"type":"request","requestId":"r","requestData":{"a":1},"timeoutMs":1500}`),
			of(`{"type":"request","requestId":"r","requestData":{"a":1},"timeoutMs":1500}`,
				plugin.Item{Kind: "request", RequestID: "r", Question: []byte(`{"a":1}`), Timeout: 1500 * time.Millisecond})},
		{"request, older", notification(`{"type":"request","request_id":"r","request":{"a":1},"timeout":1e300}`),
			of(`{"type":"request","request_id":"r","request":{"a":1},"timeout":1e300}`,
				plugin.Item{Kind: "request", RequestID: "r", Question: []byte(`{"a":1}`), Timeout: 24 * time.Hour})},
		{"request, both", notification(`{"type":"request","request_id":null,"request":null,"timeout":-1,"requestId":"r","requestData":1}`),
			of(`{"type":"request","request_id":null,"request":null,"timeout":-1,"requestId":"r","requestData":1}`,
				plugin.Item{Kind: "request", RequestID: "r", Question: []byte("1")})},
		{"done", notification(` {"type":"done"} `), of(`{"type":"done"}`, plugin.Item{Kind: "done"})},
		{"unknown type", notification(`{"type":"new","x":1}`), of(`{"type":"new","x":1}`, plugin.Item{Kind: "new"})},
		{"no object", notification(`[1, 2]`), of(`[1, 2]`, plugin.Item{})},
		{"escaped names", notification(`{"\u0074ype":"\u0064one"}`), of(`{"\u0074ype":"\u0064one"}`, plugin.Item{Kind: "done"})},
		{"metadata of other types", notification(`{"metadata":{"provenance":[1,"a"],"plexus_hash":null,"timestamp":1e99}}`),
			of(`{"metadata":{"provenance":[1,"a"],"plexus_hash":null,"timestamp":1e99}}`, plugin.Item{Metadata: plugin.Metadata{Provenance: []string{"", "a"}}})},
		{"names twice", `{"id":1,"id":2,"result":3}`, wire.Frame{ID: []byte("2"), Result: []byte("3")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := wire.ParseFrame([]byte(test.text))
			if err != nil || !reflect.DeepEqual(*got, test.want) {
				t.Errorf("%s\ngot  %+v, %v\nwant %+v", test.text, got, err, test.want)
			}
		})
	}
}

func TestParseFrameRefuses(t *testing.T) {
	for _, text := range []string{"", " ", "hello", "[]", `[{"id":1}]`, "7", `"x"`, "null", "{", `{"id":1`, `{"id":1}}`, `{"id":1} {}`, `{"id":}`, `{"params":{"result":{"metadata":{"provenance":[`} {
		if f, err := wire.ParseFrame([]byte(text)); err == nil {
			t.Errorf("%q: got %+v", text, f)
		}
	}
}

func TestKey(t *testing.T) {
	for _, same := range [][]string{{"7", `"7"`, `"\u0037"`}, {`"a\nb"`, `"\u0061\u000Ab"`}, {`{"success":true}`}, {"null"}, {`""`}} {
		for _, id := range same {
			if got, want := string(wire.Key([]byte(id))), string(wire.Key([]byte(same[0]))); got != want {
				t.Errorf("%s: got %q, want %q", id, got, want)
			}
		}
	}
}

func TestPeekSubscription(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for text, want := range map[string]string{
		`{"jsonrpc":"2.0","method":"m","params":{"subscription":7,"result":{"content":"` + long:     "7",
		`{"jsonrpc":"2.0","method":"m","params":{"subscription":"a b","result":{"content":"` + long: `"a b"`,
		`{"params":{"other":[1],"subscription":7`:                                                   "",
		`{"params":{"result":"` + long:                                                              "",
		`{"id":7,"result":"` + long:                                                                 "",
		`["` + long:                                                                                 "",
		`{"params":"` + long:                                                                        "",
		"":                                                                                          "",
	} {
		if got := wire.PeekSubscription([]byte(text)); string(got) != want {
			t.Errorf("%.60s: got %s, want %s", text, got, want)
		}
	}
}

// TestParseFrameReadsWhatHubsWrite reads what package wire itself writes.
func TestParseFrameReadsWhatHubsWrite(t *testing.T) {
	text, err := wire.AppendItem(nil, "m", 7, &plugin.Item{
		Kind: plugin.KindData, Metadata: plugin.Metadata{Provenance: []string{"a"}, Hash: "00e9", Timestamp: 17}, ContentType: "x.y", Content: "z",
	}, math.MaxInt)
	if err != nil {
		t.Fatal(err)
	}
	f, err := wire.ParseFrame(text)
	if err != nil || string(f.Subscription) != "7" || f.Item.Kind != "data" || !reflect.DeepEqual(f.Item.Content, json.RawMessage(`"z"`)) ||
		f.Item.ContentType != "x.y" || !reflect.DeepEqual(f.Item.Metadata, plugin.Metadata{Provenance: []string{"a"}, Hash: "00e9", Timestamp: 17}) {
		t.Errorf("%s\ngot %+v, %v", text, f, err)
	}
	f, err = wire.ParseFrame(wire.AppendError(nil, []byte("3"), wire.InvalidParams("why")))
	if err != nil || !reflect.DeepEqual(f.Err, wire.InvalidParams("why")) {
		t.Errorf("got %+v, %v", f, err)
	}
}

// TestParseReadsWhatClientsWrite reads the requests of package wire itself.
func TestParseReadsWhatClientsWrite(t *testing.T) {
	for want, got := range map[string][]byte{
		`{"jsonrpc":"2.0","id":1,"method":"_info","params":null}`:                                                        wire.AppendRequest(nil, 1, wire.InfoMethod, []byte("null")),
		`{"jsonrpc":"2.0","id":2,"method":"h.hash"}`:                                                                     wire.AppendRequest(nil, 2, "h.hash", nil),
		`{"jsonrpc":"2.0","id":3,"method":"h.call","params":{"method":"a.\"b","params":{"c":1}}}`:                        wire.AppendCall(nil, 3, "h", `a."b`, []byte(`{"c":1}`)),
		`{"jsonrpc":"2.0","id":4,"method":"h.call","params":{"method":"a.b"}}`:                                           wire.AppendCall(nil, 4, "h", "a.b", nil),
		`{"jsonrpc":"2.0","id":5,"method":"h.call_unsub","params":["x"]}`:                                                wire.AppendUnsubscribe(nil, 5, "h.call", []byte(`"x"`)),
		`{"jsonrpc":"2.0","id":6,"method":"h.respond","params":{"request_id":"r","response_data":{"type":"cancelled"}}}`: wire.AppendRespond(nil, 6, "h", "r", []byte(`{"type":"cancelled"}`)),
	} {
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if m := wire.Parse(got, wire.MaxDepth); m.Request.Err != nil || m.Request.IDText == nil {
			t.Errorf("%s: %v", got, m.Request.Err)
		}
	}
}

// recorded calls with the frames of the recordings that a hub sent.
func recorded(t testing.TB, each func(text []byte)) {
	for _, e := range testkit.Recordings(t) {
		for _, frame := range e.Frames {
			each(frame)
		}
	}
}

func TestParseRecordedFrames(t *testing.T) {
	n := 0
	recorded(t, func(text []byte) {
		n++
		f, err := wire.ParseFrame(text)
		switch {
		case err != nil:
			t.Errorf("%s: %v", text, err)
		case f.Subscription != nil:
			if f.Item.Kind == "" || f.Item.Metadata.Hash == "" || f.Item.Metadata.Timestamp == 0 || f.Item.Metadata.Provenance == nil && !bytes.Contains(text, []byte(`"provenance": []`)) {
				t.Errorf("%s: got %+v", text, f)
			}
		case f.ID == nil || (f.Result == nil) == (f.Err == nil):
			t.Errorf("%s: got %+v", text, f)
		}
	})
	if n < 200 {
		t.Errorf("only %d frames were recorded", n)
	}
}

func FuzzParseFrame(f *testing.F) {
	recorded(f, func(text []byte) { f.Add(text) })
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		frame, err := wire.ParseFrame(text)
		if !bytes.Equal(before, text) {
			t.Fatal("the text was changed")
		}
		if (err != nil) != (frame == nil) {
			t.Fatalf("%+v beside %v", frame, err)
		}
		// encoding/json is as lenient: what it takes for an object is one.
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) == nil && object != nil && err != nil {
			t.Fatalf("%v", err)
		}
		wire.PeekSubscription(text[:len(text)/2])
		if frame == nil {
			return
		}
		// What is handed on as JSON must be JSON.
		values := [][]byte{frame.ID, frame.Result, frame.Subscription, frame.Item.Raw, frame.Item.Question}
		if frame.Err != nil {
			values = append(values, wire.Text(frame.Err.Data))
		}
		for _, value := range []any{frame.Item.Content, frame.Item.Details} {
			if value != nil {
				values = append(values, value.(json.RawMessage))
			}
		}
		for _, value := range values {
			if value != nil && !json.Valid(value) {
				t.Fatalf("%q is not JSON", value)
			}
		}
		wire.Key(frame.Subscription)
	})
}

func BenchmarkParseFrame(b *testing.B) {
	text := []byte(`{"jsonrpc":"2.0","method":"registry-hub.call","params":{"subscription":1275710172627390,"result":{"type":"data","metadata":{"provenance":["registry"],"plexus_hash":"00e9e57b321aa1bc","timestamp":1795336246},"content_type":"registry.get","content":{"type":"backend","backend":{"name":"alpha","host":"127.0.0.1","port":4444}}}}}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.ParseFrame(text); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		name string
		got  []byte
		want string
	}{
		{"a result", wire.AppendResult(nil, []byte(`7`), []byte(`true`)), `{"jsonrpc":"2.0","id":7,"result":true}`},
		{"a result, to an id as it was sent", wire.AppendResult(nil, []byte(`"\u0061"`), []byte(`{}`)), `{"jsonrpc":"2.0","id":"\u0061","result":{}}`},
		{"a subscription", wire.AppendSubscription(nil, []byte(`null`), 1<<53-1), `{"jsonrpc":"2.0","id":null,"result":9007199254740991}`},
		{"not JSON", wire.AppendError(nil, nil, wire.ParseError), `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}`},
		{"no request", wire.AppendError(nil, []byte(`1`), wire.InvalidRequest), `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"Invalid request"}}`},
		{"no method", wire.AppendError(nil, []byte(`1`), wire.MethodNotFound), `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`},
		{"bad parameters", wire.AppendError(nil, []byte(`1`), wire.InvalidParams("a \"b\"\n")), `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid params","data":"a \"b\"\n"}}`},
		{"too large", wire.AppendError(nil, nil, wire.TooLarge(10<<20)), `{"jsonrpc":"2.0","id":null,"error":{"code":-32007,"message":"Request is too big","data":"Exceeded max limit of 10485760"}}`},
		{"a fault that is not UTF-8", wire.AppendError(nil, nil, wire.InvalidParams("a\xffb")), `{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"Invalid params","data":"a` + "\ufffd" + `b"}}`},
		{"after another", wire.AppendResult([]byte("[x,"), []byte(`1`), []byte(`2`)), `[x,{"jsonrpc":"2.0","id":1,"result":2}`},
	} {
		if string(test.got) != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.name, test.got, test.want)
		}
	}
}

// own is content that writes its own JSON.
type own struct{}

func (own) AppendJSON(dst []byte) ([]byte, error) { return append(dst, `{"own":1}`...), nil }

// late and bare are details of a kind.
type (
	late struct {
		Child string `json:"child"`
	}
	bare struct{}
)

func (late) ErrorKind() string { return "child_timeout" }
func (bare) ErrorKind() string { return "bare" }

func TestNotifications(t *testing.T) {
	meta := plugin.Metadata{Provenance: []string{"registry"}, Hash: "0123456789abcdef", Timestamp: 1795336251}
	const m = `"metadata":{"provenance":["registry"],"plexus_hash":"0123456789abcdef","timestamp":1795336251}`
	for _, test := range []struct {
		name string
		item plugin.Item
		want string // of the item
	}{
		{"data", plugin.Item{Kind: plugin.KindData, Metadata: meta, ContentType: "registry.get", Content: map[string]any{"b": nil, "a": 1}},
			`{"type":"data",` + m + `,"content_type":"registry.get","content":{"a":1,"b":null}}`},
		{"data that writes itself", plugin.Item{Kind: plugin.KindData, Metadata: meta, ContentType: "a.b", Content: own{}},
			`{"type":"data",` + m + `,"content_type":"a.b","content":{"own":1}}`},
		{"data that is nothing", plugin.Item{Kind: plugin.KindData, Metadata: meta, ContentType: "a.b"},
			`{"type":"data",` + m + `,"content_type":"a.b","content":null}`},
		{"special characters", plugin.Item{Kind: plugin.KindData, Metadata: meta, ContentType: "a.b", Content: "<é\"\\\n\x01\u2028>"},
			`{"type":"data",` + m + `,"content_type":"a.b","content":"<é\"\\\n\u0001` + "\u2028" + `>"}`},
		{"an error", plugin.Item{Kind: plugin.KindError, Metadata: meta, Message: "Method not found: x", Code: "-32601"},
			`{"type":"error",` + m + `,"message":"Method not found: x","code":"-32601","recoverable":false}`},
		{"an error without a code", plugin.Item{Kind: plugin.KindError, Metadata: meta, Message: "so", Recoverable: true},
			`{"type":"error",` + m + `,"message":"so","recoverable":true}`},
		{"an error with special characters", plugin.Item{Kind: plugin.KindError, Metadata: meta, Message: "a\"\n\xff", Code: "1"},
			`{"type":"error",` + m + `,"message":"a\"\n` + "\ufffd" + `","code":"1","recoverable":false}`},
		{"an error of a kind that its code tells", plugin.Item{Kind: plugin.KindError, Metadata: meta, Message: "so", Code: "-32001"},
			`{"type":"error",` + m + `,"message":"so","code":"-32001","error_kind":"unauthenticated","recoverable":false}`},
		{"an error in the parameters", plugin.Item{Kind: plugin.KindError, Metadata: meta, Message: "so", Code: "-32602"},
			`{"type":"error",` + m + `,"message":"so","code":"-32602","error_kind":"invalid_params","recoverable":false}`},
		{"an error with details", plugin.Item{Kind: plugin.KindError, Metadata: meta, Message: "so", Code: "-32003", Details: map[string]int{"a": 1}},
			`{"type":"error",` + m + `,"message":"so","code":"-32003","error_kind":"forbidden","recoverable":false,"data":{"a":1}}`},
		{"an error whose details are of a kind", plugin.Item{Kind: plugin.KindError, Metadata: meta, Message: "so", Code: "-32000", Details: late{Child: "a\""}},
			`{"type":"error",` + m + `,"message":"so","code":"-32000","error_kind":"child_timeout","recoverable":false,"child":"a\""}`},
		{"an error of a kind without fields", plugin.Item{Kind: plugin.KindError, Metadata: meta, Message: "so", Code: "-32000", Details: bare{}},
			`{"type":"error",` + m + `,"message":"so","code":"-32000","error_kind":"bare","recoverable":false}`},
		{"the end", plugin.Item{Kind: plugin.KindDone, Metadata: meta}, `{"type":"done",` + m + `}`},
		{"from nowhere", plugin.Item{Kind: plugin.KindDone}, `{"type":"done","metadata":{"provenance":[],"plexus_hash":"","timestamp":0}}`},
		{"from several", plugin.Item{Kind: plugin.KindDone, Metadata: plugin.Metadata{Provenance: []string{"a", "b\"", "c"}, Hash: "h", Timestamp: -1}},
			`{"type":"done","metadata":{"provenance":["a","b\"","c"],"plexus_hash":"h","timestamp":-1}}`},
		{"an item within", plugin.Item{Kind: plugin.KindData, Metadata: meta, ContentType: "plexus.call", Content: &plugin.Item{Kind: plugin.KindData, Metadata: meta, ContentType: "plexus.call",
			Content: &plugin.Item{Kind: plugin.KindError, Metadata: meta, Message: "so", Code: "-32000"}}},
			`{"type":"data",` + m + `,"content_type":"plexus.call","content":{"type":"data",` + m + `,"content_type":"plexus.call","content":{"type":"error",` + m + `,"message":"so","code":"-32000","recoverable":false}}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := wire.AppendItem([]byte("before"), "registry-hub.call", 1275710172627390, &test.item, math.MaxInt)
			want := `before{"jsonrpc":"2.0","method":"registry-hub.call","params":{"subscription":1275710172627390,"result":` + test.want + `}}`
			if err != nil || string(got) != want {
				t.Errorf("%v\n got %s\nwant %s", err, got, want)
			}
			if !json.Valid(got[len("before"):]) {
				t.Error("not JSON")
			}
		})
	}
}

func TestNotificationOfAMethodWithSpecialCharacters(t *testing.T) {
	got, err := wire.AppendItem(nil, "a\"é\xff", 1, &plugin.Item{Kind: plugin.KindDone}, math.MaxInt)
	if want := `{"jsonrpc":"2.0","method":"a\"é` + "\ufffd" + `","params":`; err != nil || !strings.HasPrefix(string(got), want) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestNotificationThatFailsLeavesTheBufferAsItWas(t *testing.T) {
	for name, content := range map[string]any{
		"a number that JSON does not have": math.Inf(1),
		"what is not UTF-8":                "\xff",
		"a union of nothing":               struct{ plugin.Union }{},
	} {
		for _, item := range []*plugin.Item{
			{Kind: plugin.KindData, Content: content},
			{Kind: plugin.KindData, Content: &plugin.Item{Kind: plugin.KindData, Content: content}},
		} {
			before := append(make([]byte, 0, 4096), "before"...)
			got, err := wire.AppendItem(before, "m", 1, item, math.MaxInt)
			if err == nil || string(got) != "before" {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}
