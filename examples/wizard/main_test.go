// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"testing"

	"github.com/plexus-go/plexus/plugin/plugintest"
)

func TestWizard(t *testing.T) {
	h := plugintest.New(t, wizard)
	h.Answer("shop", "web", true)
	if got := plugintest.One[Event](h, "wizard.create", nil); got.Created == nil || *got.Created != (Created{"shop", "web"}) {
		t.Errorf("all answered: %+v", got)
	}
	h.Answer("shop", plugintest.Cancel)
	if got := plugintest.One[Event](h, "wizard.create", nil); got.Abandoned == nil || got.Abandoned.Step != "template" {
		t.Errorf("cancelled at the second question: %+v", got)
	}
	h.Answer("shop", "cli", false)
	if got := plugintest.One[Event](h, "wizard.create", nil); got.Abandoned == nil || got.Abandoned.Step != "confirmation" {
		t.Errorf("not confirmed: %+v", got)
	}
	h.CheckSchema("wizard", "testdata/wizard.json")
}
