// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// Why the context of a call is cancelled, where it is not that its caller has
// left. A stream then ends with an error that says so and that it may be tried
// again, and Done.
var (
	// ErrShutdown is the cause to use when the hub stops.
	ErrShutdown = errors.New("the hub is shutting down")
	// errRemoved is the cause when the activation is unregistered.
	errRemoved = errors.New("the activation was removed")
	// errBrokenOff is the cause when whoever ranges over the items stops.
	errBrokenOff = errors.New("the stream was broken off")
)

// run is a call that runs. It is the context of its method, and what the
// method finds in it: one allocation for both.
type run struct {
	context.Context
	route *Route
	depth int  // how many calls there are around it
	above *run // the call whose method made this one, and whose caller is asked

	cancel context.CancelCauseFunc // nil for a quick call, whose context is not its own
	asking atomic.Int32            // questions that wait for their answers

	mu    sync.Mutex // held while an item is taken: methods may have many goroutines
	yield func(*Item) bool
	over  bool // no item is taken any more
	item  Item
}

var (
	_ context.Context = (*run)(nil)
	_ plugin.Scope    = (*run)(nil)
)

// Value finds the run itself, as the scope of its method.
func (r *run) Value(key any) any {
	if key == plugin.ScopeKey {
		return r
	}
	return r.Context.Value(key)
}

// serve runs the call from its first item to its last.
func (r *run) serve(c Call) {
	if c.err != nil {
		r.fail(c.err)
		r.close()
		return
	}
	if life := r.route.life; life != nil {
		if !c.Quick() {
			r.Context, r.cancel = context.WithCancelCause(r.Context)
			defer r.cancel(nil)
		}
		if !life.enter(r) {
			r.fail(notFound("Activation not found: %s", r.route.provenance[0]))
			r.close()
			return
		}
		defer life.leave(r)
	}
	if c.route.below != nil {
		var err error
		c, err = r.find(c)
		if why := r.interruption(); err != nil && why != nil && saysSo(err) {
			err = &plugin.Error{Message: why.Error(), Recoverable: true}
		}
		if err != nil {
			if r.fail(err) {
				r.send(Done)
			}
			r.close()
			return
		}
	}
	defer r.close()
	if r.stream(c.params) {
		r.send(Done)
	}
}

// close makes that no item follows, from whatever goroutine of the method.
func (r *run) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over, r.yield = true, nil
}

// stream runs the method and sends what it yields. It tells whether the stream
// goes on to its Done.
func (r *run) stream(params any) (finish bool) {
	method := r.route.method
	// A stream that goes on though it is to stop is broken off.
	stops := func() bool { return method.Streaming() && r.interruption() != nil }
	interrupted := false
	for content, err := range method.Handle(r, params) {
		if err == nil && stops() || err != nil && r.interruption() != nil && saysSo(err) {
			interrupted = true
			break
		}
		more := false
		if err != nil {
			more = r.fail(err)
		} else {
			more = r.data(content)
		}
		if !more {
			return false
		}
	}
	if interrupted || stops() {
		return r.fail(&plugin.Error{Message: r.interruption().Error(), Recoverable: true})
	}
	return true
}

// interruption is why the method is to stop though its caller is still there;
// nil where it is not.
func (r *run) interruption() error {
	if r.Err() == nil {
		return nil
	}
	cause := context.Cause(r)
	if errors.Is(cause, ErrShutdown) || errors.Is(cause, errRemoved) {
		return cause
	}
	return nil
}

// saysSo tells that err is how a method says that it was told to stop.
func saysSo(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, ErrShutdown) || errors.Is(err, errRemoved)
}

// sendLocked completes the item and hands it over. It tells whether more are wanted.
// The lock is held.
func (r *run) sendLocked(kind Kind, provenance []string) bool {
	if r.over {
		return false
	}
	r.item.Kind = kind
	r.item.Metadata = Metadata{Provenance: provenance, Hash: r.route.hub.Hash(), Timestamp: time.Now().Unix()}
	// A panic of who takes the item leaves through here, and after the last
	// item none may slip in from another goroutine.
	r.over = true
	more := r.yield(&r.item)
	r.over = !more || kind == Done || kind == Error && !r.item.Recoverable
	if !more && r.cancel != nil {
		r.cancel(errBrokenOff)
	}
	return more
}

