// SPDX-License-Identifier: AGPL-3.0-only

package sqlite

import (
	"strings"
	"testing"
)

func TestSizeGrows(t *testing.T) {
	s := openTest(t)
	before, err := s.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	w := put("large")
	w.Backend.Description = &long
	if _, err := s.Apply(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	after, err := s.Size(t.Context())
	if err != nil || before <= 0 || after-before < 1<<20 {
		t.Errorf("%d bytes grew to %d by %d: %v", before, after, 1<<20, err)
	}
}
