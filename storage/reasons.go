// SPDX-License-Identifier: AGPL-3.0-only

package storage

import "strings"

// Reasons are why a backend is inactive, any number of those below. Each is set
// and removed by itself: a lease that is renewed does not make a backend healthy.
type Reasons uint8

// The reasons.
const (
	ReasonDeregistered Reasons = 1 << iota // a call of deregister
	ReasonDropped                          // its source no longer lists it
	ReasonExpired                          // its lease was not renewed
	ReasonUnhealthy                        // its probes failed, or it answered under another name
	ReasonUnknown                          // another program has stored it as inactive
)

// reasonNames are in the order of the constants.
var reasonNames = []string{"deregistered", "dropped", "expired", "unhealthy", "unknown"}

// ParseReasons reads what String returns. An unknown name is ReasonUnknown.
func ParseReasons(text string) (all Reasons) {
	if text == "" {
		return 0
	}
	for name := range strings.SplitSeq(text, ",") {
		one := ReasonUnknown
		for i, known := range reasonNames {
			if name == known {
				one = 1 << i
			}
		}
		all |= one
	}
	return all
}

// Has reports whether one of the reasons is among r.
func (r Reasons) Has(one Reasons) bool { return r&one != 0 }

// First returns the name of the first reason; empty for none.
func (r Reasons) First() string {
	first, _, _ := strings.Cut(r.String(), ",")
	return first
}

// String returns the names of the reasons in the order of the constants, separated
// by commas; empty for none.
func (r Reasons) String() string {
	var names []string
	for i, name := range reasonNames {
		if r.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}
