// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/config"
	"github.com/plexus-go/plexus/plugin"
)

// TestLimitsAreSettings sets each limit that can be met in a moment, and meets
// it.
func TestLimitsAreSettings(t *testing.T) {
	p := start(t, command(t.TempDir(), "--max-connections=2", "--max-message=1KiB", "--max-depth=5", "--max-name=5",
		"--max-registrations=1", "--max-header=4KiB", "--idle-timeout=0"))
	dial := func(header http.Header) (*websocket.Conn, int) {
		ws, answer, err := websocket.DefaultDialer.Dial(p.url, header)
		if err == nil {
			t.Cleanup(func() { ws.Close() })
			return ws, 0
		}
		if answer == nil {
			t.Fatal(err)
		}
		return nil, answer.StatusCode
	}
	ws, _ := dial(nil)
	// code sends a request and returns the code of the error that it meets,
	// as an answer or as an item; 0 for none.
	code := func(request string) int {
		t.Helper()
		if err := ws.WriteMessage(websocket.TextMessage, []byte(request)); err != nil {
			t.Fatal(err)
		}
		ws.SetReadDeadline(time.Now().Add(patience))
		for {
			var frame struct {
				Error  *struct{ Code int }
				Params struct {
					Result struct {
						Type string
						Code json.Number
					}
				}
			}
			if err := ws.ReadJSON(&frame); err != nil {
				t.Fatal(err)
			}
			switch {
			case frame.Error != nil:
				return frame.Error.Code
			case frame.Params.Result.Type == "error":
				code, _ := frame.Params.Result.Code.Int64()
				return int(code)
			case frame.Params.Result.Type == "done":
				return 0
			}
		}
	}
	register := func(name string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"registry_register","params":[%q,"localhost",1]}`, name)
	}
	for _, test := range []struct {
		name, request string
		want          int
	}{
		{"a name as long as it may be", register("alpha"), 0},
		{"one byte more", register("alphas"), plugin.CodeInvalidParams},
		{"again", register("alpha"), 0},
		{"a second registration", register("beta"), plugin.CodeTooMany},
		{"as deep as it may be", `{"jsonrpc":"2.0","id":1,"method":"registry_list","params":{"x":[[[1]]]}}`, 0},
		{"one level more", `{"jsonrpc":"2.0","id":1,"method":"registry_list","params":{"x":[[[[1]]]]}}`, plugin.CodeInvalidRequest},
		{"too long", `{"jsonrpc":"2.0","id":1,"method":"registry_list","params":{"x":"` + strings.Repeat("x", 1024) + `"}}`, plugin.CodeTooLarge},
	} {
		if got := code(test.request); got != test.want {
			t.Errorf("%s: code %d, want %d", test.name, got, test.want)
		}
	}
	// Each that was met is counted.
	status := connect(t, p.url).want(t, "status", "registry.status", object{})
	counters, _ := status["counters"].(object)
	for name, want := range map[string]float64{
		"accepted": 2, "connections": 2, "refused_registrations": 1, "refused_deep": 1, "refused_large": 1, "refused_calls": 0,
	} {
		if counters[name] != want {
			t.Errorf("%s: %v, want %v", name, counters[name], want)
		}
	}
	if _, status := dial(http.Header{"X-Large": {strings.Repeat("x", 16<<10)}}); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a large header is answered with %d", status)
	}
	if _, status := dial(nil); status != http.StatusServiceUnavailable {
		t.Errorf("the third connection of two is answered with %d", status)
	}
}

// TestEverySettingIsUsed finds the settings that nothing reads: a limit that is
// parsed and then forgotten looks like one that holds.
func TestEverySettingIsUsed(t *testing.T) {
	source := readText(t, "main.go") + readText(t, "doors.go")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Settings]()) {
		if !field.Anonymous && !regexp.MustCompile(`\.`+field.Name+`\b`).MatchString(source) {
			t.Errorf("%s is a setting that nothing uses", field.Name)
		}
	}
}
