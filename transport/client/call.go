// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// CallOption changes one call.
type CallOption func(*call)

// Idempotent declares that the call may be made twice, as one that only reads.
// Then the client repeats it, up to three times, when the connection is lost
// before the first item.
func Idempotent() CallOption { return func(c *call) { c.idempotent = true } }

// maxRepeats bounds how often a call is sent again: perhaps it crashes the hub.
const maxRepeats = 3

// ErrNoData is returned by CallOne when the stream ends without a data item.
var ErrNoData = errors.New("the method answered without data")

// Call calls a method of one of the hub's activations, "registry.list", with
// parameters: a struct such as the method's own, or a map; nil for none. They are
// encoded as hubs decode them: unions, enumerations and durations as plugin.Stream
// says, anything else as json.Marshal does, but for nil slices and maps, which are
// empty ones. Every range over the sequence makes the call anew.
//
// The range ends with the stream. At a break, or when ctx is done, the stream is
// ended at the hub. An error is a [*Error], a [*CallError], or says that the
// parameters can't be encoded. It ends the range, unless it is a [*Error] that is
// Recoverable.
//
// Calls that find no connection wait for one as long as ctx allows. A call
// whose connection is lost before it is sent is sent through the next one.
func (c *Client) Call(ctx context.Context, method string, params any, options ...CallOption) iter.Seq2[plugin.Item, error] {
	return newCall(c, method, params, options).items(ctx)
}

// CallOne calls a method that answers once and decodes its content into a T;
// json.RawMessage takes it as it is. It waits for the end of the stream; once it
// has the item, a lost connection or the end of ctx is no error. Of several data
// items it returns the first, and breaks off at the second.
//
// The errors are those of [Client.Call], ErrNoData, and that of decoding the
// content. A recoverable error is ignored.
func CallOne[T any](ctx context.Context, c *Client, method string, params any, options ...CallOption) (T, error) {
	var value T
	item, err := newCall(c, method, params, options).one(ctx)
	if err != nil {
		return value, err
	}
	if err := item.Decode(&value); err != nil {
		return value, fmt.Errorf("%s: %w", method, err)
	}
	return value, nil
}

// call is what was asked for, and how far the range over it is.
type call struct {
	client     *Client
	method     string
	own        bool // it is a method of the hub itself: "schema", "hash", "_info"
	params     any
	idempotent bool

	yield   func(plugin.Item, error) bool
	encoded []byte // params
	sent    int    // how often it may have reached a hub
	yielded bool   // an item was yielded, or a question asked
}

func newCall(c *Client, method string, params any, options []CallOption) call {
	made := call{client: c, method: method, params: params}
	for _, option := range options {
		option(&made)
	}
	return made
}

func (c call) items(ctx context.Context) iter.Seq2[plugin.Item, error] {
	return func(yield func(plugin.Item, error) bool) { c.run(ctx, yield) }
}

// one makes the call and returns its first data item.
func (c call) one(ctx context.Context) (found plugin.Item, err error) {
	for item, err := range c.items(ctx) {
		refused, _ := errors.AsType[*Error](err)
		_, cutOff := errors.AsType[*CallError](err)
		switch {
		case err == nil && item.Kind != plugin.KindData || refused != nil && refused.Recoverable:
		case err == nil && found.Kind == "":
			found = item
		case found.Kind != "" && (err == nil || cutOff):
			return found, nil
		default:
			return plugin.Item{}, err
		}
	}
	if found.Kind == "" {
		return found, fmt.Errorf("%s: %w", c.method, ErrNoData)
	}
	return found, nil
}

// run makes the call, through one connection or several.
func (c call) run(ctx context.Context, yield func(plugin.Item, error) bool) {
	c.yield = yield
	var conn *connection
	var err error
	if c.params != nil {
		if c.encoded, err = codec.AppendJSON(nil, c.params); err != nil {
			yield(plugin.Item{}, fmt.Errorf("%s: parameters: %w", c.method, err))
			return
		}
	}
	for again := true; again; {
		if conn, err = c.client.connected(ctx, conn); err != nil {
			c.fail(err)
			return
		}
		again = c.through(ctx, conn)
	}
}

