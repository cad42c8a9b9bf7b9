// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"
)

// drop leaves as a client does that ends without a word: plainly, or so that
// the server is told that the connection was reset.
func drop(t testing.TB, ws *websocket.Conn, reset bool) {
	t.Helper()
	conn := ws.NetConn().(*net.TCPConn)
	if reset {
		if err := conn.SetLinger(0); err != nil {
			t.Error(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// inParallel has the names worked on by so many workers.
func inParallel(workers int, names []string, work func(i int, name string)) {
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(names); i += workers {
				work(i, names[i])
			}
		})
	}
	group.Wait()
}

// TestRegisterAndLeave registers as the command-line client does: it asks for
// the hub's name on a connection of its own, sends register on another, and
// drops that the moment after the frame is written.
func TestRegisterAndLeave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, command(dir))
	names := numbered("left", 200)
	for i, name := range names {
		first := dial(t, p.url)
		if info(t, first) != "registry-hub" {
			t.Fatal("the hub has another name")
		}
		first.Close()
		ws := dial(t, p.url)
		if err := ws.WriteJSON(registerFrame(name)); err != nil {
			t.Fatal(err)
		}
		drop(t, ws, i%2 == 1)
	}
	eventually(t, "all 200 are listed", func() bool { return len(missing(list(t, p.url), names)) == 0 })
	p.stop(t)
	if lost := missing(list(t, start(t, command(dir)).url), names); len(lost) > 0 {
		t.Errorf("lost in a restart: %v", lost)
	}
}

// TestRegisterAndLeaveTogether is the same with all of them leaving while the
// others do.
func TestRegisterAndLeaveTogether(t *testing.T) {
	t.Parallel()
	p := start(t, command(t.TempDir()))
	names := numbered("left", 200)
	inParallel(20, names, func(i int, name string) {
		ws, _, err := websocket.DefaultDialer.Dial(p.url, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if err := ws.WriteJSON(registerFrame(name)); err != nil {
			t.Error(err)
		}
		drop(t, ws, i%2 == 1)
	})
	eventually(t, "all 200 are listed", func() bool { return len(missing(list(t, p.url), names)) == 0 })
}

// TestThousandLeaveAtOnce closes 1,000 connections with a call in flight on
// each, several times over, and finds nothing of them left.
func TestThousandLeaveAtOnce(t *testing.T) {
	rounds := 4
	if raced() { // the database is slow then
		rounds = 2
	}
	const (
		connections = 1000
		growth      = 24 << 20 // bytes; a leak of 8 KiB a connection is as much
	)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < connections+200 {
		t.Skipf("only %d files may be open (%v)", limit.Cur, err)
	}
	cmd := command(t.TempDir())
	cmd.Env = append(cmd.Env, "GOGC=20") // so that garbage does not look like a leak
	p := start(t, cmd)
	if _, err := os.Stat(p.proc("statm")); err != nil {
		t.Skipf("the system does not tell what a process uses: %v", err)
	}
	ws := dial(t, p.url)
	register(t, ws, map[string]any{"name": "first", "host": "h", "port": 1})
	idle := p.openFiles(t) - 1
	ws.Close()

	var settled int
	for round := range rounds {
		// Entries that are new tell that the calls of this round have ended.
		names := numbered(fmt.Sprint("gone-", round), connections)
		sockets := make([]*websocket.Conn, connections)
		inParallel(16, names, func(i int, _ string) {
			ws, _, err := websocket.DefaultDialer.Dial(p.url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			sockets[i] = ws
		})
		if t.Failed() {
			t.FailNow()
		}
		inParallel(16, names, func(i int, name string) {
			if err := sockets[i].WriteJSON(registerFrame(name)); err != nil {
				t.Error(err)
			}
		})
		inParallel(16, names, func(i int, _ string) { drop(t, sockets[i], i%2 == 1) })
		eventually(t, "all are listed", func() bool { return len(missing(list(t, p.url), names)) == 0 })
		eventually(t, "the files are closed", func() bool { return p.openFiles(t) <= idle })
		if round == 0 {
			settled = p.memory(t)
		}
	}
	used := p.memory(t)
	t.Logf("%d KiB resident after the first round, %d KiB after the last", settled>>10, used>>10)
	// The race detector keeps a shadow of everything that ever was.
	if used > settled+growth && !raced() {
		t.Errorf("%d bytes resident after the first round, %d after the last", settled, used)
	}

	// A Go program that quits shows all of its goroutines. A call or two may
	// just be ending.
	p.signal(t, syscall.SIGQUIT)
	p.wait(t)
	stacks := p.stderr.String()
	if n := strings.Count(stacks, "\ngoroutine "); n < 2 || n > 60 {
		t.Errorf("%d goroutines are left:\n%.10000s", n, stacks)
	}
}

func (p *process) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), file)
}

// memory is how many bytes the process has resident.
func (p *process) memory(t testing.TB) int {
	t.Helper()
	statm, err := os.ReadFile(p.proc("statm"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		t.Fatalf("%v: %s", err, statm)
	}
	return pages * os.Getpagesize()
}

// openFiles is how many files and sockets the process has open.
func (p *process) openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(p.proc("fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