func (r *run) send(kind Kind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sendLocked(kind, r.route.provenance)
}

func (r *run) data(content any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.item.ContentType, r.item.Content = r.route.contentType, content
	more := r.sendLocked(Data, r.route.provenance)
	r.item.ContentType, r.item.Content = "", nil
	return more
}

// Progress sends an item about how far the method is.
func (r *run) Progress(message string, percentage float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.item.Message, r.item.Percentage = message, percentage
	r.sendLocked(Progress, r.route.provenance)
	r.item.Message, r.item.Percentage = "", 0
}

// fail sends err as an item. It tells whether the stream goes on.
func (r *run) fail(err error) bool {
	route := r.route
	// What the routing refuses comes from the hub, what a method says from
	// the activation.
	provenance := route.provenance
	failure := plugin.Error{Code: plugin.CodeFailure}
	var params *plugin.ParamsError
	var told *plugin.Error
	switch {
	case errors.As(err, &params):
		failure.Code, failure.Message = plugin.CodeInvalidParams, params.Error()
		provenance = route.hub.own
	case errors.As(err, &told):
		failure = *told
		failure.Message = told.Error()
		switch failure.Code {
		case 0:
			failure.Code = plugin.CodeFailure
		case plugin.CodeMethodNotFound:
			provenance = route.hub.own
		}
		if told.Err != nil {
			r.Logger().Warn("a method failed", "error", told.Message, "cause", told.Err)
		}
	case errors.Is(err, context.Canceled):
		failure.Message = route.path + " was cancelled"
	default:
		r.Logger().Warn("a method failed", "cause", err)
		failure.Message = route.path + " failed"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.item.Code, r.item.Message, r.item.Recoverable, r.item.Details = failure.Code, failure.Message, failure.Recoverable, failure.Data
	more := r.sendLocked(Error, provenance)
	r.item.Code, r.item.Message, r.item.Recoverable, r.item.Details = 0, "", false, nil
	return more && failure.Recoverable
}

// Path is where the method was called.
func (r *run) Path() string { return r.route.path }

// Logger logs for the call.
func (r *run) Logger() *slog.Logger {
	caller := plugin.CallerOf(r.Context)
	attributes := []any{"method", r.route.path}
	if caller.Name != "" {
		attributes = append(attributes, "caller", caller.Name)
	}
	if caller.Remote != "" {
		attributes = append(attributes, "remote", caller.Remote)
	}
	return r.route.hub.log.With(attributes...)
}

// Call runs another method of the hub. Its questions go to the caller of this
// one.
func (r *run) Call(ctx context.Context, path string, params []byte) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		hub := r.route.hub
		call := hub.Call(path, params)
		switch {
		case r.depth >= mostNested:
			call = hub.Refuse(tooDeep())
		case call.route == hub.nested[callMethod]:
			call = hub.Refuse(plugin.Errorf(plugin.CodeInvalidParams, "%s is called by its own path", callMethod))
		}
		inner := &run{Context: ctx, route: call.route, depth: r.depth + 1, above: r}
		inner.yield = func(item *Item) bool {
			switch item.Kind {
			case Data:
				return yield(item.Content, nil)
			case Error:
				return yield(nil, &plugin.Error{
					Code: item.Code, Message: item.Message, Recoverable: item.Recoverable, Data: item.Details,
				})
			}
			return true
		}
		inner.serve(call)
	}
}

func tooDeep() error {
	return &plugin.ParamsError{Reason: fmt.Sprintf("calls are nested deeper than %d", mostNested)}
}

// Resolve asks the activation that owns the handle.
func (r *run) Resolve(ctx context.Context, h plugin.Handle) (any, error) {
	return r.route.hub.Resolve(ctx, h)
}
