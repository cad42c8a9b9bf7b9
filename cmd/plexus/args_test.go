// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		args        string
		words, rest string
		literal     bool
		wrong       string
	}{
		{args: ""},
		{args: "hub cone list", words: "hub cone list"},
		{args: "-P 1 --json hub cone --x y", words: "hub cone", rest: "--x y"},
		{args: "-P1 hub", words: "hub"},
		{args: "-P=1 hub", words: "hub"},
		{args: "--port=1 -v -- watch --json", words: "watch", rest: "--json", literal: true},
		{args: "--", literal: true},
		{args: "--port", wrong: "--port needs a value: --port PORT"},
		{args: "--json=1", wrong: "--json takes no value"},
		{args: "-x", wrong: "there is no flag -x"},
		{args: "-vv", wrong: "there is no flag -vv"},
		{args: "--nothing=x", wrong: "there is no flag --nothing"},
		{args: "--header x", wrong: "--header has to be NAME:VALUE"},
		{args: "--cookie x", wrong: "--cookie has to be NAME=VALUE"},
		{args: "--cookie a=b --header A:b --token t hub", words: "hub"},
		{args: "--timeout -1s", wrong: `--timeout "-1s" is no time`},
	} {
		a, err := split(strings.Fields(test.args))
		if test.wrong != "" {
			var usage *usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%s: got %v, want %s", test.args, err, test.wrong)
			}
			continue
		}
		if err != nil || strings.Join(a.words, " ") != test.words || strings.Join(a.rest, " ") != test.rest || a.literal != test.literal {
			t.Errorf("%s: got %q, %q, %v, %v", test.args, a.words, a.rest, a.literal, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		options options
		env     string
		want    []string
	}{
		{options{}, "", []string{"ws://127.0.0.1:4445", "ws://127.0.0.1:4444"}},
		{options{}, "wss://a.example/x", []string{"wss://a.example/x"}},
		{options{host: "b.example"}, "ws://a.example", []string{"ws://b.example:4445", "ws://b.example:4444"}},
		{options{port: 7}, "ws://a.example", []string{"ws://127.0.0.1:7"}},
		{options{host: "::1", port: 7}, "", []string{"ws://[::1]:7"}},
		{options{host: "[::1]", port: 7}, "", []string{"ws://[::1]:7"}},
		{options{registry: "ws://c.example:1"}, "ws://a.example", []string{"ws://c.example:1"}},
		{options{registry: "c.example:1"}, "", nil},
		{options{}, "http://a.example", nil},
	} {
		got, err := test.options.addresses(func(string) string { return test.env })
		if !slices.Equal(got, test.want) || (err == nil) != (test.want != nil) {
			t.Errorf("%+v: got %q, %v; want %q", test, got, err, test.want)
		}
	}
}

// TestEarlyFlagsAreTold: the help says which flags stand before the path.
func TestEarlyFlagsAreTold(t *testing.T) {
	last := ""
	for i, f := range flags() {
		if f.early && f.name != "version" {
			last = f.name
			if i > 0 && !flags()[i-1].early {
				t.Errorf("--%s is not among the first", f.name)
			}
		}
	}
	if want := "Those down to --" + last + ", and --version, stand before the path."; !strings.Contains(helpEnd, want) {
		t.Errorf("the help does not say %q", want)
	}
}

// TestFlagsAreTold: each flag is told apart from all others.
func TestFlagsAreTold(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range flags() {
		for _, name := range []string{"--" + f.name, "-" + f.short} {
			if name != "-" && seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if f.help == "" || f.set == nil || len(f.short) > 1 {
			t.Errorf("%+v", f)
		}
	}
}
