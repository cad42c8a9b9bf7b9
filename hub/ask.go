// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// maxQuestions bounds how many questions of one call may wait at once.
const maxQuestions = 16

// questions are those that wait for their answers, by their ids.
type questions struct {
	mu      sync.Mutex
	waiting map[string]*question
}

// question waits for one answer, from anybody who is the asked caller.
type question struct {
	caller   plugin.Caller
	accept   func(answer []byte) error
	answered chan struct{} // closed when it is

	mu   sync.Mutex
	over bool // answered, or given up
}

// ask adds a question under an id that nobody guesses.
func (q *questions) ask(one *question) (id string) {
	var random [16]byte
	rand.Read(random[:]) // never fails
	id = hex.EncodeToString(random[:])
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting[id] = one
	return id
}

func (q *questions) find(id string) *question {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting[id]
}

func (q *questions) forget(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, id)
}

// answer takes an answer. It tells whether there was a question still, and
// what is wrong with the answer, which leaves the question open.
func (q *question) answer(data []byte) (taken bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return false, nil
	}
	if err := q.accept(data); err != nil {
		return true, err
	}
	q.over = true
	close(q.answered)
	return true, nil
}

// giveUp makes that no answer is taken any more. It tells whether one was.
func (q *question) giveUp() (answered bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	answered, q.over = q.over, true
	return answered
}

// cannotAsk says to the log what the author of the method has forgotten.
func cannotAsk(path string) error {
	return &plugin.Error{
		Message: plugin.ErrCannotAsk.Message,
		Err:     fmt.Errorf("%w: %s is not marked plugin.Bidirectional()", plugin.ErrCannotAsk, path),
	}
}

// Ask sends a question to the caller and waits for the answer.
func (r *run) Ask(ctx context.Context, query plugin.Query) error {
	if !r.route.method.Schema().Bidirectional {
		return cannotAsk(r.route.path)
	}
	if r.above != nil {
		return r.above.Ask(ctx, query)
	}
	defer r.asking.Add(-1)
	if r.asking.Add(1) > maxQuestions {
		return fmt.Errorf("%s asks more than %d questions at once", r.route.path, maxQuestions)
	}
	one := &question{caller: plugin.CallerOf(r.Context), accept: query.Accept, answered: make(chan struct{})}
	pending := &r.route.hub.questions
	id := pending.ask(one)
	defer pending.forget(id)
	if !r.request(id, query) {
		return context.Canceled
	}
	timer := time.NewTimer(query.Timeout)
	defer timer.Stop()
	var failure error
	select {
	case <-one.answered:
		return nil
	case <-timer.C:
		failure = plugin.ErrUnanswered
	case <-ctx.Done():
		failure = ctx.Err()
	case <-r.Done():
		failure = r.Err()
	}
	if one.giveUp() {
		return nil
	}
	return failure
}

// request sends the item that asks.
func (r *run) request(id string, query plugin.Query) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.item = plugin.Item{Kind: plugin.KindRequest, RequestID: id, Question: query.Data, Timeout: query.Timeout}
	return r.send(r.route.provenance)
}

// Respond takes the answer to a question that a method has asked, from the
// caller that ctx tells, on whatever connection: all who have not proved who
// they are count as one, and know questions by their ids alone. It fails with
// CodeInvalidParams where there is no such question for them, and where the
// answer does not fit the question, which then stays open.
func (h *Hub) Respond(ctx context.Context, params []byte) error {
	in, err := bindStruct[respondParams]("RespondParams", respondBinder, params)
	if err != nil {
		return err
	}
	if one := h.questions.find(in.RequestID); one != nil && one.caller.Same(plugin.CallerOf(ctx)) {
		if taken, err := one.answer(in.ResponseData); taken {
			return err
		}
	}
	return plugin.Errorf(plugin.CodeInvalidParams,
		"Unknown request ID: %s. The request may have timed out or been cancelled.", shown(in.RequestID))
}
