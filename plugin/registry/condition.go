// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"
	"unicode"

	"github.com/plexus-go/plexus/plugin"
)

// HealthStatus says how a backend was when it was probed.
type HealthStatus string

const (
	statusUnknown  HealthStatus = "unknown"
	statusPassing  HealthStatus = "passing"
	statusWarning  HealthStatus = "warning"
	statusCritical HealthStatus = "critical"
)

var _ plugin.Enumerated = HealthStatus("")

// Enum lists the statuses.
func (HealthStatus) Enum() []plugin.Choice {
	return []plugin.Choice{
		{Value: string(statusUnknown), Description: "Not probed yet"},
		{Value: string(statusPassing), Description: "It answers, under its name"},
		{Value: string(statusWarning), Description: "It failed lately, it refuses us, or it is flapping"},
		{Value: string(statusCritical), Description: "It failed three times in a row, or answers under another name than before"},
	}
}

// EnumDescription says what the enumeration is.
func (HealthStatus) EnumDescription() string { return "How a backend was when it was probed" }

const (
	// maxFailures in a row deactivate an entry.
	maxFailures = 3
	// An entry is flapping if its last results changed so often between good and
	// bad.
	flapChanges = 5
	flapResults = 16
)

// condition is what the probes of one entry have found. It is never changed,
// only replaced.
type condition struct {
	address  string // what was probed; another address begins anew
	at       time.Time
	status   HealthStatus
	answered string // the name that the last probe was answered with, if it is right
	held     bool   // the last probe has failed, and by our own fault
	failures int    // in a row
	misnamed bool   // it has answered under another name, and not under its own since
	reason   string
	latency  time.Duration
	seen     int64  // when it last answered, Unix seconds
	results  uint16 // the last ones, the newest in the lowest bit, set for bad
	probes   int    // how many of the results there are
}

func (c *condition) flapping() bool {
	if c.probes < 2 {
		return false
	}
	pairs := uint16(1)<<(c.probes-1) - 1
	return bits.OnesCount16((c.results^c.results>>1)&pairs) >= flapChanges
}

// next is the condition after one more probe. A failure that is our own is shown,
// and does not count as one of the backend.
func (e *entry) next(p probed, ours bool, now int64) *condition {
	n := &condition{address: p.address, status: e.info.Health}
	if e.condition != nil {
		*n = *e.condition
	}
	n.answered, n.held = p.name, p.err != nil && ours
	critical := n.status == statusCritical // it takes an answer to become another
	if n.held {
		n.reason = printable(p.err)
		if !critical {
			n.status = statusWarning
		}
		return n
	}
	n.results <<= 1
	n.probes = min(n.probes+1, flapResults)
	n.latency = p.latency
	refused := errors.Is(p.err, ErrNotForUs) && !n.misnamed
	if p.err == nil || refused {
		n.status, n.failures, n.reason, n.seen = statusPassing, 0, "", now
		switch {
		case n.flapping() && critical:
			n.status, n.reason = statusCritical, "it answers, and is flapping"
		case refused:
			n.status, n.reason = statusWarning, printable(p.err)
		case n.flapping():
			n.status = statusWarning
		}
		n.misnamed = false
		return n
	}
	n.results |= 1
	n.failures++
	n.status, n.reason = statusWarning, printable(p.err)
	n.misnamed = n.misnamed || errors.As(p.err, &misnamed{})
	if critical || n.failures >= maxFailures || n.misnamed {
		n.status = statusCritical
	}
	return n
}

// misnamed is the error of an entry whose hub answers under another name.
type misnamed struct{ answered string }

func (m misnamed) Error() string { return fmt.Sprintf("answers under the name %q", m.answered) }

// passed reports whether the last probe of an entry that counts has found it alive.
func (e *entry) passed() bool {
	c := e.condition
	return c != nil && c.probes > 0 && c.failures == 0 && c.status != statusCritical
}

// printable is the text of an error for everybody who lists: what a hub has
// answered may be long, and made to harm those who look at it.
func printable(err error) string {
	const maxBytes = 200
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, err.Error())
	if len(text) > maxBytes {
		text = strings.ToValidUTF8(text[:maxBytes], "") + "…"
	}
	return text
}
