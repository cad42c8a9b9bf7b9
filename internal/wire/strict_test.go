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
