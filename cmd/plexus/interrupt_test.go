// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestInterrupt: Ctrl-C ends the stream at the hub, and exits as shells expect
// it of what was interrupted. A command that can't go on, because nobody writes
// what it reads, or reads what it writes, ends when it is told to all the same.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		args   []string
		stdin  bool           // it reads there; else it has written its first item
		signal syscall.Signal // 0 for --timeout
		want   int
		stderr string
	}{
		{"streaming, SIGINT", []string{"work", "forever"}, false, syscall.SIGINT, 130, ""},
		{"streaming, SIGTERM", []string{"work", "forever"}, false, syscall.SIGTERM, 143, ""},
		{"reading, SIGINT", []string{"work", "read", "--message", "@-"}, true, syscall.SIGINT, 130, ""},
		{"reading, SIGTERM", []string{"work", "read", "-p", "@-"}, true, syscall.SIGTERM, 143, ""},
		{"reading, time", []string{"work", "read", "--message", "@-", "--timeout", "5s"}, true, 0, 1, "plexus: reading @- timed out\n"},
		{"reading, time before", []string{"work", "read", "-p", "@-", "--timeout", "5s"}, true, 0, 1, "plexus: reading @- timed out\n"},
		{"writing, SIGINT", []string{"work", "large"}, false, syscall.SIGINT, 130, ""},
		{"writing, SIGTERM", []string{"work", "large"}, false, syscall.SIGTERM, 143, ""},
		{"writing, time", []string{"work", "large", "--timeout", "5s"}, false, 0, 1, "plexus: the time of --timeout is over, and the output is not taken\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := busyHub(t)
			cmd := plexusCommand(t, f.url, append([]string{"busy"}, test.args...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			in, err1 := cmd.StdinPipe()
			out, err2 := cmd.StdoutPipe()
			if err := errors.Join(err1, err2, cmd.Start()); err != nil {
				t.Fatal(err)
			}
			first := make([]byte, 2)
			if test.stdin {
				// Once all of this is taken, which no pipe holds, it reads.
				if _, err := in.Write(make([]byte, 1<<20)); err != nil {
					t.Fatal(err)
				}
			} else if _, err := out.Read(first); err != nil {
				t.Fatal(err)
			}
			if test.signal != 0 {
				if err := cmd.Process.Signal(test.signal); err != nil {
					t.Fatal(err)
				}
			}
			err := cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != test.want || stderr.String() != test.stderr {
				t.Errorf("exit status %d, want %d; %v; %s", got, test.want, err, stderr.String())
			}
			if test.args[1] == "forever" {
				if string(first) != "1\n" {
					t.Errorf("the first line is %q", first)
				}
				f.await(t, "busy.call_unsub")
			}
			if calls, _ := f.calls(); slices.Contains(calls, "work.read") {
				t.Error("it was called")
			}
		})
	}
}

// TestInterruptBench: a bench that is interrupted takes the time that it needs to
// delete its backends, and nobody else's, from a registry that knows no filters.
func TestInterruptBench(t *testing.T) {
	t.Parallel()
	var name atomic.Value // of the backend that is there
	name.Store("")
	f := newFake(t, "slow", func(c *fakeCall) {
		content := `{"type":"ping","success":true}`
		switch c.inner {
		case "registry.register":
			var in struct{ Name string }
			_ = json.Unmarshal(c.with, &in)
			name.Store(in.Name)
			content = `{"type":"backend_registered"}`
		case "registry.list":
			content = fmt.Sprintf(`{"type":"backends","backends":[{"name":"precious"},{"name":%q}]}`, name.Load())
		case "registry.delete":
			if strings.Contains(string(c.with), "precious") {
				t.Error("what is not its own is deleted")
			}
			time.Sleep(grace + grace/2)
			name.Store("")
			content = `{"type":"backend_deleted"}`
		}
		c.stream(string(c.ID), fakeData(content), fakeDone)
	})
	cmd := plexusCommand(t, f.url, "bench", f.url, "--op", "ping", "--connections", "1", "--in-flight", "1", "--duration", "1h", "--warmup", "0s", "--backends", "1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.await(t, "registry.ping")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 130 || name.Load() != "" {
		t.Errorf("exit status %d, %v; left is %q", got, err, name.Load())
	}
}

// TestFewRequests: a call costs no more requests than it must.
func TestFewRequests(t *testing.T) {
	t.Parallel()
	f := busyHub(t)
	if r := plexus(t, f.url, "busy", "work", "do"); r.status != 0 || r.stdout != "\"finished\"\n" {
		t.Fatalf("got %+v", r)
	}
	calls, _ := f.calls()
	if want := []string{"_info", "work.schema", "work.do"}; !slices.Equal(calls, want) {
		t.Errorf("the hub was called %q, want %q", calls, want)
	}

	recorded := recordedHub(t)
	if r := plexus(t, recorded.url); r.status != 0 {
		t.Fatalf("got %+v", r)
	}
	calls, _ = recorded.calls()
	if want := []string{"_info", "registry.list"}; !slices.Equal(calls, want) {
		t.Errorf("the hub was called %q, want %q", calls, want)
	}
}
