// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"strings"
	"testing"
)

// TestProposals: what was typed is never proposed in place of itself, and what a
// schema lists is not said to be missing.
func TestProposals(t *testing.T) {
	t.Parallel()
	f := newFake(t, "hub", func(c *fakeCall) {
		switch c.inner {
		case "hub.schema":
			c.stream("7", fakeData(`{"namespace":"hub","methods":[{"name":"done"},{"name":"task","role":{"kind":"dynamic_child"}}],"children":[{"namespace":"job"},{"namespace":"jobs"}]}`), fakeDone)
		case "registry.get":
			c.stream("7", fakeData(`{"type":"backend","backend":null}`), fakeDone)
		case "registry.list":
			c.stream("7", fakeData(`{"type":"backends","backends":[{"name":"watcher"},{"name":"caf\u00e9"},{"name":"watch"}]}`), fakeDone)
		default:
			c.unknown()
		}
	})
	const lists = `plexus: hub lists "job", but does not find it: `
	for _, test := range []struct {
		args   string
		status int
		stderr string // how it begins
	}{
		{"hub job", failed, lists + "job.schema: Activation not found: job.schema (-32601)\n"},
		{"hub job run", failed, lists + "job.schema: Activation not found: job.schema (-32601)\n"},
		{"hub job run --schema", failed, lists + "job.schema: Activation not found: job.schema (-32601)\n"},
		{"hub jop", misused, "plexus: hub has no \"jop\"\nDid you mean job?\n"},
		{"-- watch", misused, "plexus: hub, at " + f.url + ", knows no backend \"watch\"\nDid you mean watcher?\n"},
		{"cafe\u0301", misused, "plexus: hub, at " + f.url + ", knows no backend \"cafe\u0301\"\nplexus alone lists"},
		{"hub done --timeou 1s", misused, "plexus: plexus hub done takes no parameters, so no --timeou\nDid you mean --timeout?\n"},
		{"hub done --host x", misused, "plexus: --host must stand before the path\nFor example"},
		{"watch --messag x", misused, "plexus: unknown flag --messag\nSee plexus watch --help.\n"},
	} {
		if r := plexus(t, f.url, strings.Fields(test.args)...); r.status != test.status || !strings.HasPrefix(r.stderr, test.stderr) {
			t.Errorf("%s: got %d, %s", test.args, r.status, r.stderr)
		}
	}
}
