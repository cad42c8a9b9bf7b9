// SPDX-License-Identifier: AGPL-3.0-only

package testkit_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

var placeholder = regexp.MustCompile(`"\$(sub|time|hash|id|any|superset)\b`)

func TestRecordingsAreWhatTheReferenceRegistryAnswered(t *testing.T) {
	frames, recordings := 0, map[string]int{}
	for _, e := range testkit.Recordings(t) {
		recordings[e.Recording]++
		for _, frame := range e.Frames {
			frames++
			if !json.Valid(frame) || placeholder.Match(frame) {
				t.Errorf("%s: a frame that is not filled in: %.300s", e.Recording, frame)
			}
		}
	}
	if len(recordings) != 30 || frames != 355 {
		t.Errorf("%d recordings with %d frames", len(recordings), frames)
	}
	// The reference took the port 0, which is an error here.
	e := testkit.Recordings(t, "register-bad-port")[0]
	items, err := e.Items(t)
	if err != nil || len(items) != 2 || items[0].Object()["type"] != "backend_registered" || !items[1].Last() {
		t.Errorf("got %+v, %v", items, err)
	}
	if method, params := e.Request.Call(); method != "registry.register" || !strings.Contains(string(params), `"port": 0`) {
		t.Errorf("got %s %s", method, params)
	}
}
