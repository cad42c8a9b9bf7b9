// SPDX-License-Identifier: AGPL-3.0-only

package storage_test

import (
	"testing"

	"github.com/plexus-go/plexus/storage"
)

func TestReasonsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]storage.Reasons{
		"":                       0,
		"deregistered":           storage.ReasonDeregistered,
		"dropped":                storage.ReasonDropped,
		"expired,unhealthy":      storage.ReasonExpired | storage.ReasonUnhealthy,
		"deregistered,unhealthy": storage.ReasonDeregistered | storage.ReasonUnhealthy,
		"unknown":                storage.ReasonUnknown,
	} {
		if got := storage.ParseReasons(text); got != want || got.String() != text {
			t.Errorf("%q: got %05b, which is %q", text, got, got)
		}
	}
	if got := storage.ParseReasons("unhealthy,tired"); got != storage.ReasonUnhealthy|storage.ReasonUnknown {
		t.Errorf("an unknown reason: got %q", got)
	}
	if got := (storage.ReasonUnhealthy | storage.ReasonExpired).First(); got != "expired" {
		t.Errorf("the first is %q", got)
	}
}