// fail ends the range.
func (c *call) fail(err error) {
	if _, answered := errors.AsType[*Error](err); !answered {
		err = &CallError{Method: c.method, Sent: c.sent > 0, Repeatable: c.sent == 0 || c.idempotent, Err: err}
	}
	c.yield(plugin.Item{}, err)
}

// through makes the call through conn. It reports whether to try again, through
// another one.
func (c *call) through(ctx context.Context, conn *connection) (again bool) {
	s := &stream{queue: queue{ready: make(chan struct{}, 1)}, method: c.method, id: conn.lastID.Add(1)}
	defer conn.leave(s)
	err := conn.begin(s, c.request(s, conn.info.Name))
	if err == nil {
		var more bool
		if more, err = c.take(ctx, conn, s); !more {
			return false // the range was broken off
		}
	}
	sent := conn.leave(s)
	if sent {
		c.sent++
	}
	switch {
	case err == nil:
		return false
	case ctx.Err() != nil || errors.Is(err, ErrClosed):
	case !sent:
		return true
	case errors.Is(err, ErrLost) && c.idempotent && !c.yielded && c.sent <= maxRepeats:
		return true
	}
	c.fail(err)
	return false
}

// request returns the request of s to a hub, and sets its target.
func (c *call) request(s *stream, hub string) (frame []byte) {
	switch {
	case !c.own:
		s.target = hub + ".call"
		return wire.AppendCall(nil, s.id, hub, c.method, c.encoded)
	case c.method == wire.InfoMethod:
		s.target = c.method
	default:
		s.target = hub + "." + c.method
	}
	return wire.AppendRequest(nil, s.id, s.target, c.encoded)
}

// take yields the items of s. It returns why they have ended, or false where the
// range was broken off.
func (c *call) take(ctx context.Context, conn *connection, s *stream) (more bool, err error) {
	for {
		if ctx.Err() != nil {
			return true, contextError(ctx)
		}
		i, ended, err := s.take()
		switch {
		case ended:
			return true, err
		case i == nil:
			select {
			case <-s.ready:
			case <-ctx.Done():
			}
			continue
		case i.Kind == plugin.KindRequest:
			if err := c.answer(ctx, conn, i); err != nil {
				c.yield(plugin.Item{}, err)
				return false, nil
			}
			continue
		}
		c.yielded = true
		if i.Kind == plugin.KindError {
			more = c.yield(plugin.Item{}, streamError(c.method, i))
		} else {
			more = c.yield(*i, nil)
		}
		if !more {
			return false, nil
		}
	}
}

// answer answers a question. Its error is that of the callback.
func (c *call) answer(ctx context.Context, conn *connection, i *plugin.Item) error {
	text := cancelled
	var failed error
	if ask := c.client.settings.Answer; ask != nil {
		asking := ctx
		if i.Timeout > 0 {
			var cancel context.CancelFunc
			asking, cancel = context.WithTimeout(ctx, i.Timeout)
			defer cancel()
		}
		c.yielded = true
		text, failed = ask(asking, c.method, i)
		if failed != nil {
			text = cancelled
			if asking.Err() != nil && ctx.Err() == nil {
				failed = nil // the method has timed out by itself
			} else {
				failed = fmt.Errorf("%s: answering a question: %w", c.method, failed)
			}
		}
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	conn.push(outgoing{frame: wire.AppendRespond(nil, conn.lastID.Add(1), conn.info.Name, i.RequestID, text)})
	return failed
}

// contentOf returns the content of a data item.
func contentOf(i *plugin.Item) json.RawMessage {
	content, _ := i.Content.(json.RawMessage)
	return content
}
