// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
)

const many = 10_000

// BenchmarkListOfMany measures a list of 10,000 entries, and a page of 100 of
// them, through a socket. (The benchmarks of the registry do without.)
func BenchmarkListOfMany(b *testing.B) {
	calls := []struct {
		name   string
		params string
		want   int
	}{
		{"all", `{}`, many},
		{"page", `{"limit":100}`, 100},
	}
	dir := b.TempDir()
	writeFile(b, filepath.Join(dir, "plexus", "backends.toml"), manyEntries("h"))
	p := start(b, command(dir))
	ws := testkit.Dial(b, p.url)
	ws.SetReadDeadline(time.Now().Add(5 * time.Minute))
	for _, c := range calls {
		b.Run(c.name, func(b *testing.B) {
			request := []byte(`{"jsonrpc":"2.0","id":1,"method":"registry_list","params":` + c.params + `}`)
			quantiles(b, func() {
				if frames, err := exchange(ws.Conn, request); err != nil || len(frames[1]) < c.want*100 {
					b.Fatalf("%d frames, %v", len(frames), err)
				}
			})
		})
	}
}

// quantiles reports how long work takes, mostly and at worst.
func quantiles(b *testing.B, work func()) {
	b.Helper()
	var took []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now()
		work()
		took = append(took, time.Since(begin))
	}
	reportQuantiles(b, took)
}

// reportQuantiles reports the median and the 99th percentile, in milliseconds.
func reportQuantiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// manyEntries is a file of 10,000 backends, with all its ports the same.
func manyEntries(host string) string {
	var text strings.Builder
	for i := range many {
		fmt.Fprintf(&text, "[[backend]]\nname = \"backend-%05d\"\nhost = %q\nport = 4444\ndescription = \"A backend of the benchmark\"\nnamespace = \"plexus\"\n", i, host)
	}
	return text.String()
}

// BenchmarkProbes measures what it costs the command to probe 10,000 hubs once:
// processor seconds, and how long a round takes. Each hub has an address of the
// loopback network, which names it; all of them are one listener of this
// process, whose own time is not counted.
func BenchmarkProbes(b *testing.B) {
	var probes atomic.Int64
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
		const item = `{"jsonrpc":"2.0","method":"result","params":{"subscription":42,"result":{"type":%q,"metadata":{"provenance":[],"plexus_hash":"0123456789abcdef","timestamp":1}%s}}}`
		host, _, _ := net.SplitHostPort(r.Host)
		for _, frame := range []string{
			`{"jsonrpc":"2.0","id":1,"result":42}`,
			fmt.Sprintf(item, "data", `,"content_type":"_info","content":{"backend":"`+host+`","auth_capabilities":{"mechanisms":[{"kind":"anonymous"}]}}`),
			fmt.Sprintf(item, "done", ""),
		} {
			if ws.WriteMessage(websocket.TextMessage, []byte(frame)) != nil {
				return
			}
		}
		probes.Add(1)
		_, _, _ = ws.ReadMessage() // its goodbye
	})}
	go server.Serve(l)
	defer server.Close()

	var text strings.Builder
	for i := range many {
		text.WriteString(strings.ReplaceAll(entryText(fmt.Sprintf("127.1.%d.%d", i/250, i%250+1), portOf(l)),
			`"127.0.0.1"`, fmt.Sprintf(`"127.1.%d.%d"`, i/250, i%250+1)))
	}
	dir := b.TempDir()
	writeFile(b, filepath.Join(dir, "plexus", "backends.toml"), text.String())
	const interval = 10 * time.Second
	p := start(b, command(dir, "--health-interval", interval.String(), "--health-timeout", "2s"))
	if _, err := os.Stat(p.proc("stat")); err != nil {
		b.Skipf("the system does not show what a process uses: %v", err)
	}
	round := func(n int64, share float64) {
		target := int64(float64(n)*many + share)
		for deadline := time.Now().Add(time.Minute); probes.Load() < target; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				b.Fatalf("%d of %d probes have come", probes.Load(), target)
			}
		}
	}
	round(1, 0)
	var rounds int64
	var longest time.Duration
	before := p.processorTime(b)
	for b.Loop() {
		rounds++
		round(rounds, 1)
		begin := time.Now()
		round(rounds+1, 0)
		longest = max(longest, time.Since(begin))
	}
	spent := (p.processorTime(b) - before).Seconds() / float64(rounds)
	status := connect(b, p.url).want(b, "status", "registry.status", nil)
	if passing := status["by_health"].(map[string]any)["passing"]; passing != float64(many) {
		b.Errorf("the health is %v", status["by_health"])
	}
	b.ReportMetric(spent, "cpu-s/round")
	b.ReportMetric(spent/30*100, "cpu-%-at-30s")
	b.ReportMetric(longest.Seconds(), "round-s")
}

// processorTime is what the process has used up.
func (p *process) processorTime(t testing.TB) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat)[strings.LastIndexByte(string(stat), ')')+1:])
	var ticks int
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ
}
