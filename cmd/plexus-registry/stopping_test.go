// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestStop ends the registry by each signal that asks for it, while clients
// are connected and a write is under way.
func TestStop(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := start(t, command(dir))
			idle, writer := dial(t, p.url), dial(t, p.url)
			names := numbered("last", 20)
			for _, name := range names {
				if err := writer.WriteJSON(registerFrame(name)); err != nil {
					t.Fatal(err)
				}
			}
			// The answer shows that all of these were read before the signal.
			if err := writer.WriteJSON(map[string]any{"jsonrpc": "2.0", "id": "read", "method": "nope"}); err != nil {
				t.Fatal(err)
			}
			answered, done := map[string]bool{}, 0
			for read := false; !read; {
				note(t, receive(t, writer), answered, &done, &read)
			}

			begin := time.Now()
			p.signal(t, signal)
			for {
				var frame map[string]any
				err := writer.ReadJSON(&frame)
				if err != nil {
					wantGoingAway(t, err)
					break
				}
				note(t, frame, answered, &done, nil)
			}
			if len(answered) != len(names) || done != len(names) {
				t.Errorf("%d of %d calls were answered and %d done before the close", len(answered), len(names), done)
			}
			_, _, err := idle.ReadMessage()
			wantGoingAway(t, err)
			if err := p.wait(t); err != nil {
				t.Errorf("exited with %v\n%s", err, p.stderr)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("the stop took %v", took)
			}
			if lost := missing(list(t, start(t, command(dir)).url), names); len(lost) > 0 {
				t.Errorf("lost: %v", lost)
			}
		})
	}
}

// note keeps account of a frame: an answer to a call that was named by its
// id, the end of one, or the answer to the request "read".
func note(t *testing.T, frame map[string]any, answered map[string]bool, done *int, read *bool) {
	t.Helper()
	switch id, _ := frame["id"].(string); {
	case id == "read" && read != nil:
		*read = true
	case id != "":
		if frame["result"] == nil {
			t.Errorf("a call that was read before the signal is answered %v", frame)
		}
		answered[id] = true
	case itemOf(frame)["type"] == "done":
		*done++
	case itemOf(frame)["type"] != "data":
		t.Errorf("a call ended with %v", frame)
	}
}

func wantGoingAway(t *testing.T, err error) {
	t.Helper()
	if !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("the connection ended with %v, want close code 1001", err)
	}
}

// TestStopDuringRegister sends the signal with registrations in the pipe that
// nobody has seen read. Each is stored, or its client is told that it was not.
func TestStopDuringRegister(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, command(dir))
	names := numbered("late", 100)
	sockets := make([]*websocket.Conn, len(names))
	for i := range sockets {
		sockets[i] = dial(t, p.url)
	}
	for i, name := range names {
		if err := sockets[i].WriteJSON(registerFrame(name)); err != nil {
			t.Fatal(err)
		}
	}
	p.signal(t, syscall.SIGTERM)
	var refused, stored []string
	for i, name := range names {
		var answer map[string]any
		err := sockets[i].ReadJSON(&answer)
		if err != nil && !websocket.IsCloseError(err, websocket.CloseGoingAway) {
			t.Errorf("%s: no answer: %v", name, err)
			continue
		}
		// Where a reader came late, the close alone says it.
		if err != nil || answer["error"] != nil {
			refused = append(refused, name)
			continue
		}
		stored = append(stored, name)
	}
	if err := p.wait(t); err != nil {
		t.Errorf("exited with %v\n%s", err, p.stderr)
	}
	t.Logf("%d of %d were refused", len(refused), len(names))
	entries := list(t, start(t, command(dir)).url)
	if lost := missing(entries, stored); len(lost) > 0 {
		t.Errorf("lost: %v", lost)
	}
	if len(missing(entries, refused)) != len(refused) {
		t.Error("what was refused is stored")
	}
}

// startStalled starts a registry with a client that asks for much more than
// it ever reads, which holds a stop up for seconds.
func startStalled(t *testing.T) *process {
	t.Helper()
	dir := t.TempDir()
	var file strings.Builder
	for i := range 500 {
		fmt.Fprintf(&file, "[[backend]]\nname = \"b%d\"\nhost = \"h\"\nport = 1\ndescription = %q\n", i, strings.Repeat("x", 4000))
	}
	writeFile(t, filepath.Join(dir, "plexus", "backends.toml"), file.String())
	p := start(t, command(dir))
	ws := dial(t, p.url)
	if err := ws.NetConn().(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if err := ws.WriteJSON(callFrame(1, "registry.list", nil)); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, ws) // so they are being answered
	return p
}

// stopWithStalledClient stops in time though a client does not read, and tells
// the others.
func stopWithStalledClient(t *testing.T) {
	p := startStalled(t)
	other := dial(t, p.url)
	info(t, other)
	begin := time.Now()
	p.signal(t, syscall.SIGTERM)
	_, _, err := other.ReadMessage()
	wantGoingAway(t, err)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("another client waited %v for the close", took)
	}
	// The status may be either: not all was finished. What was cut off is told
	// in one line.
	if p.wait(t) != nil {
		lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
		for i, line := range lines {
			if last := i == len(lines)-1; strings.HasPrefix(line, "{") == last {
				t.Errorf("the log ends with\n%s", p.stderr)
				break
			}
		}
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

// TestSecondSignal ends a registry at once that still waits for a client.
func TestSecondSignal(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := startStalled(t)
			p.signal(t, signal)
			eventually(t, "it is stopping", func() bool {
				conn, err := net.Dial("tcp", p.address())
				if err == nil {
					conn.Close()
				}
				return errors.Is(err, syscall.ECONNREFUSED)
			})
			p.signal(t, signal)
			begin := time.Now()
			var exit *exec.ExitError
			if err := p.wait(t); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != signal {
				t.Errorf("exited with %v, want the signal", err)
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestKill ends the registry in the middle of many registrations. What was
// acknowledged is there afterwards.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, command(dir))
	var (
		mu           sync.Mutex
		acknowledged []string
		group        sync.WaitGroup
	)
	enough := make(chan struct{})
	var count atomic.Int32
	for w := range 8 {
		ws := dial(t, p.url)
		group.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("worker-%d-%d", w, i)
				if ws.WriteJSON(registerFrame(name)) != nil {
					return
				}
				for ended := false; !ended; {
					var frame map[string]any
					if ws.ReadJSON(&frame) != nil {
						return
					}
					switch item := itemOf(frame); item["type"] {
					case "data":
						mu.Lock()
						acknowledged = append(acknowledged, name)
						mu.Unlock()
						if count.Add(1) == 300 {
							close(enough)
						}
					case "done":
						ended = true
					}
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(patience):
		t.Fatalf("only %d registrations\n%s", count.Load(), p.stderr)
	}
	p.signal(t, os.Kill)
	p.wait(t)
	group.Wait()
	if lost := missing(list(t, start(t, command(dir)).url), acknowledged); len(lost) > 0 {
		t.Errorf("%d of %d are lost: %v", len(lost), len(acknowledged), lost)
	}
}
