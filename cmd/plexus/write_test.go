// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"os"
	"strings"
	"testing"
)

// TestSuccessFalse: what says itself that it has failed is a failure, and its
// content is printed as any other; so is a ping of a name that nobody knows.
func TestSuccessFalse(t *testing.T) {
	t.Parallel()
	f := newFake(t, "hub", func(c *fakeCall) {
		if c.inner == "job.stop" {
			c.stream("7", fakeData(string(c.with)), fakeDone)
		} else {
			c.unknown()
		}
	})
	for _, test := range []struct {
		content, stderr string
		status          int
	}{
		{`{"type":"ping","name":"a","success":false,"message":"Backend not found: a"}`, "plexus: job.stop: Backend not found: a\n", failed},
		{`{"success":false}`, "plexus: job.stop: it answers with success: false\n", failed},
		{`{"success":false,"message":7}`, "plexus: job.stop: it answers with success: false\n", failed},
		{`{"success":true,"message":"done"}`, "", succeeded},
		{`{"success":"false"}`, "", succeeded},
		{`{"x":{"success":false}}`, "", succeeded},
	} {
		r := plexus(t, f.url, "hub", "job", "stop", "-p", test.content)
		if want := (result{test.status, test.content + "\n", test.stderr}); r != want {
			t.Errorf("got %+v, want %+v", r, want)
		}
	}
	registry := serveMain(t, "main-hub", nil).URL
	const unknown = "plexus: registry.ping: Backend not found: nobody\n"
	if r := plexus(t, registry, "main-hub", "registry", "ping", "--name", "nobody"); r.status != failed || r.stderr != unknown || r.stdout == "" {
		t.Errorf("got %+v", r)
	}
}

// TestPingUnknown: a name that can't be looked up, or is not there, can't be
// pinged; only what is no name at all is wrong usage.
func TestPingUnknown(t *testing.T) {
	t.Parallel()
	first, alone := serveMain(t, "main-hub", nil).URL, serveHub(t, "lonely-hub").URL
	for _, test := range []struct {
		url, args, says string
		status          int
	}{
		{first, "ping main-hbu", "Did you mean main-hub?", failed},
		{first, "ping zzz", `knows no backend "zzz"`, failed},
		{first, "ping zzz --pretty", `knows no backend "zzz"`, failed},
		{alone, "ping lonely-hbu", "Did you mean lonely-hub?", failed},
		{alone, "ping zzz", "has no registry", failed},
		{"http://x", "ping zzz", "is not ws://HOST:PORT", misused},
		{first, "ping", "ping takes one name", misused},
		{first, "ping --zzz", "unknown flag --zzz", misused},
		{first, "zzz cone list", `knows no backend "zzz"`, misused},
	} {
		if r := plexus(t, test.url, strings.Fields(test.args)...); r.status != test.status || !strings.Contains(r.stderr, test.says) || r.stdout != "" {
			t.Errorf("%s: got %+v", test.args, r)
		}
	}
}

// TestFullDisk: whatever can't be written makes the status 1, on either output; a
// reader that has enough does not.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { full.Close() })
	left, gone, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	left.Close()
	t.Cleanup(func() { gone.Close() })
	url := serveMain(t, "main-hub", map[string]string{"dead": "ws://127.0.0.1:1"}).URL
	alone := serveHub(t, "lonely-hub").URL
	busy := busyHub(t).url
	for _, test := range []struct{ url, args string }{
		{url, "--version"}, {url, "version"}, {url, "--help"}, {url, "help watch"}, {url, "watch --help"}, {url, ""}, {url, "--pretty"}, {url, "--raw"},
		{url, "--schema"}, {url, "--schema --pretty"}, {url, "main-hub"}, {url, "main-hub cone list"}, {url, "main-hub cone list --pretty"},
		{url, "main-hub cone list --raw"}, {url, "main-hub cone list --help"}, {url, "main-hub cone list --dry-run"}, {url, "main-hub cone list --schema"},
		{url, "ping main-hub"}, {url, "ping main-hub --pretty"}, {url, "watch"}, {url, "watch --pretty"}, {url, "watch --raw"},
		{url, "doctor " + url}, {url, "completion bash"}, {url, "completion zsh"}, {url, "completion fish"}, {url, "completion powershell"},
		{url, "__complete main-hub co"}, {url, "__complete main-hub nothing x"}, {url, "__complete mai"}, {alone, ""}, {alone, "--pretty"},
		{url, "bench " + url + " --op info --connections 1 --duration 100ms --warmup 0s"},
	} {
		cmd := plexusCommand(t, test.url, strings.Fields(test.args)...)
		cmd.Stdout = full
		if _ = cmd.Run(); cmd.ProcessState.ExitCode() != failed {
			t.Errorf("%s >/dev/full: exit status %d", test.args, cmd.ProcessState.ExitCode())
		}
		cmd = plexusCommand(t, test.url, strings.Fields(test.args)...)
		cmd.Stdout = gone
		if _ = cmd.Run(); cmd.ProcessState.ExitCode() != succeeded {
			t.Errorf("%s, which nobody reads: exit status %d", test.args, cmd.ProcessState.ExitCode())
		}
	}
	for _, test := range []struct{ url, args string }{
		{alone, ""}, {url, "--verbose main-hub cone list"}, {busy, "busy work do --verbose"}, {url, "--answer x main-hub cone list"},
	} {
		for _, to := range []*os.File{full, gone} {
			cmd := plexusCommand(t, test.url, strings.Fields(test.args)...)
			cmd.Stderr = to
			if _ = cmd.Run(); (cmd.ProcessState.ExitCode() == failed) != (to == full) {
				t.Errorf("%s 2>%s: exit status %d", test.args, to.Name(), cmd.ProcessState.ExitCode())
			}
		}
	}
}
