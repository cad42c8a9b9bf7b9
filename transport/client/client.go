// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/plexus-go/plexus/internal/connect"
)

// Client calls the methods of one hub over one connection, which it makes anew
// when it is lost. Make it with [Dial]; all its methods may be called at once
// by any number of goroutines.
type Client struct {
	url      string
	settings *connect.Settings

	ctx    context.Context // until Close
	cancel context.CancelFunc
	ended  chan struct{} // closed when no goroutine is left

	mu      sync.Mutex
	conn    *connection   // nil while there is none
	info    HubInfo       // of the last one
	err     error         // why there is none
	final   bool          // there will be no other one
	changed chan struct{} // closed, and replaced, when any of these changes
}

var _ io.Closer = (*Client)(nil)

// Dial connects to the hub at url, ws or wss, and asks for its name. ctx is for
// that only; the connection lives until Close.
//
// The error is a [*DialError].
func Dial(ctx context.Context, url string, options ...Option) (*Client, error) {
	c := &Client{url: url, settings: newSettings(options), ended: make(chan struct{}), changed: make(chan struct{})}
	conn, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.run(conn)
	return c, nil
}

// open makes the connection.
func (c *Client) open(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, c.settings.DialTimeout)
	defer cancel()
	conn, err := open(ctx, c.settings, c.url)
	c.set(conn, err, false)
	return conn, err
}

// Close ends all calls with ErrClosed and closes the connection. When it returns,
// within about a second, no goroutine of the client is left. It always returns
// nil.
func (c *Client) Close() error {
	c.cancel()
	<-c.ended
	return nil
}

// Hub returns the hub's name: what it was when the client last connected.
func (c *Client) Hub() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info.Name
}

// run serves connections, one after the other.
func (c *Client) run(conn *connection) {
	defer close(c.ended)
	var running sync.WaitGroup
	defer running.Wait()
	var err error // of the last connection
	c.settings.Repeat(c.ctx, func() (connected, last bool) {
		if conn == nil {
			if conn, err = c.open(c.ctx); err != nil {
				return false, false
			}
		}
		for retired := []*connection(nil); conn != nil; {
			serving, stop := context.WithCancel(c.ctx)
			present, ended := conn, make(chan error, 1)
			present.heart.start(present)
			running.Go(func() { ended <- present.run(serving) })
			if conn, err = c.replacement(present, ended); conn == nil {
				stop()
				break
			}
			c.set(conn, nil, false)
			running.Go(func() { drain(present, ended, stop) })
			if retired = append(retired, present); len(retired) > maxRetired {
				retired[0].socket.Close()
				retired = retired[1:]
			}
		}
		c.set(nil, err, false)
		return true, !c.settings.Reconnect
	})
	c.set(nil, err, true)
	if c.settings.Ended != nil {
		c.settings.Ended(err)
	}
}

// maxRetired bounds the connections that were replaced and still have calls: a hub
// that never answers pings is doubted during every long one.
const maxRetired = 4

// retryDoubt is the pause between two attempts to replace a connection.
const retryDoubt = time.Second

// replacement waits until conn has ended, and returns why; or until it is doubted
// and another connection is there. Calls that conn has begun may still be answered:
// a line that is cut, and a hub that is busy, look the same from here.
func (c *Client) replacement(conn *connection, ended <-chan error) (*connection, error) {
	var wait <-chan time.Time
	for {
		var doubt <-chan struct{}
		if c.settings.Reconnect && wait == nil {
			doubt = conn.heart.doubt()
		}
		select {
		case err := <-ended:
			return nil, err
		case <-wait:
			wait = nil
			continue
		case <-doubt:
		}
		ctx, cancel := context.WithTimeout(c.ctx, c.settings.DialTimeout)
		go func() {
			defer cancel()
			select {
			case <-conn.lost:
			case <-ctx.Done():
			}
		}()
		next, err := open(ctx, c.settings, c.url)
		cancel()
		if err == nil {
			select {
			case <-conn.heart.doubt():
				return next, nil
			default:
				next.socket.Close() // conn has answered meanwhile
			}
		}
		wait = time.After(retryDoubt)
	}
}

// drain lets the calls of a connection end before it is closed.
func drain(conn *connection, ended <-chan error, stop func()) {
	for idle := false; ; idle = conn.retire() {
		if idle {
			stop()
		}
		select {
		case <-ended:
			stop()
			return
		case <-time.After(time.Second):
		}
	}
}

func (c *Client) set(conn *connection, err error, final bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn, c.err, c.final = conn, err, final
	if conn != nil {
		c.info = conn.info
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// connected returns the connection, and waits for it while there is none. It
// never returns failed, through which the caller could not send.
func (c *Client) connected(ctx context.Context, failed *connection) (*connection, error) {
	for {
		c.mu.Lock()
		conn, err, final, changed := c.conn, c.err, c.final, c.changed
		c.mu.Unlock()
		switch {
		case c.ctx.Err() != nil:
			return nil, ErrClosed
		case ctx.Err() != nil:
			if err == nil {
				return nil, contextError(ctx)
			}
			return nil, fmt.Errorf("%w while there is no connection: %w", contextError(ctx), err)
		case conn != nil && conn != failed:
			return conn, nil
		case final:
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}
