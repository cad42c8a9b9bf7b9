// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"slices"
	"testing"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/plugintest"
)

func TestSolar(t *testing.T) {
	h := plugintest.New(t, solar())
	for path, radius := range map[string]float64{
		"solar.info": 695_700, "solar.earth.info": 6371, "solar.earth.luna.info": 1737, "solar.mars.deimos.info": 6.2, "solar.halley.info": 5.5,
	} {
		if got := plugintest.One[Body](h, path, nil); got.RadiusKM != radius {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if got := plugintest.All[string](h, "solar.list_children", nil); !slices.Equal(got, []string{"encke", "hale-bopp", "halley"}) {
		t.Errorf("the comets are %q", got)
	}
	if got := plugintest.All[string](h, "solar.search_children", map[string]string{"query": "hal"}); len(got) != 2 {
		t.Errorf("like hal are %q", got)
	}
	if err := h.Fails("solar.pluto.info", nil); err.Code != plugin.CodeMethodNotFound {
		t.Errorf("pluto: %v", err)
	}
	for _, path := range []string{"solar", "solar.earth", "solar.earth.luna", "solar.halley"} {
		h.CheckSchema(path, "testdata/"+path+".json")
	}
}
