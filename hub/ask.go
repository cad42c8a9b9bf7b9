// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// maxQuestions bounds how many questions of one call may wait at once.
const maxQuestions = 16

// question waits for one answer of the caller that was asked. The hub keeps it
// by its id.
type question struct {
	caller   plugin.Caller
	accept   func(answer []byte) error
	answered chan struct{} // closed when it is

	mu      sync.Mutex
	closed  bool  // answered, or no longer waited for
	refused error // why the last answer was; nil before one was
}

// answer takes an answer. It reports whether the question was open; an answer
// with an error leaves it open.
func (q *question) answer(data []byte) (open bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, nil
	}
	if err := q.accept(data); err != nil {
		q.refused = err
		return true, err
	}
	q.closed = true
	close(q.answered)
	return true, nil
}

// Ask sends a question to the caller and waits for the answer.
func (r *run) Ask(ctx context.Context, text []byte, timeout time.Duration, accept func(answer []byte) error) error {
	if !r.route.method.Schema().Bidirectional {
		return &plugin.Error{ // the cause is for the author of the method
			Message: plugin.ErrCannotAsk.Message,
			Err:     fmt.Errorf("%w: %s is not marked plugin.Bidirectional()", plugin.ErrCannotAsk, r.route.path),
		}
	}
	if r.above != nil {
		return r.above.Ask(ctx, text, timeout, accept)
	}
	defer r.asking.Add(-1)
	if r.asking.Add(1) > maxQuestions {
		return fmt.Errorf("%s asks more than %d questions at once", r.route.path, maxQuestions)
	}
	var random [16]byte // so that nobody guesses the id
	rand.Read(random[:])
	id := hex.EncodeToString(random[:])
	q := &question{caller: plugin.CallerOf(r.Context), accept: accept, answered: make(chan struct{})}
	r.route.hub.questions.Store(id, q)
	defer r.route.hub.questions.Delete(id)
	if !r.request(id, text, timeout) {
		return context.Canceled
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var failure error
	select {
	case <-q.answered:
		return nil
	case <-timer.C:
		failure = plugin.ErrUnanswered
	case <-ctx.Done():
		failure = ctx.Err()
	case <-r.Done():
		failure = r.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed { // answered at the same moment
		return nil
	}
	q.closed = true
	if failure == plugin.ErrUnanswered && q.refused != nil {
		failure = &plugin.Error{
			Message: fmt.Sprintf("%v; the last answer was refused: %v", plugin.ErrUnanswered, q.refused),
			Err:     plugin.ErrUnanswered,
		}
	}
	return failure
}

// request sends the item that asks.
func (r *run) request(id string, text []byte, timeout time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.item = plugin.Item{Kind: plugin.KindRequest, RequestID: id, Question: text, Timeout: timeout}
	return r.send(r.route.provenance)
}

// Respond takes the answer to a question that a method has asked, on any
// connection, from the caller in ctx, who must be the one that was asked. All
// callers without a proven name count as one, and know questions by their ids
// alone. It fails with CodeInvalidParams if there is no such question for the
// caller, and if the answer does not fit the question, which then stays open.
func (h *Hub) Respond(ctx context.Context, params []byte) error {
	bound, err := bindOwn(respondBinder, "RespondParams", params)
	if err != nil {
		return err
	}
	in := bound.(*respondParams)
	if found, ok := h.questions.Load(in.RequestID); ok {
		q := found.(*question)
		if q.caller.Same(plugin.CallerOf(ctx)) {
			open, err := q.answer(in.ResponseData)
			if coded, ok := errors.AsType[*plugin.Error](err); ok {
				// Clients show the message, not the data.
				err = &plugin.Error{Code: coded.Code, Message: coded.Message, Data: coded.Detail()}
			}
			if open {
				return err
			}
		}
	}
	return plugin.Errorf(plugin.CodeInvalidParams,
		"Unknown request ID: %s. The request may have timed out or been cancelled.", shown(in.RequestID))
}
