// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"strings"
	"testing"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/plugintest"
)

func TestHandles(t *testing.T) {
	h := plugintest.New(t, &Library{}, printer)
	added := plugintest.One[Added](h, "library.add", Note{Text: "Call mother"})
	if parsed, err := plugin.ParseHandle(added.Text); err != nil || parsed.String() != added.Handle.String() {
		t.Errorf("%s is read as %s, %v", added.Text, parsed, err)
	}
	if got := plugintest.One[Printed](h, "printer.print", printParams{added.Handle}); got.Page != "* Call mother" {
		t.Errorf("printed: %+v", got)
	}
	added.Handle.Meta = []string{"2"}
	if err := h.Fails("printer.print", printParams{added.Handle}); !strings.Contains(err.Message, "No such note") {
		t.Errorf("a note that there is not: %v", err)
	}
	added.Handle.PluginID = plugin.Definition{Namespace: "archive", Version: "1.0.0"}.Handle("").PluginID
	if err := h.Fails("printer.print", printParams{added.Handle}); !strings.Contains(err.Message, "no activation resolves") {
		t.Errorf("a handle that nobody owns: %v", err)
	}
	h.CheckSchema("printer", "testdata/printer.json")
}
