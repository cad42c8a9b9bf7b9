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
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestAStopFinishesTheCallsThatWereRead ends the registry by each signal that
// asks for it, while clients are connected and calls are under way.
func TestAStopFinishesTheCallsThatWereRead(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := start(t, command(dir))
			idle, writer := testkit.Dial(t, p.url), testkit.Dial(t, p.url)
			names := numbered("last", 20)
			for _, name := range names {
				if err := writer.WriteJSON(registerFrame(name)); err != nil {
					t.Fatal(err)
				}
			}
			// The answer shows that all of these were read before the signal.
			writer.Send(`{"jsonrpc":"2.0","id":"read","method":"nope"}`)
			answered, done := map[string]bool{}, 0
			note := func(f testkit.Frame) {
				switch item := f.Params.Result; {
				case f.ID != nil && f.Result != nil:
					answered[string(f.ID)] = true
				case f.ID != nil && string(f.ID) != `"read"`, f.ID == nil && item.Type != "data" && item.Type != "done":
					t.Errorf("a call that was read before the signal: %s", f.Text)
				case item.Type == "done":
					done++
				}
			}
			for read := false; !read; {
				f := writer.Next()
				note(f)
				read = string(f.ID) == `"read"`
			}
			begin := time.Now()
			p.signal(t, signal)
			frames, code := writer.Rest()
			for _, text := range frames {
				note(testkit.ParseFrame(t, []byte(text)))
			}
			if len(answered) != len(names) || done != len(names) {
				t.Errorf("%d of %d calls were answered and %d done before the close", len(answered), len(names), done)
			}
			if other := idle.Closed(); code != websocket.CloseGoingAway || other != websocket.CloseGoingAway {
				t.Errorf("closed with %d and %d, want 1001", code, other)
			}
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

// TestARegistrationDuringAStopIsStoredOrRejected sends the signal while
// registrations are on their way.
func TestARegistrationDuringAStopIsStoredOrRejected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, command(dir))
	names := numbered("late", 100)
	sockets := make([]*testkit.Conn, len(names))
	for i := range sockets {
		sockets[i] = testkit.Dial(t, p.url)
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
		// A client that reads late sees the close only.
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
// it ever reads, which delays a stop for seconds.
func startStalled(t *testing.T) *process {
	t.Helper()
	dir := t.TempDir()
	var file strings.Builder
	for i := range 500 {
		fmt.Fprintf(&file, "[[backend]]\nname = \"b%d\"\nhost = \"h\"\nport = 1\ndescription = %q\n", i, strings.Repeat("x", 4000))
	}
	writeFile(t, filepath.Join(dir, "plexus", "backends.toml"), file.String())
	p := start(t, command(dir))
	ws := testkit.Dial(t, p.url)
	if err := ws.TCP().SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if err := ws.WriteJSON(callFrame(1, "registry.list", nil)); err != nil {
			t.Fatal(err)
		}
	}
	ws.Next() // so they are being answered
	return p
}

// TestAStopIsInTimeThoughAClientDoesNotRead closes the other connections at
// once.
func TestAStopIsInTimeThoughAClientDoesNotRead(t *testing.T) {
	t.Parallel()
	p := startStalled(t)
	other := testkit.Dial(t, p.url)
	other.Quiet()
	begin := time.Now()
	p.signal(t, syscall.SIGTERM)
	if code := other.Closed(); code != websocket.CloseGoingAway {
		t.Errorf("another client is closed with %d", code)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("another client waited %v for the close", took)
	}
	// The status may be either: not all was finished. One line says what was cut
	// off.
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

// TestASecondSignalEndsTheStop ends a registry that still waits for a client.
func TestASecondSignalEndsTheStop(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := startStalled(t)
			p.signal(t, signal)
			testkit.Eventually(t, "it is stopping", func() bool {
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

// TestAKillLosesNothingThatWasAcknowledged kills the registry in the middle of
// many registrations.
func TestAKillLosesNothingThatWasAcknowledged(t *testing.T) {
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
		ws := testkit.Dial(t, p.url)
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
	case <-time.After(testkit.Patience):
		t.Fatalf("only %d registrations\n%s", count.Load(), p.stderr)
	}
	p.signal(t, os.Kill)
	p.wait(t)
	group.Wait()
	if lost := missing(list(t, start(t, command(dir)).url), acknowledged); len(lost) > 0 {
		t.Errorf("%d of %d are lost: %v", len(lost), len(acknowledged), lost)
	}
}

// A disk that has stalled does not keep the registry from ending within 10 seconds.
func TestStopDoesNotWaitForADiskThatStalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, command(dir))
	first := testkit.Dial(t, p.url)
	if err := first.WriteJSON(registerFrame("before")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it is registered", func() bool { return len(missing(list(t, p.url), []string{"before"})) == 0 })
	// Another program that holds the lock of the database keeps each commit waiting
	// for seconds, and there are several.
	conn, err := sqlite.OpenConn(filepath.Join(dir, "plexus", "registry.db"), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteTransient(conn, "BEGIN IMMEDIATE", nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range numbered("late", 5) {
		if err := testkit.Dial(t, p.url).WriteJSON(registerFrame(name)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // so that they are several transactions
	}
	begin := time.Now()
	p.signal(t, syscall.SIGTERM)
	if err := p.wait(t); err == nil {
		t.Error("it says that it has stored everything")
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if !strings.Contains(p.stderr.String(), "without the end of its writes") {
		t.Errorf("it says %s", p.stderr)
	}
	_ = conn.Close()
	if lost := missing(list(t, start(t, command(dir)).url), []string{"before"}); len(lost) > 0 {
		t.Errorf("lost: %v", lost)
	}
}
