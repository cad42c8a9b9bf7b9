// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestInterrupt: Ctrl-C ends the stream at the hub, and exits as shells expect
// it of what was interrupted.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		signal syscall.Signal
		want   int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}} {
		t.Run(test.signal.String(), func(t *testing.T) {
			f := busyHub(t)
			ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
			defer cancel()
			cmd := exec.CommandContext(ctx, "plexus", "busy", "work", "forever")
			cmd.Env = environment(t, f.url)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			first := make([]byte, 2)
			if _, err := out.Read(first); err != nil || string(first) != "1\n" {
				t.Errorf("the first line is %q, %v", first, err)
			}
			if err := cmd.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			err = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != test.want || stderr.Len() > 0 {
				t.Errorf("exit status %d, want %d; %v; %s", got, test.want, err, stderr.String())
			}
			f.await(t, "busy.call_unsub")
		})
	}
}

// TestInterruptStuck: a command that can't go on, because nobody writes what it
// reads, or reads what it writes, ends when it is told to all the same.
func TestInterruptStuck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		args   []string
		stdin  bool           // it reads there; else it is stuck in its output
		signal syscall.Signal // 0 for --timeout
		want   int
		stderr string
	}{
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
			ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
			defer cancel()
			cmd := exec.CommandContext(ctx, "plexus", append([]string{"busy"}, test.args...)...)
			cmd.Env = environment(t, f.url)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			in, err1 := cmd.StdinPipe()
			out, err2 := cmd.StdoutPipe()
			if err := errors.Join(err1, err2, cmd.Start()); err != nil {
				t.Fatal(err)
			}
			if test.stdin {
				// Once all of this is taken, which no pipe holds, it reads.
				if _, err := in.Write(make([]byte, 1<<20)); err != nil {
					t.Fatal(err)
				}
			} else if _, err := out.Read(make([]byte, 2)); err != nil {
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
			calls, _ := f.calls()
			if called := slices.Contains(calls, "work.read"); called {
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
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "plexus", "bench", f.url, "--op", "ping", "--connections", "1", "--in-flight", "1", "--duration", "1h", "--warmup", "0s", "--backends", "1")
	cmd.Env = environment(t, f.url)
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
