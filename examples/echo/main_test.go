// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"testing"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/plugintest"
)

func TestEcho(t *testing.T) {
	h := plugintest.New(t, echo)
	if got := plugintest.One[Echo](h, "echo.say", sayParams{Text: "hi", Mood: "loud"}); got.Text != "HI" {
		t.Errorf("said loud: %+v", got)
	}
	if got := plugintest.All[Echo](h, "echo.repeat", repeatParams{Text: "hi", Times: 2}); len(got) != 2 || got[1] != (Echo{"hi", 2}) {
		t.Errorf("said twice: %+v", got)
	}
	if err := h.Fails("echo.say", sayParams{Text: "hi", Mood: "sad"}); err.Code != plugin.CodeInvalidParams {
		t.Errorf("said in a mood that there is not: %v", err)
	}
	h.CheckSchema("echo", "testdata/echo.json")
}
