// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
)

// watching is a "plexus watch" that runs.
type watching struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner // of its output
	stderr testkit.Log
}

// startWatch starts "plexus watch" with further arguments.
func startWatch(t *testing.T, url string, args ...string) *watching {
	w := &watching{t: t, cmd: plexusCommand(t, url, append([]string{"watch"}, args...)...)}
	w.cmd.Stderr = &w.stderr
	out, err := w.cmd.StdoutPipe()
	if err := errors.Join(err, w.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	w.lines = bufio.NewScanner(out)
	return w
}

// want reads a line, which must hold text.
func (w *watching) want(text string) {
	w.t.Helper()
	if !w.lines.Scan() || !strings.Contains(w.lines.Text(), text) {
		w.t.Fatalf("got %q, want %q; %s", w.lines.Text(), text, w.stderr.String())
	}
}

// interrupt ends it, as Ctrl-C does.
func (w *watching) interrupt() {
	w.t.Helper()
	_ = w.cmd.Process.Signal(os.Interrupt)
	for w.lines.Scan() { // or Wait would close the pipe
	}
	if _ = w.cmd.Wait(); w.cmd.ProcessState.ExitCode() != bySignal+int(syscall.SIGINT) {
		w.t.Errorf("exit status %d: %s", w.cmd.ProcessState.ExitCode(), w.stderr.String())
	}
}

// TestWatchGoesOn: a registry that restarts is watched on, until Ctrl-C. Each of
// these sessions ends in another way.
func TestWatchGoesOn(t *testing.T) {
	t.Parallel()
	backends := func(revision string) string {
		return fakeData(`{"type":"backends","backends":[{"name":"a","host":"h","port":1,"is_active":true}]` + revision + `}`)
	}
	deleted := func(name, revision string) string {
		return fakeData(fmt.Sprintf(`{"type":"backend_deleted","name":%q%s}`, name, revision))
	}
	const lost = "lost"
	for _, test := range []struct {
		name     string
		sessions [][]string // what each call of watch is answered
		params   []string   // those of each call
		lines    []string
	}{
		{"lost", [][]string{{backends(`,"revision":7,"history":"h"`), lost}, {deleted("b", `,"revision":8,"history":"h"`), lost}, {deleted("c", `,"revision":9,"history":"h"`)}},
			[]string{`{}`, `{"after":7,"history":"h"}`, `{"after":8,"history":"h"}`}, []string{`"backends"`, `"b"`, `"c"`}},
		{"ended in order", [][]string{{backends(`,"revision":7,"history":"h"`), fakeError("the hub is shutting down", "-32000", true), fakeDone}, {deleted("b", `,"revision":8,"history":"h2"`), fakeDone}, {deleted("c", "")}},
			[]string{`{}`, `{"after":7,"history":"h"}`, `{"after":8,"history":"h2"}`}, []string{`"backends"`, `"b"`, `"c"`}},
		{"of an older registry", [][]string{{backends(`,"revision":7`), lost}, {backends(`,"revision":1`), lost}, {backends("")}},
			[]string{`{}`, `{}`, `{}`}, []string{`"backends"`, `"revision":1`, `"backends"`}},
		{"of another history", [][]string{{backends(`,"revision":7,"history":"h"`), lost}, {fakeData(`{"type":"error","message":"list again"}`), fakeDone}, {backends(`,"revision":2,"history":"i"`)}},
			[]string{`{}`, `{"after":7,"history":"h"}`, `{}`}, []string{`"backends"`, `"revision":2`}},
		{"of one that was replaced by an older one", [][]string{{backends(`,"revision":7,"history":"h"`), lost}, {fakeError("unknown field: history", "-32602", false)}, {backends("")}},
			[]string{`{}`, `{"after":7,"history":"h"}`, `{}`}, []string{`"backends"`, `"backends"`}},
		{"failed", [][]string{{backends(`,"revision":7,"history":"h"`), fakeError("the disk is full", "-32000", false)}, {fakeError("Activation not found: registry", "-32601", false)}, {backends("")}},
			[]string{`{}`, `{"after":7,"history":"h"}`, `{}`}, []string{`"backends"`, `"backends"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var params []string
			f := newFake(t, "reg", func(c *fakeCall) {
				if c.inner != "registry.watch" {
					return
				}
				mu.Lock()
				n := len(params)
				params = append(params, string(c.with))
				mu.Unlock()
				if n >= len(test.sessions) {
					t.Error("it is watched once more")
					return
				}
				items := test.sessions[n]
				end := items[len(items)-1] == lost
				if end {
					items = items[:len(items)-1]
				}
				c.stream("7", items...)
				if end {
					c.Close()
				}
			})
			w := startWatch(t, f.url)
			for _, line := range test.lines {
				w.want(line)
			}
			w.interrupt()
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(params, " "); got != strings.Join(test.params, " ") {
				t.Errorf("it was watched with %s, want %s", got, test.params)
			}
		})
	}
}

// TestWatchRestart: a registry of ours stops in order, and is back later with
// what has changed meanwhile.
func TestWatchRestart(t *testing.T) {
	t.Parallel()
	config := testhub.Config{Name: "reg", Registry: true, Database: filepath.Join(t.TempDir(), "registry.db")}
	h := testhub.Start(t, config)
	config.Address = h.Addr
	register := func(name string) {
		for range h.Call("registry.register", []byte(`{"name":"`+name+`","host":"h","port":1}`)).Items(t.Context()) {
		}
	}
	register("one")
	all, one := startWatch(t, h.URL, "--pretty"), startWatch(t, h.URL, "three")
	all.want("there is      one")
	one.want(`"backends":[]`)
	register("two")
	all.want("registered    two")
	if err := h.Stop(); err != nil {
		t.Error(err)
	}
	for _, w := range []*watching{all, one} {
		testkit.Eventually(t, "it says that nothing listens", func() bool {
			return strings.Contains(w.stderr.String(), "nothing listens at "+h.URL+"; ")
		})
	}
	h = testhub.Start(t, config)
	register("three")
	for all.lines.Scan() && !strings.Contains(all.lines.Text(), " three ") {
	}
	for one.lines.Scan() && !strings.Contains(one.lines.Text(), `"name":"three"`) { // it is there, or is registered
	}
	for _, w := range []*watching{all, one} {
		w.interrupt()
		if said := w.stderr.String(); strings.Count(said, "nothing listens") != 1 || !strings.Contains(said, h.URL+" is back") {
			t.Errorf("it says\n%s", said)
		}
	}
}

// TestWatchPause: a registry that is paused is noticed, and found again.
func TestWatchPause(t *testing.T) {
	t.Parallel()
	var calls testkit.Log
	paused := make(chan struct{})
	f := newFake(t, "reg", func(c *fakeCall) {
		if c.inner != "registry.watch" {
			return
		}
		fmt.Fprintln(&calls, c.inner)
		c.stream("7", fakeData(`{"type":"backends","backends":[]}`))
		if strings.Count(calls.String(), "\n") == 1 {
			<-paused // it reads no more, so that it answers no ping
		}
	})
	t.Cleanup(func() { close(paused) })
	w := startWatch(t, f.url)
	w.want("backends")
	w.want("backends")
	w.interrupt()
	if !strings.Contains(w.stderr.String(), "is back") {
		t.Errorf("it says %s", w.stderr.String())
	}
}

// TestWatchEnds: what can't be watched at all is not tried again, and neither is
// what can't be written.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	f := newFake(t, "reg", func(c *fakeCall) {
		c.stream("7", fakeError("Method not found: registry.watch", "-32601", false))
	})
	if r := plexus(t, f.url, "watch"); r.status != failed || !strings.Contains(r.stderr, "Method not found") {
		t.Errorf("got %+v", r)
	}
	closing := newFake(t, "reg", func(c *fakeCall) {
		c.stream("7", fakeData(`{"type":"backends","backends":[]}`))
		c.Close()
	})
	r := plexus(t, closing.url, "watch", "--timeout", "1s")
	if r.status != failed || !strings.HasSuffix(r.stderr, "plexus: registry.watch timed out: it was ended after --timeout 1s\n") {
		t.Errorf("got %+v", r)
	}
}
