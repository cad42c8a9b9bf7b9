// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
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

// errExited is what the log is told of a method that neither returns nor
// panics.
var errExited = errors.New("it has ended its goroutine by runtime.Goexit")

// run is a call that runs. It is the context of its method, and what the
// method finds in it: one allocation for both.
type run struct {
	context.Context
	route *Route
	call  Call
	depth int  // how many calls there are around it
	above *run // the call whose method made this one, and whose caller is asked

	cancel context.CancelCauseFunc // nil for a quick call, whose context is not its own
	asking atomic.Int32            // questions that wait for their answers

	entered bool // its activation's life

	mu    sync.Mutex // held while an item is taken: methods may have many goroutines
	yield func(*plugin.Item) bool
	over  bool // no item is taken any more
	item  plugin.Item
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

// serve runs the call from its first item to its last. What it does once is in
// functions of its own: their room is not kept on the stack while the method
// runs, and many streams may wait at once.
func (r *run) serve() {
	defer r.end()
	finish := false
	if err := r.begin(); err != nil {
		finish = r.fail(err)
	} else {
		finish = r.stream()
	}
	if finish {
		r.send(plugin.KindDone)
	}
}

// begin finds out whether the call may run, and on what.
func (r *run) begin() error {
	if r.call.err != nil {
		return r.call.err
	}
	if life := r.route.life; life != nil {
		if !r.call.Quick() {
			r.Context, r.cancel = context.WithCancelCause(r.Context)
		}
		if !life.enter(r) {
			return notFound("Activation not found: %s", r.route.provenance[0])
		}
		r.entered = true
	}
	if r.route.below == nil {
		return nil
	}
	err := r.find()
	if why := r.interruption(); err != nil && why != nil && saysSo(err) {
		err = &plugin.Error{Message: why.Error(), Recoverable: true}
	}
	return err
}

func (r *run) end() {
	// The last item was sent, unless the goroutine ends below serve.
	if !r.ended() {
		r.fail(errExited)
	}
	r.close()
	if r.entered {
		r.route.life.leave(r)
	}
	if r.cancel != nil {
		r.cancel(nil)
	}
}

// ended tells whether the last item was sent, or no more are wanted.
func (r *run) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// close makes that no item follows, from whatever goroutine of the method.
func (r *run) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over, r.yield = true, nil
}

// stream runs the method and sends what it yields. It tells whether the stream
// goes on to its Done.
func (r *run) stream() (finish bool) {
	t := &taker{run: r, streaming: r.route.method.Streaming(), finish: true}
	r.route.method.Handle(r, r.call.params)(t.take)
	t.close()
	if t.finish && (t.interrupted || t.streaming) {
		return r.interrupted()
	}
	return t.finish
}

// taker takes what a method yields. It is no range, which would panic where a
// middleware yields from another goroutine, at once or too late, and so end
// the process.
type taker struct {
	run       *run
	streaming bool

	mu          sync.Mutex // held while something is taken
	over        bool       // nothing is taken any more
	finish      bool       // the stream goes on to its Done
	interrupted bool       // it was told to stop, and did not by itself
}

func (t *taker) take(content any, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	// A stream that goes on though it is to stop is broken off.
	switch r := t.run; {
	case (err == nil && t.streaming || err != nil && saysSo(err)) && r.interruption() != nil:
		t.interrupted = true
	case err != nil:
		t.finish = r.fail(err)
	default:
		t.finish = r.data(content)
	}
	t.over = t.interrupted || !t.finish
	return !t.over
}

func (t *taker) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// interrupted tells the caller why the method was to stop, if it was.
func (r *run) interrupted() (finish bool) {
	why := r.interruption()
	return why == nil || r.fail(&plugin.Error{Message: why.Error(), Recoverable: true})
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
func (r *run) sendLocked(kind plugin.Kind, provenance []string) bool {
	if r.over {
		return false
	}
	r.item.Kind = kind
	r.item.Metadata = plugin.Metadata{Provenance: provenance, Hash: r.route.hub.Hash(), Timestamp: time.Now().Unix()}
	// A panic of who takes the item leaves through here, and after the last
	// item none may slip in from another goroutine.
	r.over = true
	more := r.yield(&r.item)
	r.over = !more || kind == plugin.KindDone || kind == plugin.KindError && !r.item.Recoverable
	if !more && r.cancel != nil {
		r.cancel(errBrokenOff)
	}
	return more
}

func (r *run) send(kind plugin.Kind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sendLocked(kind, r.route.provenance)
}

func (r *run) data(content any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.item.ContentType, r.item.Content = r.route.contentType, content
	more := r.sendLocked(plugin.KindData, r.route.provenance)
	r.item.ContentType, r.item.Content = "", nil
	return more
}

// Progress sends an item about how far the method is.
func (r *run) Progress(message string, percentage float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.item.Message, r.item.Percentage = message, percentage
	r.sendLocked(plugin.KindProgress, r.route.provenance)
	r.item.Message, r.item.Percentage = "", 0
}

// fail sends err as an item. It tells whether the stream goes on.
func (r *run) fail(err error) bool {
	route := r.route
	// What the routing refuses comes from the hub, what a method says from
	// the activation.
	provenance := route.provenance
	failure := plugin.Error{Code: plugin.CodeFailure}
	var told *plugin.Error
	switch {
	case errors.As(err, &told):
		failure = *told
		failure.Code, failure.Message = told.ErrorCode(), told.Error()
		if told.Code == plugin.CodeMethodNotFound || told.Detail() != "" {
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
	r.item.Code, r.item.Message, r.item.Recoverable, r.item.Details = strconv.Itoa(failure.Code), failure.Message, failure.Recoverable, failure.Data
	more := r.sendLocked(plugin.KindError, provenance)
	r.item.Code, r.item.Message, r.item.Recoverable, r.item.Details = "", "", false, nil
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
		inner := &run{Context: ctx, route: call.route, call: call, depth: r.depth + 1, above: r}
		inner.yield = func(item *plugin.Item) bool {
			switch item.Kind {
			case plugin.KindData:
				return yield(item.Content, nil)
			case plugin.KindError:
				return yield(nil, item.Err())
			}
			return true
		}
		inner.serve()
	}
}

func tooDeep() error {
	return plugin.InvalidParams(fmt.Sprintf("calls are nested deeper than %d", mostNested))
}

// Resolve asks the activation that owns the handle.
func (r *run) Resolve(ctx context.Context, h plugin.Handle) (any, error) {
	return r.route.hub.Resolve(ctx, h)
}
