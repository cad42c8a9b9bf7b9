// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// callingPage opens a WebSocket, registers a backend, and reads the list; then it asks
// by HTTP. It reports what it has read, and opens the page that the answer
// names.
const callingPage = `<!doctype html><title>t</title><script>
const report = (text) => fetch("/report", {method: "POST", body: text}).then((r) => r.text()).then((next) => { if (next) location = next; });
const target = new URLSearchParams(location.search).get("target");
const name = new URLSearchParams(location.search).get("name");
let read = "";
const web = fetch("http://" + target + "/").then((r) => r.text()).then((t) => "http " + t, () => "http refused");
const socket = new Promise((done) => {
	const ws = new WebSocket("ws://" + target + "/");
	ws.onerror = () => done("ws refused");
	ws.onopen = () => {
		ws.send(JSON.stringify({jsonrpc: "2.0", id: 1, method: "registry_register", params: [name, "localhost", 1]}));
		ws.send(JSON.stringify({jsonrpc: "2.0", id: 2, method: "registry_list"}));
	};
	ws.onmessage = (m) => { read += m.data; if (read.includes('"backends"') && read.includes('backend_registered')) done("ws " + read); };
});
Promise.all([web, socket]).then((all) => report(all.join("\n")));
</script>`

// stranger serves the page to a browser, and passes everything that is no page
// on to the registry, byte by byte: as if the stranger's name had been rebound to
// the registry's address.
type stranger struct {
	address  string // it listens at
	registry string
	reports  chan string
	pages    chan string // to be opened after the first
	running  sync.WaitGroup
}

func newStranger(t *testing.T, registry string) *stranger {
	t.Helper()
	l := testkit.Listen(t)
	s := &stranger{address: l.Addr().String(), registry: registry, reports: make(chan string, 8), pages: make(chan string, 8)}
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.running.Wait()
	})
	return s
}

func (s *stranger) serve(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	from := bufio.NewReader(conn)
	r, err := http.ReadRequest(from)
	if err != nil {
		return
	}
	switch {
	case r.URL.Path == "/report":
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		next := <-s.pages // none after the last
		s.reports <- string(body)
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(next), next)
	case r.URL.Path == "/page":
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(callingPage), callingPage)
	default:
		to, err := net.Dial("tcp", s.registry)
		if err != nil {
			return
		}
		defer to.Close()
		to.SetDeadline(time.Now().Add(time.Minute))
		if r.Write(to) != nil {
			return
		}
		var back sync.WaitGroup
		back.Go(func() {
			io.Copy(conn, to)
			conn.Close()
		})
		io.Copy(to, from)
		to.Close()
		back.Wait()
	}
}

// chromium opens a page in a browser of its own until the test ends.
func chromium(t *testing.T, url string, rules string) {
	t.Helper()
	path := testkit.Tool(t, "chromium")
	// The browser's other processes may write to it until after the test.
	profile, err := os.MkdirTemp("", "plexus-browser-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--user-data-dir="+profile, "--host-resolver-rules="+rules, url)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(profile)
	})
}

// TestOnlyPagesOfThisMachineReachTheRegistry opens pages in a real browser, from several origins. Only
// one from this machine may reach the registry.
func TestOnlyPagesOfThisMachineReachTheRegistry(t *testing.T) {
	t.Parallel()
	p := start(t, command(t.TempDir()))
	_, port, err := net.SplitHostPort(p.address())
	if err != nil {
		t.Fatal(err)
	}
	s := newStranger(t, p.address())
	_, own, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		origin  string // host of the page; its port is the stranger's
		target  string // what it calls
		allowed bool   // whether that must succeed
	}{
		{"from this machine", "localhost", "127.0.0.1:" + port, true},
		{"from elsewhere", "strange.example", "127.0.0.1:" + port, false},
		{"from elsewhere, by the name of this machine", "strange.example", "localhost:" + port, false},
		{"whose name is rebound, with another port", "strange.example", "strange.example:" + port, false},
		{"whose name is rebound, with its own port", "strange.example", "strange.example:" + own, false},
	}
	for i, test := range tests {
		s.pages <- fmt.Sprintf("http://%s:%s/page?target=%s&name=page-%d", test.origin, own, test.target, i)
	}
	close(s.pages)
	// One browser for all: it takes most of the time to begin.
	chromium(t, <-s.pages, "MAP strange.example 127.0.0.1")
	for i, test := range tests {
		var report string
		select {
		case report = <-s.reports:
		case <-time.After(time.Minute):
			t.Fatalf("%s: the browser has not reported", test.name)
		}
		t.Run(test.name, func(t *testing.T) {
			got := connect(t, p.url).get(t, fmt.Sprint("page-", i))
			if reached := strings.Contains(report, `"backend_registered"`); reached != test.allowed || (got != nil) != test.allowed {
				t.Errorf("the entry is %v, the page reports %q", got, report)
			}
			if !test.allowed && strings.Contains(report, "Plexus hub") {
				t.Errorf("the page has read what the registry says by HTTP: %q", report)
			}
		})
	}
}
