// SPDX-License-Identifier: AGPL-3.0-only

package wire_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

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
