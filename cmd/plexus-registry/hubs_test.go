// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
)

// liveHub is a hub that answers, in this process.
type liveHub struct {
	*testhub.Hub
	port int
}

// runHub runs a hub on a port, 0 for a free one, until it is stopped or the test
// ends.
func runHub(t testing.TB, name string, port int) liveHub {
	t.Helper()
	h := testhub.Start(t, testhub.Config{Name: name, Address: fmt.Sprint("127.0.0.1:", port)})
	port, err := strconv.Atoi(h.Port())
	if err != nil {
		t.Fatal(err)
	}
	return liveHub{h, port}
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// silent accepts connections and never answers. It returns its port.
func silent(t testing.TB) int {
	t.Helper()
	l := testkit.Listen(t)
	var taken []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			taken = append(taken, conn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, conn := range taken {
			conn.Close()
		}
	})
	return portOf(l)
}

// freePort is a port on which nobody listens, for a while.
func freePort(t testing.TB) int {
	t.Helper()
	l := testkit.Listen(t)
	defer l.Close()
	return portOf(l)
}

// entryText is an entry of backends.toml.
func entryText(name string, port int) string {
	return fmt.Sprintf("[[backend]]\nname = %q\nhost = \"127.0.0.1\"\nport = %d\n", name, port)
}
