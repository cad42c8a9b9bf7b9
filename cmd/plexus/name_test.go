// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// registryOf is a fake registry whose entries are those objects.
func registryOf(t *testing.T, entries map[string]string) *fakeHub {
	return newFake(t, "reg", func(c *fakeCall) {
		var in struct{ Name string }
		_ = json.Unmarshal(c.with, &in)
		switch c.inner {
		case "registry.get":
			entry, ok := entries[in.Name]
			if !ok {
				entry = "null"
			}
			c.stream("7", fakeData(`{"type":"backend","backend":`+entry+`}`), fakeDone)
		case "registry.watch":
			c.stream("7", fakeData(fmt.Sprintf(`{"type":"backends","backends":[{"name":%q}]}`, in.Name)))
		case "registry.list":
			var all []string
			for _, entry := range entries {
				all = append(all, entry)
			}
			c.stream("7", fakeData(`{"type":"backends","backends":[`+strings.Join(all, ",")+`]}`), fakeDone)
		default:
			c.unknown()
		}
	})
}

// entryOf is an entry that leads to a hub. more are further members.
func entryOf(t *testing.T, name, url, more string) string {
	host, port, ok := strings.Cut(strings.TrimPrefix(url, "ws://"), ":")
	if !ok {
		t.Fatal(url)
	}
	return fmt.Sprintf(`{"name":%q,"host":%q,"port":%s,"is_active":true%s}`, name, host, port, more)
}

