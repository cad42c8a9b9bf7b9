// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
)

// TestLimitsAreSettings sets each limit that can be met in a moment, and meets
// it.
func TestLimitsAreSettings(t *testing.T) {
	t.Parallel()
	p := start(t, command(t.TempDir(), "--max-connections=2", "--max-message=1KiB", "--max-depth=5", "--max-name=5",
		"--max-registrations=1", "--max-header=4KiB", "--idle-timeout=0"))
	conn := testkit.Dial(t, p.url)
	register := func(name string) string { return fmt.Sprintf(`"registry_register","params":[%q,"localhost",1]`, name) }
	list := func(params string) string { return `"registry_list","params":{"x":` + params + `}` }
	for _, test := range []struct {
		name, request string
		want          int // the code of the error; 0 for none
	}{
		{"the longest name", register("alpha"), 0},
		{"one byte more", register("alphas"), plugin.CodeInvalidParams},
		{"the same name again", register("alpha"), 0},
		{"a second registration", register("beta"), plugin.CodeTooMany},
		{"the deepest message", list("[[[1]]]"), 0},
		{"one level more", list("[[[[1]]]]"), jsonrpc2.CodeInvalidRequest},
		{"too long", list(`"` + strings.Repeat("x", 1024) + `"`), plugin.CodeTooLarge},
	} {
		conn.Send(`{"jsonrpc":"2.0","id":1,"method":%s}`, test.request)
		got := 0
		for last := false; !last; {
			switch f := conn.Next(); {
			case f.Error != nil:
				got, last = f.Error.Code, true
			case f.Method != "":
				last = f.Params.Result.Last()
				if f.Params.Result.Code != "" {
					got, _ = strconv.Atoi(f.Params.Result.Code)
				}
			}
		}
		if got != test.want {
			t.Errorf("%s: code %d, want %d", test.name, got, test.want)
		}
	}
	// Each rejection is counted.
	status := connect(t, p.url).want(t, "status", "registry.status", object{})
	counters, _ := status["counters"].(object)
	for name, want := range map[string]float64{
		"accepted": 2, "connections": 2, "refused_registrations": 1, "refused_deep": 1, "refused_large": 1, "refused_calls": 0,
	} {
		if counters[name] != want {
			t.Errorf("%s: %v, want %v", name, counters[name], want)
		}
	}
	for name, test := range map[string]struct {
		header http.Header
		want   int
	}{
		"a large header": {http.Header{"X-Large": {strings.Repeat("x", 16<<10)}}, http.StatusRequestHeaderFieldsTooLarge},
		"a third of two": {nil, http.StatusServiceUnavailable},
	} {
		if _, answer, err := testkit.DialWith(t, new(websocket.Dialer), p.url, test.header); err == nil || answer == nil || answer.StatusCode != test.want {
			t.Errorf("%s: %v, %v, want the status %d", name, answer, err, test.want)
		}
	}
}
