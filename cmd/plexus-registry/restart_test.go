// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestTheDatabaseOfTheReferenceRegistryIsServed starts on it twice. (The tests of
// the registry compare its entries.)
func TestTheDatabaseOfTheReferenceRegistryIsServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reference(t, dir)
	for _, opening := range []string{"first", "second"} {
		p := start(t, command(dir))
		const request = `{"jsonrpc":"2.0","id":1,"method":"registry_list","params":{"active_only":false}}`
		conn := testkit.Dial(t, p.url)
		conn.Send(request)
		answer := []json.RawMessage{[]byte(conn.Text()), []byte(conn.Text()), []byte(conn.Text())}
		if err := served(t, p.url).checkExchange(request, answer); err != nil {
			t.Error(err)
		}
		active := map[string]any{}
		for name, entry := range list(t, p.url) {
			active[name] = entry["is_active"]
		}
		want := map[string]any{"fromenv": true, "gone": false, "hub2": true, "lg-000006": true, "lg-000007": true,
			"odd-port": true, "odd-protocol": true, "prod": true}
		if !reflect.DeepEqual(active, want) {
			t.Errorf("%s opening: the entries, and whether they are active: %v", opening, active)
		}
		p.stop(t)
		odd := map[any]any{}
		for _, record := range p.log(t) {
			if record["level"] == slog.LevelWarn.String() {
				odd[record["backend"]] = record["rule"]
			}
		}
		if len(odd) != 2 || odd["odd-port"] != "port 0 is not 1–65535" || !strings.Contains(fmt.Sprint(odd["odd-protocol"]), "http") {
			t.Errorf("%s opening: the log warns of %v", opening, odd)
		}
	}
}