// TestAlias: a hub whose own name the registry knows is called under the name of
// its entry, and no other is.
func TestAlias(t *testing.T) {
	t.Parallel()
	hub := serveHub(t, "plexus")
	cafe := newFake(t, "café", func(c *fakeCall) {
		if c.inner != "echo.once" {
			c.unknown()
			return
		}
		c.stream("7", fakeData(`{"message":"hi"}`), fakeDone)
	})
	r := registryOf(t, map[string]string{
		"prod":  entryOf(t, "prod", hub.URL, `,"answers_as":"plexus"`),
		"taken": entryOf(t, "taken", hub.URL, `,"answers_as":"other"`),
		"plain": entryOf(t, "plain", hub.URL, ""),
		// As an older registry has it.
		"cafe\u0301": entryOf(t, "cafe\u0301", cafe.url, ""),
		"bar":        entryOf(t, "bar", cafe.url, `,"answers_as":"cafe\u0301"`),
		"null":       entryOf(t, "null", hub.URL, `,"answers_as":null`),
	})
	const other = ": it is not called"
	for _, test := range []struct {
		args           string
		status         int
		stdout, stderr string // how they begin
	}{
		{"prod echo once --message hi", succeeded, `{"message":"hi","number":1}`, ""},
		{"prod hash", succeeded, `{"event":"hash"`, ""},
		{"prod", succeeded, "prod ", ""},
		{"prod echo once --help", succeeded, "prod echo once\n", ""},
		{"prod echo onec", misused, "", "plexus: prod echo has no \"onec\"\nDid you mean once?\nSee plexus prod echo --help.\n"},
		{"prod echo once --dry-run --message hi", succeeded, `{"jsonrpc":"2.0","id":1,"method":"plexus.call"`, ""},
		{"ping prod", succeeded, `{"name":"prod","url":"` + hub.URL + `"`, ""},
		{"__complete --timeout 20s prod ech", succeeded, "echo\t", ""},
		{"cafe\u0301 echo once --message hi", succeeded, `{"message":"hi"}`, ""},
		{"bar echo once --message hi", succeeded, `{"message":"hi"}`, ""},
		{"taken echo once --message hi", failed, "", "plexus: at " + hub.URL + ", where reg has taken, answers plexus" + other},
		{"plain echo once --message hi", failed, "", "plexus: at " + hub.URL + ", where reg has plain, answers plexus" + other},
		{"null hash", failed, "", "plexus: at " + hub.URL + ", where reg has null, answers plexus" + other},
	} {
		got := plexus(t, r.url, strings.Fields(test.args)...)
		if got.status != test.status || !strings.HasPrefix(got.stdout, test.stdout) || !strings.HasPrefix(got.stderr, test.stderr) {
			t.Errorf("%s: got %+v", test.args, got)
		}
	}
	// It is the hub that is asked first, however its name is composed.
	for _, name := range []string{"cafe\u0301", "café"} {
		if got := plexus(t, cafe.url, "ping", name); got.status != succeeded {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestNamesLikeFlags: a backend whose name begins with a dash is named behind "--",
// wherever a name stands; hints name it so, too.
func TestNamesLikeFlags(t *testing.T) {
	t.Parallel()
	hub := serveHub(t, "plexus") // no hub of ours has such a name itself
	entries := map[string]string{}
	for _, name := range []string{"-x", "--version", "-", "--", "-P1", "watch", "a b;c", "it's", "a-b;reboot"} {
		entries[name] = entryOf(t, name, hub.URL, `,"answers_as":"plexus"`)
	}
	r := registryOf(t, entries)
	for _, test := range []struct {
		args           []string
		status         int
		stdout, stderr string // how they begin
	}{
		{[]string{"--", "-x", "echo", "once", "--message", "hi"}, succeeded, `{"message":"hi"`, ""},
		{[]string{"--", "--version", "echo", "once", "--message", "hi"}, succeeded, `{"message":"hi"`, ""},
		{[]string{"--json", "--", "-P1", "echo", "once", "--message", "hi"}, succeeded, `{"message":"hi"`, ""},
		{[]string{"--", "-", "hash"}, succeeded, `{"event":"hash"`, ""},
		{[]string{"--", "--", "hash"}, succeeded, `{"event":"hash"`, ""},
		{[]string{"--", "-x"}, succeeded, "-x ", ""},
		{[]string{"--", "-x", "--help"}, succeeded, "-x ", ""},
		{[]string{"call", "--", "-x", "hash"}, succeeded, `{"event":"hash"`, ""},
		{[]string{"call", "--", "watch", "hash"}, succeeded, `{"event":"hash"`, ""},
		{[]string{"call", "--json", "watch", "hash"}, misused, "", "plexus: call needs a name"},
		{[]string{"help", "--", "-x"}, succeeded, "-x ", ""},
		{[]string{"help", "--", "watch"}, succeeded, "watch ", ""},
		{[]string{"ping", "--", "-x"}, succeeded, `{"name":"-x"`, ""},
		{[]string{"ping", "--json", "--", "--"}, succeeded, `{"name":"--"`, ""},
		{[]string{"watch", "--timeout", "1s", "--", "-x"}, failed, `{"type":"backends","backends":[{"name":"-x"}]}`, "plexus: "},
		{[]string{"__complete", "--timeout", "20s", "--", "-x", "ec"}, succeeded, "echo\t", ""},
		{[]string{"__complete", "--timeout", "20s", "--", "-x"}, succeeded, "-x\n:4\n", ""},
		{[]string{"__complete", "--timeout", "20s", "ping", "--", "-x"}, succeeded, "-x\n:4\n", ""},
		{[]string{"-x"}, misused, "", "plexus: unknown flag -x\nSee plexus --help.\n"},
		{[]string{"ping", "-x"}, misused, "", "plexus: unknown flag -x\nSee plexus ping --help.\n"},
		{[]string{"ping", "-"}, misused, "", "plexus: unknown flag -\nSee plexus"},
		{[]string{"--", "-x", "ecoh"}, misused, "", "plexus: -x has no \"ecoh\"\nDid you mean echo?\nSee plexus -- -x --help.\n"},
		{[]string{"--", "-x", "echo", "once"}, misused, "", "plexus: --message TEXT is missing\nSee plexus -- -x echo once --help.\n"},
		{[]string{"--", "watch", "ecoh"}, misused, "", "plexus: watch has no \"ecoh\"\nDid you mean echo?\nSee plexus -- watch --help.\n"},
		{[]string{"a b;c", "ecoh"}, misused, "", "plexus: a b;c has no \"ecoh\"\nDid you mean echo?\nSee plexus 'a b;c' --help.\n"},
		{[]string{"it's", "echo", "once", "--host", "x"}, misused, "", "plexus: --host must stand before the path\nFor example: plexus --host … 'it'\\''s' echo once\n"},
		{[]string{"--", "a-b;reboo"}, misused, "", "plexus: reg, at " + r.url + ", knows no backend \"a-b;reboo\"\nDid you mean 'a-b;reboot'?\n"},
		{[]string{"doctor", "http://x;reboot"}, misused, "", "plexus: \"http://x;reboot\" is not ws://HOST:PORT or wss://HOST:PORT\n"},
		{[]string{"it's", "echo", "$(x)"}, misused, "", "plexus: it's echo has no \"$(x)\"\n"},
		{[]string{"it's", "echo", "once", "$(x)"}, misused, "", "plexus: \"$(x)\" follows once, which is a method\nIts parameters are flags: see plexus 'it'\\''s' echo once --help.\n"},
	} {
		got := plexus(t, r.url, test.args...)
		if got.status != test.status || !strings.HasPrefix(got.stdout, test.stdout) || !strings.HasPrefix(got.stderr, test.stderr) {
			t.Errorf("%q: got %+v", test.args, got)
		}
	}
}
