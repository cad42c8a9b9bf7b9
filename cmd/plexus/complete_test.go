// SPDX-License-Identifier: AGPL-3.0-only

package main

import "testing"

// TestCompletionOffersPlainWordsOnly: a shell would run what a hub puts into
// the line.
func TestCompletionOffersPlainWordsOnly(t *testing.T) {
	t.Parallel()
	f := newFake(t, "h", func(c *fakeCall) {
		switch c.inner {
		case "h.schema":
			c.stream("7", fakeData(`{"namespace":"h","children":[{"namespace":"a$(x)"},{"namespace":"b"}],"methods":[
				{"name":"c;x"},{"name":"d"},{"name":"e x"},
				{"name":"m","params":{"properties":{"p`+"`x`"+`":{},"kind":{"enum":["$x","y"]}}}}]}`), fakeDone)
		case "registry.list":
			c.stream("8", fakeData(`{"backends":[{"name":"h&x"},{"name":"h2"}]}`), fakeDone)
		default:
			c.unknown()
		}
	})
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"h"}, "help\tHelp about any command\nh\tThe hub at " + f.url + "\nh2\n:4\n"},
		{[]string{"h", ""}, "b\nd\nm\n:4\n"},
		{[]string{"h", "m", "--p"}, "--params\tAll parameters at once, as a `JSON` object. Flags of parameters override it\n--pretty\tPrint for people. The default on a terminal\n:4\n"},
		{[]string{"h", "m", "--kind", ""}, "y\n:4\n"},
	} {
		r := plexus(t, f.url, append([]string{"__complete", "--timeout", "20s"}, test.words...)...)
		if r.stdout != test.want || r.stderr != "" {
			t.Errorf("%q: got %+v", test.words, r)
		}
	}
}
