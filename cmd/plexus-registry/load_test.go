// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/plexus-go/plexus/internal/testkit"
)

// The tests of this file do to a registry what a client should not. Each logs
// what that cost the process, and what it did to the calls of another client;
// the memory has a bound, the times have none. They take minutes and a machine
// of their own, so they run only with LOAD set: make load.
func underLoad(t *testing.T) {
	t.Helper()
	if os.Getenv("LOAD") == "" {
		t.Skip("takes minutes and a machine of its own: make load")
	}
}

// maxMemory is what the process may have resident under any load.
const maxMemory = 200 << 20

// observe does work while another client calls get again and again.
func (p *process) observe(t *testing.T, work func()) {
	t.Helper()
	connect(t, p.url).register(t, object{"name": "observed", "host": "h", "port": 1})
	other := testkit.Dial(t, p.url)
	other.SetReadDeadline(time.Time{})
	idle := p.memory(t)
	var stop atomic.Bool
	var peak int
	var took []time.Duration
	var group sync.WaitGroup
	group.Go(func() {
		for !stop.Load() {
			peak = max(peak, p.memory(t))
			time.Sleep(10 * time.Millisecond)
		}
	})
	group.Go(func() {
		for !stop.Load() {
			begin := time.Now()
			if _, err := exchange(other.Conn, getRequest); err != nil {
				t.Error(err)
				return
			}
			took = append(took, time.Since(begin))
			time.Sleep(2 * time.Millisecond)
		}
	})
	begin := time.Now()
	work()
	lasted := time.Since(begin)
	stop.Store(true)
	group.Wait()
	slices.Sort(took)
	t.Logf("%v: %d MiB resident before, %d MiB at most; %d gets of another client, p50 %v, p99 %v, at worst %v",
		lasted.Round(time.Millisecond), idle>>20, peak>>20, len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	if peak > maxMemory && !raced() {
		t.Errorf("%d MiB resident, want %d at most", peak>>20, maxMemory>>20)
	}
}

var getRequest = []byte(`{"jsonrpc":"2.0","id":1,"method":"registry_get","params":["observed"]}`)

// exchange makes a call and returns the frames of its answer.
func exchange(ws *websocket.Conn, request []byte) (frames [][]byte, err error) {
	err = ws.WriteMessage(websocket.TextMessage, request)
	for range framesPerCall {
		if err != nil {
			return nil, err
		}
		var frame []byte
		_, frame, err = ws.ReadMessage()
		frames = append(frames, frame)
		if bytes.Contains(frame, []byte(`"type":"error"`)) {
			break // nothing comes after it
		}
	}
	return frames, err
}

// raw is a connection that has been upgraded, and sends what it wants.
func (p *process) raw(t *testing.T) *testkit.Conn {
	t.Helper()
	ws := testkit.Dial(t, p.url)
	ws.SetReadDeadline(time.Now().Add(2 * time.Minute))
	return ws
}

func TestLoadOfHalfHandshakes(t *testing.T) {
	underLoad(t)
	const connections = 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < connections+500 {
		t.Skipf("only %d files may be open, want %d (%v)", limit.Cur, connections+500, err)
	}
	p := start(t, command(t.TempDir()))
	p.observe(t, func() {
		open := make([]net.Conn, 0, connections)
		for range connections {
			c, err := net.Dial("tcp", p.address())
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upg", p.address())
		}
		for _, c := range open {
			c.Close()
		}
		testkit.Eventually(t, "the files are closed", func() bool { return p.openFiles(t) < 100 })
	})
}

func TestLoadOfSlowBytes(t *testing.T) {
	underLoad(t)
	p := start(t, command(t.TempDir()))
	p.observe(t, func() {
		var group sync.WaitGroup
		for range 100 {
			ws := p.raw(t)
			group.Go(func() {
				message := []byte{0x81, 0x80 | 100, 0, 0, 0, 0}
				for ; ; time.Sleep(time.Second) {
					if _, err := ws.NetConn().Write(message); err != nil {
						return // it was closed
					}
					message = []byte("x")
				}
			})
		}
		group.Wait()
	})
}

// TestLoadOfListsThatNobodyReads has 100 clients call a list of 30 MB and read
// nothing.
func TestLoadOfListsThatNobodyReads(t *testing.T) {
	underLoad(t)
	dir := t.TempDir()
	p := start(t, command(dir))
	const workers = 64
	sockets := make([]*testkit.Conn, workers)
	for i := range sockets {
		sockets[i] = p.raw(t)
	}
	description := strings.Repeat("d", 2700)
	inParallel(workers, numbered("many", many), func(i int, name string) {
		call := benchCall("register", object{"name": name, "host": "h", "port": 1, "description": description})
		if _, err := exchange(sockets[i%workers].Conn, []byte(call)); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	p.stop(t)
	p = start(t, command(dir)) // without what the registering has left in memory
	request := []byte(`{"jsonrpc":"2.0","id":1,"method":"registry_list","params":{"active_only":false}}`)
	lists := func() (size int) {
		ws := p.raw(t)
		defer ws.Close()
		frames, err := exchange(ws.Conn, request)
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range frames {
			size = max(size, len(frame))
		}
		return size
	}
	t.Logf("a list has %d bytes", lists())
	p.observe(t, func() {
		before := p.openFiles(t)
		for range 100 {
			if err := p.raw(t).WriteMessage(websocket.TextMessage, request); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(10 * time.Second)
		t.Logf("%d of 100 are still connected after 10s", p.openFiles(t)-before)
		begin := time.Now()
		size := lists()
		t.Logf("another client's list then took %v, %d bytes", time.Since(begin), size)
	})
	closed := strings.Count(p.stderr.String(), "does not read")
	t.Logf("%d were closed since they do not read", closed)
}

func TestLoadOfAHugeMessage(t *testing.T) {
	underLoad(t)
	p := start(t, command(t.TempDir()))
	message := bytes.Repeat([]byte("x"), 64<<20)
	p.observe(t, func() {
		for range 40 {
			ws := p.raw(t)
			if err := ws.WriteMessage(websocket.TextMessage, message); err != nil {
				t.Fatal(err)
			}
			ws.Rejected("null", -32007)
			ws.Quiet()
		}
	})
}

func TestLoadOfPipelinedCalls(t *testing.T) {
	underLoad(t)
	const calls = 100_000
	for _, clients := range []int{1, 4} {
		p := start(t, command(t.TempDir()))
		p.observe(t, func() {
			var group sync.WaitGroup
			for range clients {
				ws := p.raw(t)
				group.Go(func() {
					for range calls {
						if err := ws.WriteMessage(websocket.TextMessage, getRequest); err != nil {
							t.Error(err)
							return
						}
					}
				})
				group.Go(func() {
					for i := range framesPerCall * calls {
						if _, frame, err := ws.ReadMessage(); err != nil || bytes.Contains(frame, []byte(`"error"`)) {
							t.Errorf("frame %d: %v, %s", i, err, frame)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}
