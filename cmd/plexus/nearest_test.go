// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"cone", "cone", 0},
		{"", "cone", 4},
		{"cone", "", 4},
		{"cone", "cnoe", 1},
		{"cone", "con", 1},
		{"cone", "scone", 1},
		{"cone", "core", 1},
		{"kitten", "sitting", 3},
		{"ab", "bca", 3},
		{"süß", "suß", 1},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: got %d, want %d", test.a, test.b, got, test.want)
		}
		if got := distance(test.b, test.a); got != test.want {
			t.Errorf("%q, %q: got %d, want %d", test.b, test.a, got, test.want)
		}
	}
	if got := distance(strings.Repeat("a", 1e6), "b"); got != mostCompared {
		t.Errorf("long words: got %d", got)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"list", "lift", "get", "register", "deregister", "ping", "reload", "a"}
	for _, test := range []struct {
		word string
		want []string
	}{
		{"lits", []string{"list"}},
		{"lisr", []string{"list"}},
		{"LIST", []string{"list"}},
		{"lit", []string{"lift", "list"}},
		{"reg", []string{"register"}},
		{"registre", []string{"register"}},
		{"dereg", []string{"deregister"}},
		{"pong", []string{"ping"}},
		{"unheard", nil},
		{"b", []string{"a"}},
		{"", []string{"a"}},
	} {
		if got := nearest(test.word, names); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.word, got, test.want)
		}
	}
	if got := nearest("x1", []string{"x2", "x3", "x4", "x5", "x2"}); len(got) != mostNearest {
		t.Errorf("got %q", got)
	}
	if got := didYouMean("x1", []string{"x2", "x3", "x4"}); got != "Did you mean x2, x3 or x4?" {
		t.Errorf("got %q", got)
	}
}
