// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// Why the context of a call is cancelled, unless its caller has left. A stream
// then ends with a recoverable error that says so, and an item of KindDone.
var (
	// ErrShutdown is the cause with which a transport cancels its calls when
	// the hub stops.
	ErrShutdown = errors.New("the hub is shutting down")
	// errRemoved is the cause when the activation is unregistered.
	errRemoved = errors.New("the activation was removed")
	// errStopped is the cause when whoever ranges over the items stops.
	errStopped = errors.New("the range over the stream has ended")
)

// maxIgnored bounds how often a method may yield after yield has returned false;
// then its goroutine is ended, since nothing else would end it. A panic instead
// would end the program if the method has started that goroutine.
const maxIgnored = 1000

// run is a call that runs. It is the context of its method, and what the
// method finds in it: one allocation for both.
type run struct {
	context.Context
	route *Route
	call  Call
	above *run // the call whose method made this one, and whose caller is asked

	cancel   context.CancelCauseFunc // nil for a quick call, whose context is not its own
	depth    int32                   // how many calls there are around it
	asking   atomic.Int32            // questions that wait for their answers
	admitted bool                    // by the lifecycle of its activation

	// The lock guards what follows, and is held while an item is taken:
	// progress and questions may come from any goroutine.
	yielding bool  // yield runs: a panic is that of whoever takes the items
	ignored  int32 // how often the method has yielded since no more items are taken
	mu       sync.Mutex
	yield    func(*plugin.Item) bool // nil once no more items are taken
	item     plugin.Item
}

// serve runs the call from its first item to its last. What it does once is in
// functions of its own: their frames are not on the stack while the method
// runs, and many streams may wait at once.
func (r *run) serve() {
	defer r.end()
	if err := r.begin(); err != nil {
		r.take(nil, err)
	} else {
		r.route.method.Handle(r, r.call.params)(r.take)
	}
	r.finish()
}

// begin admits the call and finds its method.
func (r *run) begin() error {
	if r.call.err != nil {
		return r.call.err
	}
	if life := r.route.lifecycle; life != nil {
		if !r.call.Quick() {
			r.Context, r.cancel = context.WithCancelCause(r.Context)
		}
		if r.admitted = life.enter(r); !r.admitted {
			return notFound("Activation not found: %s", r.route.provenance[0])
		}
	}
	if r.route.below == nil {
		return nil
	}
	return r.find()
}

// take takes what the method yields. Once no more is wanted it returns false.
func (r *run) take(content any, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.yield == nil {
		if r.ignored++; r.ignored == maxIgnored {
			r.Logger().Error("a method was ended: it ignores that yield has returned false")
			runtime.Goexit()
		}
		return false
	}
	// A stream that does not heed the end of its context is ended here.
	if err == nil && r.route.streaming || err != nil && saysStopped(err) {
		if why := r.interruption(); why != nil {
			r.stop(why)
			return false
		}
	}
	if err != nil {
		return r.fail(err)
	}
	r.item = plugin.Item{Kind: plugin.KindData, ContentType: r.route.contentType, Content: content}
	return r.send(r.route.provenance)
}

// finish sends the last item of a stream whose method has returned.
func (r *run) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.route.streaming {
		if why := r.interruption(); why != nil {
			r.stop(why)
		}
	}
	r.done()
}

// end recovers from a panic of the method, and ends the stream on every path.
func (r *run) end() {
	defer r.leave()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.yielding {
		if cause := recover(); cause != nil {
			err := r.panicked(cause)
			if refusal, refused := r.call.params.(error); refused {
				err = refusal // of a middleware that expects parameters
			}
			r.fail(err)
		}
	}
	if r.yield != nil {
		r.fail(errExited)
	}
}

func (r *run) leave() {
	if r.admitted {
		r.route.lifecycle.leave(r)
	}
	if r.cancel != nil {
		r.cancel(nil)
	}
}

// errExited is for the log.
var errExited = errors.New("it has ended its goroutine by runtime.Goexit")

// interruption is why the method is to stop though its caller is still there;
// nil if it is not to.
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

// saysStopped reports whether a method returns err because it was to stop.
func saysStopped(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, ErrShutdown) || errors.Is(err, errRemoved)
}

// The methods below are called with the lock.

// send completes the item and hands it over. It reports whether more are taken.
func (r *run) send(provenance []string) bool {
	if r.yield == nil {
		return false
	}
	item, yield := &r.item, r.yield
	item.Metadata = plugin.Metadata{Provenance: provenance, Hash: r.route.hub.Hash(), Timestamp: time.Now().Unix()}
	r.yield, r.yielding = nil, true
	more := yield(item)
	r.yielding = false
	if !more && r.cancel != nil {
		r.cancel(errStopped)
	}
	if more && item.Kind != plugin.KindDone && (item.Kind != plugin.KindError || item.Recoverable) {
		r.yield = yield
	}
	r.item.Content, r.item.Details, r.item.Question = nil, nil, nil // which may be large
	return r.yield != nil
}

func (r *run) done() bool {
	r.item = plugin.Item{Kind: plugin.KindDone}
	return r.send(r.route.provenance)
}

// stop sends the caller why the method was to stop, and ends the stream.
func (r *run) stop(why error) {
	r.fail(&plugin.Error{Message: why.Error(), Recoverable: true})
	r.done()
}

// fail sends err. What the routing rejects comes from the hub, what a method
// says from its activation.
func (r *run) fail(err error) bool {
	if r.yield == nil {
		return false
	}
	provenance := r.route.provenance
	var failure *plugin.Error
	switch {
	case errors.As(err, &failure):
		if failure.Code == plugin.CodeMethodNotFound || failure.Detail() != "" {
			provenance = r.route.hub.own
		}
		if failure.Err != nil {
			r.Logger().Warn("a method failed", "error", failure.Message, "cause", failure.Err)
		}
	case errors.Is(err, context.Canceled):
		failure = &plugin.Error{Message: r.route.path + " was cancelled"}
	default:
		r.Logger().Warn("a method failed", "cause", err)
		failure = &plugin.Error{Message: r.route.path + " failed"}
	}
	r.item = plugin.Item{
		Kind: plugin.KindError, Message: failure.Error(), Code: strconv.Itoa(failure.ErrorCode()),
		Recoverable: failure.Recoverable, Details: failure.Data,
	}
	return r.send(provenance)
}

// panicked logs a panic, with the stack of the goroutine, and returns what a
// caller may know of it.
func (r *run) panicked(cause any) error {
	r.Logger().Error("a method panicked", "panic", cause, "at", panickedAt(), "stack", string(debug.Stack()))
	return &plugin.Error{Message: r.route.path + " failed"}
}

// guard runs code of an activation that is no method. A panic is an error,
// which wraps what a caller may know.
func (r *run) guard(fn func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", r.panicked(cause), cause)
		}
	}()
	return fn()
}

// panickedAt is the line that has panicked, which is deep in a stack.
func panickedAt() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	frame, more := frames.Next()
	for panicking := false; more; frame, more = frames.Next() {
		ofRuntime := strings.HasPrefix(frame.Function, "runtime.")
		if panicking && !ofRuntime {
			break
		}
		panicking = ofRuntime
	}
	return fmt.Sprintf("%s:%d", frame.File, frame.Line)
}
