// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/websocket"
)

// patience is how long a test waits for what must happen.
const patience = testkit.Patience

// goroutines are the functions whose goroutines must end with a client.
var goroutines = []string{"plexus/transport/client.", "plexus/transport/registryclient."}

func TestMain(m *testing.M) {
	status := m.Run()
	if left := testkit.Goroutines(goroutines...); status == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines of the client are left:\n%s\n", left)
		status = 1
	}
	os.Exit(status)
}

// watched are the tests that have called noLeak.
var watched sync.Map

// noLeak checks, at the very end of the test, that nothing of the client is
// left. It is to be called before anything is started.
func noLeak(t testing.TB) {
	t.Helper()
	if _, already := watched.LoadOrStore(t, true); !already {
		testkit.NoGoroutines(t, goroutines...)
	}
}

// listen opens a listener on the loopback, which the test closes.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("can't listen: %v", err) // IPv6, on some machines
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve serves h on l, until the test ends or stop is called.
func serve(t testing.TB, h *hub.Hub, l net.Listener) (stop func()) {
	t.Helper()
	ws := websocket.NewServer(h, websocket.Limits{}, slog.New(slog.DiscardHandler))
	web := &http.Server{Handler: ws}
	ended := make(chan struct{})
	go func() { web.Serve(l); close(ended) }()
	stop = sync.OnceFunc(func() {
		web.Close()
		<-ended
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := ws.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// peer is a fake hub's end of a connection.
type peer = testkit.Peer

// fake is a hub that does what a script says.
type fake struct{ url string }

// pretend starts a fake hub. The script is run for every connection, which is
// closed when it returns.
func pretend(t testing.TB, script func(c *peer)) *fake {
	t.Helper()
	noLeak(t)
	return &fake{testkit.Pretend(t, script)}
}

// pretendByPipe starts a fake hub that only dial of the pipes leads to.
func pretendByPipe(t *testing.T, script func(c *peer)) *testkit.Pipes {
	p := testkit.NewPipes()
	testkit.PretendOn(t, p, script)
	return p
}

func byPipe(p *testkit.Pipes) client.Option { return client.WithNetDial(p.Dial) }

// done, meta and data are fields of items.
const (
	done = testkit.DoneItem
	meta = testkit.ItemMetadata
)

func data(content string) string { return testkit.DataItem(content) }

// object is a JSON object.
type object = map[string]any

// dialFailed reports whether there was no connection.
func dialFailed(err error) bool {
	_, ok := errors.AsType[*client.DialError](err)
	return ok
}
