// SPDX-License-Identifier: AGPL-3.0-only

package testhub_test

import (
	"path/filepath"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/echo"
)

func TestAHubIsServedUntilItIsStopped(t *testing.T) {
	database := filepath.Join(t.TempDir(), "registry.db")
	h := testhub.Start(t, testhub.Config{Activations: []plugin.Activation{echo.New()}, Registry: true, Database: database})
	conn := testkit.Dial(t, h.URL)
	items := conn.Call("hub", "registry.register", `{"name":"a","host":"h","port":1}`)
	if len(items) != 2 || items[0].Object()["type"] != "backend_registered" || !items[1].Last() {
		t.Errorf("got %+v", items)
	}
	conn.Quiet()
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	if code := conn.Closed(); code != 1001 {
		t.Errorf("closed with %d", code)
	}
	// The same again, at the same address.
	h = testhub.Start(t, testhub.Config{Registry: true, Database: database, Address: h.Addr})
	if items := testkit.Dial(t, h.URL).Call("hub", "registry.get", `{"name":"a"}`); items[0].Object()["backend"] == nil {
		t.Errorf("got %+v", items)
	}
}
