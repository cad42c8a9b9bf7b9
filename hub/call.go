// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// ErrShutdown is the cause to cancel the context of a call with when the hub
// stops: its stream then ends with an error that says so and that it may be
// tried again, and Done.
var ErrShutdown = errors.New("the hub is shutting down")

// Route is a method and where it is mounted.
type Route struct {
	hub         *Hub
	method      plugin.Method
	path        string   // for the log
	provenance  []string // of its items
	contentType string
}

// Call is a method with parameters that were accepted, ready to run.
type Call struct {
	route  *Route
	params any
	err    error // why it was refused; then the one item of the stream
}

// Bind decodes and checks the parameters of a call: see plugin.Method.Bind. A
// panic of the activation's own checks is an error here.
func (r *Route) Bind(params []byte, positional bool) (call Call, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			call, err = Call{}, r.panicked(cause)
		}
	}()
	in, err := r.method.Bind(params, positional)
	if err != nil {
		return Call{}, err
	}
	return Call{route: r, params: in}, nil
}

// panicked logs a panic of the method and makes what the caller is told of it.
func (r *Route) panicked(cause any) error {
	r.hub.log.Error("a method panicked", "method", r.path, "panic", cause, "stack", string(debug.Stack()))
	return &plugin.Error{Message: r.path + " failed"}
}

// Quick tells that the call never waits: see plugin.Quick.
func (c Call) Quick() bool { return c.err != nil || c.route.method.IsQuick() }

// Refuse makes a call whose only item is err.
func (h *Hub) Refuse(err error) Call {
	return Call{route: &Route{hub: h, path: h.namespace, provenance: h.own}, err: err}
}

// Items runs the call. The sequence may be ranged over once.
func (c Call) Items(ctx context.Context) iter.Seq[*Item] {
	return func(yield func(*Item) bool) {
		run := stream{route: c.route, yield: yield}
		if c.err != nil {
			run.fail(c.err)
			return
		}
		if run.data(ctx, c.params) {
			run.send(Done, c.route.provenance)
		}
	}
}

// stream stamps the items of one call.
type stream struct {
	route *Route
	yield func(*Item) bool
	item  Item
}

func (s *stream) send(kind Kind, provenance []string) bool {
	s.item.Kind = kind
	s.item.Metadata = Metadata{Provenance: provenance, Hash: s.route.hub.Hash(), Timestamp: time.Now().Unix()}
	return s.yield(&s.item)
}

// data runs the method and sends what it yields. It tells whether the stream
// goes on to its Done.
func (s *stream) data(ctx context.Context, params any) (finish bool) {
	route := s.route
	// A panic in the method is ours to answer, unless the stream has ended
	// before it; one in the consumer, which runs inside yield, is not ours.
	consuming, ended := false, false
	defer func() {
		if consuming {
			return
		}
		if cause := recover(); cause != nil {
			finish = false
			if err := route.panicked(cause); !ended {
				s.fail(err)
			}
		}
	}()
	// A stream that goes on though the hub stops is broken off.
	stops := func() bool {
		return route.method.Streaming() && ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrShutdown)
	}
	interrupted := false
	for content, err := range route.method.Handle(ctx, params) {
		if err == nil && stops() || err != nil && interruption(ctx, err) {
			interrupted = true
			break
		}
		consuming = true
		var more bool
		if err != nil {
			more = s.fail(err)
		} else {
			s.item.ContentType, s.item.Content = route.contentType, content
			more = s.send(Data, route.provenance)
			s.item.ContentType, s.item.Content = "", nil
		}
		consuming, ended = false, !more
		if ended {
			return false
		}
	}
	if interrupted || stops() {
		return s.fail(&plugin.Error{Message: ErrShutdown.Error(), Recoverable: true})
	}
	return true
}

// interruption tells that err is how a method says that it was told to stop
// because the hub does.
func interruption(ctx context.Context, err error) bool {
	return errors.Is(context.Cause(ctx), ErrShutdown) &&
		(errors.Is(err, context.Canceled) || errors.Is(err, ErrShutdown))
}

// fail sends err as an item. It tells whether the stream goes on.
func (s *stream) fail(err error) bool {
	route := s.route
	// What the routing refuses comes from the hub, what a method says from
	// the activation.
	provenance := route.provenance
	var params *plugin.ParamsError
	var told *plugin.Error
	switch {
	case errors.As(err, &params):
		s.item.Code, s.item.Message, s.item.Recoverable = plugin.CodeInvalidParams, params.Error(), false
		provenance = route.hub.own
	case errors.As(err, &told):
		s.item.Code, s.item.Message, s.item.Recoverable = told.Code, told.Error(), told.Recoverable
		if told.Code == 0 {
			s.item.Code = plugin.CodeFailure
		}
		if told.Code == plugin.CodeMethodNotFound {
			provenance = route.hub.own
		}
		if told.Err != nil {
			route.hub.log.Warn("a method failed", "method", route.path, "error", told.Message, "cause", told.Err)
		}
	case errors.Is(err, context.Canceled):
		s.item.Code, s.item.Message, s.item.Recoverable = plugin.CodeFailure, route.path+" was cancelled", false
	default:
		route.hub.log.Warn("a method failed", "method", route.path, "cause", err)
		s.item.Code, s.item.Message, s.item.Recoverable = plugin.CodeFailure, route.path+" failed", false
	}
	recoverable := s.item.Recoverable
	more := s.send(Error, provenance)
	s.item.Code, s.item.Message, s.item.Recoverable = 0, "", false
	return more && recoverable
}

func notFound(format string, args ...any) *plugin.Error {
	return &plugin.Error{Code: plugin.CodeMethodNotFound, Message: fmt.Sprintf(format, args...)}
}
