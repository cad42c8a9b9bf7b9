// SPDX-License-Identifier: AGPL-3.0-only

package testkit

import (
	"context"
	"net"
	"sync"
	"time"
)

// Pipes is a network without sockets, for tests whose time is synctest's. It is
// a listener, and [Pipes.Dial] connects to it.
type Pipes struct {
	accepted chan net.Conn

	mu      sync.Mutex
	closed  chan struct{}
	down    bool
	stalled chan struct{} // nothing passes until it is closed; nil for all passes
	dialed  []time.Time
	open    []net.Conn // the clients' ends
}

// NewPipes returns a network whose listener is up.
func NewPipes() *Pipes {
	return &Pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for a client.
func (p *Pipes) Accept() (net.Conn, error) {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	select {
	case conn := <-p.accepted:
		return pipeEnd{conn, p}, nil
	case <-closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial. Connections stay.
func (p *Pipes) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

// Reopen makes the listener, which was closed, listen again.
func (p *Pipes) Reopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = make(chan struct{})
}

// Addr is "pipe".
func (p *Pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// Dial connects to the listener, as a net.Dialer's DialContext does.
func (p *Pipes) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.mu.Lock()
	p.dialed = append(p.dialed, time.Now())
	down, closed := p.down, p.closed
	p.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.UnknownNetworkError("nobody listens")}
	}
	here, there := net.Pipe()
	select {
	case p.accepted <- there:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open = append(p.open, here)
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-closed:
		return nil, net.ErrClosed
	}
}

// SetDown makes Dial fail, or work again.
func (p *Pipes) SetDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Stall lets nothing through any more; connections are accepted still.
func (p *Pipes) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = make(chan struct{})
}

// Resume lets everything through, what was held up too.
func (p *Pipes) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled != nil {
		close(p.stalled)
		p.stalled = nil
	}
}

// pipeEnd is the listener's end of a connection.
type pipeEnd struct {
	net.Conn
	pipes *Pipes
}

func (e pipeEnd) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	e.wait()
	return n, err
}

func (e pipeEnd) Write(b []byte) (int, error) {
	e.wait()
	return e.Conn.Write(b)
}

func (e pipeEnd) wait() {
	e.pipes.mu.Lock()
	stalled := e.pipes.stalled
	e.pipes.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
}

// Cut closes the last connection that was made.
func (p *Pipes) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[len(p.open)-1].Close()
}

// CutAll closes every connection.
func (p *Pipes) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.open {
		conn.Close()
	}
	p.open = nil
}

// Dials returns when Dial was called, and forgets it.
func (p *Pipes) Dials() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.dialed = nil }()
	return p.dialed
}
