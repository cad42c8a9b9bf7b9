// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/testkit/testhub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/transport/client"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, "plexus/transport/client.")) }

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

// serve serves a hub with echo and more.
func serve(t testing.TB, address string, more ...plugin.Activation) *testhub.Hub {
	t.Helper()
	return testhub.Start(t, testhub.Config{Address: address, Activations: append([]plugin.Activation{echo.New()}, more...)})
}

// start serves a hub on a free port, and returns its URL.
func start(t testing.TB, more ...plugin.Activation) string { return serve(t, "", more...).URL }

// dial connects a client that is closed when the test ends.
func dial(t testing.TB, url string, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Dial(testkit.Context(t), url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// peer is a fake hub's end of a connection.
type peer = testkit.Peer

// pretendByPipe starts a fake hub that only the dial function of the pipes
// leads to.
func pretendByPipe(t *testing.T, script func(c *peer)) *testkit.Pipes {
	p := testkit.NewPipes()
	testkit.PretendOn(t, p, script)
	return p
}

func byPipe(p *testkit.Pipes) client.Option { return client.WithNetDial(p.Dial) }

// dialPipe connects a client, which the test closes at its end.
func dialPipe(t *testing.T, p *testkit.Pipes, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Dial(context.Background(), "ws://pipe", append(options, byPipe(p), client.WithProxy(nil))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// done, meta and data are fields of items.
const (
	done = testkit.DoneItem
	meta = testkit.ItemMetadata
)

func data(content string) string { return testkit.DataItem(content) }

// dialFailed reports whether there was no connection.
func dialFailed(err error) bool {
	_, ok := errors.AsType[*client.DialError](err)
	return ok
}

// callFailed reports whether a call failed for a reason, and says whether it was
// sent and may be repeated.
func callFailed(err, reason error, sent, repeatable bool) bool {
	call, ok := errors.AsType[*client.CallError](err)
	return ok && errors.Is(err, reason) && call.Sent == sent && call.Repeatable == repeatable
}

// answered reports whether the hub answered with an error of that code, which
// ended the call.
func answered(err error, code int) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.ErrorCode() == code && !e.Recoverable
}

// callOne calls x.y, and any other method, which answers with a number.
func callOne(ctx context.Context, c *client.Client, method string) (int, error) {
	return client.CallOne[int](ctx, c, method, nil)
}

// content is the content of a data item, as text.
func content(i plugin.Item) string {
	text, _ := i.Content.(json.RawMessage)
	return string(text)
}
