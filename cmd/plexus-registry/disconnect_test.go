// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// drop closes the connection without a WebSocket close: plainly, or so that the
// server sees a reset.
func drop(t testing.TB, conn *testkit.Conn, reset bool) {
	t.Helper()
	if reset {
		if err := conn.TCP().SetLinger(0); err != nil {
			t.Error(err)
		}
	}
	if err := conn.TCP().Close(); err != nil {
		t.Error(err)
	}
}

// inParallel divides the names among so many workers.
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

// TestClientsThatDisconnectLeaveNoMemoryFilesOrGoroutines closes 1,000 connections with a
// registration in flight on each, several times over. All are stored, and no
// memory, file or goroutine is left.
func TestClientsThatDisconnectLeaveNoMemoryFilesOrGoroutines(t *testing.T) {
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
	dir := t.TempDir()
	cmd := command(dir)
	cmd.Env = append(cmd.Env, "GOGC=20") // so that garbage does not look like a leak
	p := start(t, cmd)
	if _, err := os.Stat(p.proc("statm")); err != nil {
		t.Skipf("the system does not show what a process uses: %v", err)
	}
	c := connect(t, p.url)
	c.register(t, object{"name": "first", "host": "h", "port": 1})
	idle := p.openFiles(t) - 1
	c.Close()

	var settled int
	for round := range rounds {
		// Once the new entries are there, the calls of this round have ended.
		names := numbered(fmt.Sprint("gone-", round), connections)
		sockets := make([]*testkit.Conn, connections)
		for i := range sockets {
			sockets[i] = testkit.Dial(t, p.url)
		}
		inParallel(16, names, func(i int, name string) {
			if err := sockets[i].WriteJSON(registerFrame(name)); err != nil {
				t.Error(err)
			}
		})
		inParallel(16, names, func(i int, _ string) { drop(t, sockets[i], i%2 == 1) })
		testkit.Eventually(t, "all are listed", func() bool { return len(missing(list(t, p.url), names)) == 0 })
		testkit.Eventually(t, "the files are closed", func() bool { return p.openFiles(t) <= idle })
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
	if entries := list(t, start(t, command(dir)).url); len(entries) != rounds*connections+1 {
		t.Errorf("%d entries after a restart", len(entries))
	}
}

func (p *process) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), file)
}

// memory returns how many bytes the process has resident.
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

// openFiles returns how many files and sockets the process has open.
func (p *process) openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(p.proc("fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
