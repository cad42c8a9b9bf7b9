// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestCostOfCalls bounds what the calls that hubs and their clients make all the
// time allocate, in a hub without a connection.
func TestCostOfCalls(t *testing.T) {
	if testkit.Instrumented() {
		t.Skip("the race detector allocates")
	}
	h := filled(t, memory(t), 100)
	for _, test := range []struct {
		method string
		limit  float64
	}{
		{"get", 9},
		{"ping", 50},
	} {
		var buffer []byte
		path, params := "registry."+test.method, []byte(`{"name": "backend-00050"}`)
		if n := testing.AllocsPerRun(200, func() { buffer = h.answerTo(buffer, path, params) }); n > test.limit {
			t.Errorf("%s: %.0f allocations, more than %.0f", test.method, n, test.limit)
		}
	}
}
