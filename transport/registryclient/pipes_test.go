// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/plexus-go/plexus/transport/client"
)

// pipes is a network without sockets, for tests in which time is made up. It
// is a listener, and dials it.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once

	mu     sync.Mutex
	down   bool        // nobody listens
	dialed []time.Time // when somebody tried
	last   net.Conn    // the client's end of the last connection
	all    []net.Conn  // all those ends
}

func newPipes() *pipes {
	return &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// setDown makes that nobody listens, or somebody does again.
func (p *pipes) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// cut cuts the last connection.
func (p *pipes) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last.Close()
}

// cutAll cuts every connection.
func (p *pipes) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.all {
		conn.Close()
	}
	p.all = nil
}

// dials returns when somebody has dialed, and forgets it.
func (p *pipes) dials() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.dialed = nil }()
	return p.dialed
}

// dial is what option makes the client dial by.
func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.mu.Lock()
	p.dialed = append(p.dialed, time.Now())
	down := p.down
	p.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.UnknownNetworkError("nobody listens")}
	}
	here, there := net.Pipe()
	select {
	case p.accepted <- there:
		p.mu.Lock()
		p.last = here
		p.all = append(p.all, here)
		p.mu.Unlock()
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) option() client.Option { return client.WithNetDial(p.dial) }

// pretendByPipe starts a fake hub that only dial of the pipes leads to.
func pretendByPipe(t *testing.T, script func(c *peer)) *pipes {
	p := newPipes()
	pretendOn(t, p, script)
	return p
}

// dialPipe connects a client, which the test closes at its end.
func dialPipe(t *testing.T, p *pipes, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Dial(context.Background(), "ws://pipe", append(options, p.option(), client.WithProxy(nil))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
