// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/settings"
	"github.com/plexus-go/plexus/internal/testkit"
)

// framesPerCall are the subscription id, one item, and done.
const framesPerCall = 3

// load is how many clients there are, and how many calls each has in flight.
type load struct{ connections, inFlight int }

func (l load) String() string { return fmt.Sprintf("%d×%d", l.connections, l.inFlight) }

// subject is what is measured: the frames of a call, as each of several
// clients sends them in turn.
type subject struct {
	name     string
	requests func(connection int) [][]byte
}

// BenchmarkRegistry measures calls through a real socket, and in turns with
// them the same request frames at a bare server that answers each with three
// frames of the same size as the registry's. "ratio/echo" is the share of the
// bare server's calls that the registry manages in the same time.
func BenchmarkRegistry(b *testing.B) {
	url := serveHere(b)
	c := connect(b, url)
	for _, name := range numbered("bench", 1000) {
		c.register(b, benchEntry(name))
	}
	subjects := []subject{
		{"_info", always(`{"jsonrpc":"2.0","id":7,"method":"_info","params":null}`)},
		{"get", always(benchCall("get", map[string]any{"name": "bench-0500"}))},
		{"ping", always(benchCall("ping", map[string]any{"name": "bench-0500"}))},
		{"list1000", always(benchCall("list", map[string]any{}))},
		{"register", func(connection int) [][]byte {
			var frames [][]byte
			for _, name := range numbered("bench", 1000)[connection*50 : connection*50+50] {
				frames = append(frames, []byte(benchCall("register", benchEntry(name))))
			}
			return frames
		}},
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-9s %5s %12s %12s %6s\n", "call", "load", "calls/s", "echo", "ratio")
	for _, s := range subjects {
		for _, l := range []load{{1, 1}, {1, 8}, {16, 8}} {
			var row string // of the last and longest run
			b.Run(s.name+"/"+l.String(), func(b *testing.B) { row = measure(b, url, s, l) })
			table.WriteString(row)
		}
	}
	fmt.Print("\n", table.String(), "\n")
}

func benchEntry(name string) map[string]any {
	return map[string]any{"name": name, "host": "127.0.0.1", "port": 4444, "description": "A backend of the benchmark", "namespace": "plexus"}
}

func benchCall(method string, params any) string {
	text, err := json.Marshal(callFrame(7, "registry."+method, params))
	if err != nil {
		panic(err)
	}
	return string(text)
}

func always(frame string) func(int) [][]byte {
	return func(int) [][]byte { return [][]byte{[]byte(frame)} }
}

// serveHere runs the registry in this process, where it can be profiled,
// wired as the command wires it.
func serveHere(b *testing.B) (url string) {
	b.Helper()
	dir := b.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	stdout, address := io.Pipe()
	ended := make(chan error, 1)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { null.Close() })
	problems := newErrorOutput(null)
	problems.level.Set(slog.Level(math.MaxInt))
	go func() {
		s := settings.NewRegistry()
		s.Port, s.ConfigPath, s.DBPath = 0, filepath.Join(dir, "backends.toml"), filepath.Join(dir, "registry.db")
		s.AutoRegister, s.Health.Interval, s.Anonymous = nil, 0, "all"
		err := serve(&signals{stop: ctx}, s, problems, address)
		address.CloseWithError(err)
		ended <- err
	}()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// serveEcho runs a bare server, as one writes it with gorilla/websocket, that
// answers each message with the frames.
func serveEcho(b *testing.B, frames [][]byte) (url string) {
	b.Helper()
	var upgrader websocket.Upgrader
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
			for _, frame := range frames {
				if ws.WriteMessage(websocket.TextMessage, frame) != nil {
					return
				}
			}
		}
	}))
	b.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

// measure makes b.N calls at the registry and as many at the echo, or a few more,
// and returns a row of the table.
func measure(b *testing.B, url string, s subject, l load) string {
	var requests [][][]byte // by connection
	for i := range l.connections {
		requests = append(requests, s.requests(i))
	}
	registry := dialAll(b, url, l)
	frames, err := exchange(registry[0], requests[0][0])
	if err != nil || len(frames) != framesPerCall {
		b.Fatalf("a call is answered with %q, %v", frames, err)
	}
	for i, part := range []string{`"result":`, `"type":"data"`, `"type":"done"`} {
		if !strings.Contains(string(frames[i]), part) {
			b.Fatalf("frame %d of a call is %.300s", i, frames[i])
		}
	}
	echo := dialAll(b, serveEcho(b, frames), l)
	run := func(sockets []*websocket.Conn, each int) time.Duration {
		var group sync.WaitGroup
		begin := time.Now()
		for i, ws := range sockets {
			group.Go(func() {
				if err := makeCalls(ws, requests[i], l.inFlight, each); err != nil {
					b.Error(err)
				}
			})
		}
		group.Wait()
		return time.Since(begin)
	}
	var ours, theirs time.Duration
	// In turns, so that whatever else the machine does meets both alike.
	turn, made := max(l.inFlight, b.N/10/l.connections), 0
	for made < b.N {
		each := min(turn, (b.N-made+l.connections-1)/l.connections)
		made += each * l.connections
		ours += run(registry, each)
		b.StopTimer()
		theirs += run(echo, each)
		b.StartTimer()
	}
	b.StopTimer()
	calls, echoed, ratio := float64(made)/ours.Seconds(), float64(made)/theirs.Seconds(), theirs.Seconds()/ours.Seconds()
	b.ReportMetric(calls, "calls/s")
	b.ReportMetric(echoed, "echo/s")
	b.ReportMetric(ratio, "ratio/echo")
	return fmt.Sprintf("%-9s %5s %12.0f %12.0f %6.2f\n", s.name, l, calls, echoed, ratio)
}

func dialAll(b *testing.B, url string, l load) (all []*websocket.Conn) {
	b.Helper()
	for range l.connections {
		ws := testkit.Dial(b, url).Conn
		ws.SetReadDeadline(time.Time{})
		all = append(all, ws)
	}
	return all
}

// makeCalls makes n calls, with so many in flight. Their frames may come in any
// order, but each call has three.
func makeCalls(ws *websocket.Conn, requests [][]byte, inFlight, n int) error {
	sent := 0
	for frames := 0; frames < n*framesPerCall; {
		for ; sent < min(n, inFlight+frames/framesPerCall); sent++ {
			if err := ws.WriteMessage(websocket.TextMessage, requests[sent%len(requests)]); err != nil {
				return err
			}
		}
		_, r, err := ws.NextReader()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			return err
		}
		frames++
	}
	return nil
}
