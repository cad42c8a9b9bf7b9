// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/plexus-go/plexus/internal/testkit"
)

// TestAWatchIsFilteredAndEndsWithTheRegistry filters by name and namespace, and
// does not resume across a restart. (The tests of the registry have all else.)
func TestAWatchIsFilteredAndEndsWithTheRegistry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, command(dir))
	c := connect(t, p.url)
	entry := func(name, namespace string) object {
		return object{"name": name, "host": "h", "port": 1, "namespace": namespace}
	}
	c.register(t, entry("a", "left"))
	c.register(t, entry("b", "right"))
	c.want(t, "backend_deregistered", "registry.deregister", object{"name": "b"})
	tests := []struct {
		params       object
		begins, then []string
	}{
		{nil, []string{"b", "a"}, []string{"updated a", "registered c", "registered b", "deleted a"}},
		{object{"name": "b"}, []string{"b"}, []string{"registered b"}},
		{object{"namespace": "left"}, []string{"a"}, []string{"updated a", "registered c", "deleted a"}},
	}
	var watches []*watching
	for _, test := range tests {
		watches = append(watches, watch(t, p.url, test.params))
	}
	c.want(t, "backend_updated", "registry.update", object{"name": "a", "port": 2})
	c.register(t, entry("c", "left"))
	c.register(t, entry("b", "right"))
	c.want(t, "backend_deleted", "registry.delete", object{"name": "a"})
	for i, test := range tests {
		watches[i].wants(t, test.then, "a", "b", "c")
		var listed []string
		for _, entry := range entriesOf(watches[i].all()[0]) {
			listed = append(listed, nameOf(entry))
		}
		if !slices.Equal(listed, test.begins) {
			t.Errorf("%v begins with %v, want %v", test.params, listed, test.begins)
		}
	}

	p.stop(t)
	p = start(t, command(dir))
	c = connect(t, p.url)
	last, _ := c.want(t, "status", "registry.status", nil)["revision"].(float64)
	for _, after := range []float64{0, last - 1, 1 << 40} {
		w := watch(t, p.url, object{"after": after})
		testkit.Eventually(t, "the watch ends", w.over)
		if events := w.all(); len(events) != 1 || events[0]["type"] != "error" || !strings.Contains(fmt.Sprint(events[0]["message"]), "list again") {
			t.Errorf("after %v: %v", after, events)
		}
	}
	w := watch(t, p.url, object{"after": last})
	c.want(t, "backend_updated", "registry.update", object{"name": "b", "port": 4})
	w.wants(t, []string{"updated b"}, "a", "b", "c")
}

// TestAWatchThatIsNeverReadIsClosed checks that it delays nobody else.
func TestAWatchThatIsNeverReadIsClosed(t *testing.T) {
	t.Parallel()
	p := start(t, command(t.TempDir()))
	dialer := websocket.Dialer{NetDial: (&net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}).Dial}
	unread, _, err := dialer.Dial(p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unread.Close() })
	if err := unread.WriteJSON(callFrame(1, "registry.watch", object{})); err != nil {
		t.Fatal(err)
	}
	w := watch(t, p.url, nil)

	// The one that does not read is closed after 5 seconds: whoever waited for it
	// would wait until then.
	const delayed = 4 * time.Second
	// Changes of 16 KiB each, for as long as it takes.
	c, reader := connect(t, p.url), connect(t, p.url)
	sockets, writes, large := p.sockets(t), 0, strings.Repeat("x", 16_000)
	testkit.Eventually(t, "the connection is closed", func() bool {
		writes++
		begin := time.Now()
		c.register(t, object{"name": "x", "host": "h", "port": 1 + writes%60_000, "metadata": object{"x": large}})
		written := time.Now()
		reader.get(t, "x")
		if took := max(written.Sub(begin), time.Since(written)); took > delayed {
			t.Errorf("a write or a read takes %v", took)
		}
		return p.sockets(t) < sockets
	})
	if writes < 20 { // which fit into its queue
		t.Errorf("it was closed after only %d writes", writes)
	}
	for err = error(nil); err == nil; {
		_, _, err = unread.ReadMessage()
	}
	// The close code may be lost, as there is no room for it.
	if closed := (*websocket.CloseError)(nil); errors.As(err, &closed) && closed.Code != websocket.ClosePolicyViolation && closed.Code != websocket.CloseAbnormalClosure {
		t.Errorf("it was closed with %v", err)
	}
	t.Logf("after %d writes: %v", writes, err)
	// The other watch has all of it, or the newest of it.
	last := float64(1 + writes%60_000)
	testkit.Eventually(t, "the other watch has the last change", func() bool {
		events := w.all()
		if events[len(events)-1]["type"] == "backends" {
			return entriesOf(events[len(events)-1])[0]["port"] == last
		}
		return events[len(events)-1]["backend"].(object)["port"] == last
	})
}

// sockets is how many sockets the process has open.
func (p *process) sockets(t testing.TB) int {
	t.Helper()
	files, err := os.ReadDir(p.proc("fd"))
	if err != nil {
		t.Skipf("the system does not show what a process has open: %v", err)
	}
	count := 0
	for _, file := range files {
		if target, err := os.Readlink(p.proc("fd/" + file.Name())); err == nil && strings.HasPrefix(target, "socket:") {
			count++
		}
	}
	return count
}
