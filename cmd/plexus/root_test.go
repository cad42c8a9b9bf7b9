// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// testCommand is a command that no process runs, on a line of arguments.
func testCommand() *command {
	o := &options{}
	p := &printer{out: io.Discard, err: io.Discard, options: o}
	return &command{options: o, printer: p, hubs: &hubs{options: o, getenv: nothing}}
}

// nothing is an environment.
func nothing(string) string { return "" }

func TestWordsOfALine(t *testing.T) {
	for _, test := range []struct {
		args        string
		words, rest string
		path        bool
		wrong       string
	}{
		{args: ""},
		{args: "hub cone list", words: "hub cone list", path: true},
		{args: "-P 1 --json hub cone --x y", words: "hub cone", rest: "--x y", path: true},
		{args: "-P1 hub", words: "hub", path: true},
		{args: "-P=1 hub", words: "hub", path: true},
		{args: "watch --json", words: "watch", rest: "--json"},
		{args: "--port=1 -v -- watch --json", words: "watch", rest: "--json", path: true},
		{args: "call watch --json", words: "watch", rest: "--json", path: true},
		{args: "help watch", words: "help watch"},
		{args: "help hub cone", words: "hub cone", path: true},
		{args: "--"},
		{args: "--port", wrong: "--port needs a value: --port PORT"},
		{args: "--json=1", wrong: "--json takes no value"},
		{args: "-x", wrong: "unknown flag -x"},
		{args: "- x", wrong: "unknown flag -"},
		{args: "-- -", words: "-", path: true},
		{args: "-- -x y --json", words: "-x y", rest: "--json", path: true},
		{args: "-- -- y", words: "-- y", path: true},
		{args: "call -- -x y", words: "-x y", path: true},
		{args: "call --", words: "call", rest: "--"},
		{args: "ping -- -x", words: "ping", rest: "-- -x"},
		{args: "-- call -- -x", words: "call", rest: "-- -x", path: true},
		{args: "watch -", wrong: "unknown flag -"},
		{args: "hub - x", wrong: "unknown flag -"},
		{args: "hub --name -", words: "hub", rest: "--name -", path: true},
		{args: "-vx", wrong: "unknown flag -x"},
		{args: "--nothing=x", wrong: "unknown flag --nothing"},
		{args: "--header x", wrong: "--header must be NAME:VALUE"},
		{args: "--cookie x", wrong: "--cookie must be NAME=VALUE"},
		{args: "--cookie a=b --header A:b --token t hub", words: "hub", path: true},
		{args: "--timeout -1s", wrong: `invalid value for --timeout: "-1s"`},
	} {
		c := testCommand()
		l, err := c.split(c.root(), strings.Fields(test.args))
		if test.wrong != "" {
			var usage *usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%s: got %v, want %s", test.args, err, test.wrong)
			}
			continue
		}
		if err != nil || strings.Join(l.words, " ") != test.words || strings.Join(l.rest, " ") != test.rest || l.path != test.path {
			t.Errorf("%s: got %+v, %v", test.args, l, err)
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
