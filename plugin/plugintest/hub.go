// SPDX-License-Identifier: AGPL-3.0-only

package plugintest

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// Hub hosts the activations of one test. Make it with [New].
type Hub struct {
	t       testing.TB
	hub     *hub.Hub
	ctx     context.Context
	answers *[]any
}

// New makes a hub named "test" with these activations, and closes it, and them,
// when the test ends. What they log, the test shows. A registration that is
// rejected ends the test.
func New(t testing.TB, activations ...plugin.Activation) *Hub {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	inner, err := hub.New("test", hub.WithLogger(log))
	if err != nil {
		t.Fatal(err)
	}
	h := &Hub{t: t, hub: inner, ctx: t.Context(), answers: new([]any)}
	for _, a := range activations {
		if err := inner.Register(a); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := inner.Close(); err != nil {
			t.Error(err)
		}
		if len(*h.answers) > 0 {
			t.Errorf("no question for the answers %v", *h.answers)
		}
	})
	return h
}

// As returns the same hub, called by another caller. Without it, the caller is
// plugin.Local.
func (h *Hub) As(c plugin.Caller) *Hub {
	other := *h
	other.ctx = plugin.WithCaller(h.ctx, c)
	return &other
}

// Within returns the same hub, called within another context: one that ends
// before the test does.
func (h *Hub) Within(ctx context.Context) *Hub {
	other := *h
	other.ctx = plugin.WithCaller(ctx, plugin.CallerOf(h.ctx))
	return &other
}

// cancel is the type of Cancel.
type cancel string

// Cancel is the answer of a caller that does not want to answer.
const Cancel = cancel("cancelled")

// Answer adds answers to the questions that methods will ask, one each, in this
// order: a bool for plugin.Confirm, a string for plugin.Prompt and
// plugin.Select, a []string for plugin.SelectMany, the data for plugin.Custom,
// or [Cancel]. A question without an answer, and an answer without a question,
// fail the test.
func (h *Hub) Answer(answers ...any) { *h.answers = append(*h.answers, answers...) }

// Items calls a method by its path, "greeter.greet", and yields its items as
// the hub sends them, questions included, which are answered by then. params
// is encoded as JSON, nil for none.
func (h *Hub) Items(path string, params any) iter.Seq[*plugin.Item] {
	h.t.Helper()
	var text []byte
	if params != nil {
		var err error
		if text, err = codec.AppendJSON(nil, params); err != nil {
			h.t.Fatalf("%s: parameters: %v", path, err)
		}
	}
	return func(yield func(*plugin.Item) bool) {
		h.t.Helper()
		for item := range h.hub.Call(path, text).Items(h.ctx) {
			if item.Kind == plugin.KindRequest {
				h.answer(path, item)
			}
			if !yield(item) {
				return
			}
		}
	}
}

// answer answers a question with the first answer that is left.
func (h *Hub) answer(path string, item *plugin.Item) {
	h.t.Helper()
	var next any = Cancel
	if left := *h.answers; len(left) > 0 {
		next, *h.answers = left[0], left[1:]
	} else {
		h.t.Errorf("%s asks, and there is no answer left: %s", path, item.Question)
	}
	data, err := codec.AppendJSON(nil, map[string]any{"request_id": item.RequestID, "response_data": answerTo(item.Question, next)})
	if err == nil {
		err = h.hub.Respond(h.ctx, data)
	}
	if err != nil {
		h.t.Fatalf("%s asks %s, and %#v is no answer to that: %v", path, item.Question, next, err)
	}
}

// answerTo puts an answer into the form that the question asks for.
func answerTo(question []byte, answer any) map[string]any {
	if answer == Cancel {
		return map[string]any{"type": "cancelled"}
	}
	var asked struct{ Type string }
	_ = json.Unmarshal(question, &asked) // the hub has written it
	switch asked.Type {
	case "confirm":
		return map[string]any{"type": "confirmed", "value": answer}
	case "prompt":
		return map[string]any{"type": "text", "value": answer}
	case "select":
		if _, many := answer.([]string); !many {
			answer = []any{answer}
		}
		return map[string]any{"type": "selected", "values": answer}
	}
	return map[string]any{"type": "custom", "data": answer}
}
