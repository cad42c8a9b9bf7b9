// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/callscope"
	"github.com/plexus-go/plexus/plugin"
)

// asker makes an activation q with one method, m, that runs fn.
func asker(fn func(ctx context.Context) (string, error), options ...plugin.Option) plugin.Definition {
	return plugin.Definition{Namespace: "q", Version: "1.0.0", Methods: []plugin.Method{
		plugin.Unary("m", "", func(ctx context.Context, _ plugin.None) (string, error) { return fn(ctx) }, options...),
	}}
}

// sure asks one question.
func sure(ctx context.Context) (string, error) {
	yes, err := plugin.Ask(ctx, plugin.Confirm{Message: "Sure?"})
	return fmt.Sprint(yes), err
}

const (
	yes = `{"type":"confirmed","value":true}`
	no  = `{"type":"confirmed","value":false}`
)

// respond answers a question and returns what was wrong with the answer.
func respond(ctx context.Context, h *hub.Hub, id, data string) string {
	err := h.Respond(ctx, fmt.Appendf(nil, `{"request_id":%q,"response_data":%s}`, id, data))
	if err == nil {
		return ""
	}
	return err.Error()
}

// conversation runs a call and answers what it asks.
func conversation(ctx context.Context, c hub.Call, answer func(q plugin.Item)) []string {
	var all []string
	for item := range c.Items(ctx) {
		k := kept(item)
		all = append(all, describe(k))
		if k.Kind == plugin.KindRequest {
			answer(k)
		}
	}
	return all
}

func TestQuestionIsAnswered(t *testing.T) {
	h, _ := newHub(t, "H", asker(sure, plugin.Bidirectional()))
	ids := map[string]bool{}
	for range 3 {
		got := conversation(t.Context(), h.Call("q.m", nil), func(q plugin.Item) {
			if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(q.RequestID) || ids[q.RequestID] {
				t.Errorf("the id %q is not 128 new bits", q.RequestID)
			}
			ids[q.RequestID] = true
			if string(q.Question) != `{"type":"confirm","message":"Sure?"}` || q.Timeout != 30*time.Second || !slices.Equal(q.Metadata.Provenance, []string{"q"}) {
				t.Errorf("asked %s for %v, from %q", q.Question, q.Timeout, q.Metadata.Provenance)
			}
			if wrong := respond(t.Context(), h, q.RequestID, yes); wrong != "" {
				t.Error(wrong)
			}
			for range 2 {
				if got, want := respond(t.Context(), h, q.RequestID, no), "Unknown request ID: "+q.RequestID+". The request may have timed out or been cancelled."; got != want {
					t.Errorf("answered again: %q, want %q", got, want)
				}
			}
		})
		equal(t, got, "request", `data q.m "true"`, "done")
	}
}

func TestAnswersThatAreRejected(t *testing.T) {
	h, _ := newHub(t, "H", asker(sure, plugin.Bidirectional()))
	asked := plugin.Caller{Name: "ada", Means: "token", Remote: "1"}
	ctx := plugin.WithCaller(t.Context(), asked)
	got := conversation(ctx, h.Call("q.m", nil), func(q plugin.Item) {
		unknown := "Unknown request ID: " + q.RequestID + ". The request may have timed out or been cancelled."
		for _, test := range []struct {
			name   string
			caller plugin.Caller
			id     string
			data   string
			want   string
		}{
			{"another id", asked, "0123456789abcdef0123456789abcdef", yes, "Unknown request ID: 0123456789abcdef0123456789abcdef. The request may have timed out or been cancelled."},
			{"no id", asked, "", yes, "Unknown request ID: . The request may have timed out or been cancelled."},
			{"another name", plugin.Caller{Name: "bob", Means: "token", Scopes: []string{"*"}}, q.RequestID, yes, unknown},
			{"another means", plugin.Caller{Name: "ada", Means: "jwt"}, q.RequestID, yes, unknown},
			{"a caller without a name", plugin.Caller{}, q.RequestID, yes, unknown},
			{"an answer to something else", asked, q.RequestID, `{"type":"text","value":"yes"}`, "Invalid params: response_data: expected an answer of type `confirmed` or `cancelled`"},
			{"no answer", asked, q.RequestID, `null`, "Invalid params: response_data: invalid type: null, expected response"},
			{"the same caller from elsewhere", plugin.Caller{Name: "ada", Means: "token", Remote: "2"}, q.RequestID, no, ""},
			{"too late", asked, q.RequestID, yes, unknown},
		} {
			err := h.Respond(plugin.WithCaller(t.Context(), test.caller), fmt.Appendf(nil, `{"request_id":%q,"response_data":%s}`, test.id, test.data))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != test.want {
				t.Errorf("%s: %q, want %q", test.name, text, test.want)
			}
			var fault *plugin.Error
			if strings.HasPrefix(test.want, "Unknown") && (!errors.As(err, &fault) || fault.Code != plugin.CodeInvalidParams) {
				t.Errorf("%s: %#v", test.name, err)
			}
		}
	})
	equal(t, got, "request", `data q.m "false"`, "done")
}

func TestQuestionWithoutAnAnswer(t *testing.T) {
	asks := func(ctx context.Context) (string, error) {
		_, err := plugin.AskWithin(ctx, time.Minute, plugin.Confirm{Message: "Sure?"})
		return fmt.Sprintf("%v, timeout: %v", err, errors.Is(err, plugin.ErrUnanswered)), nil
	}
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHub(t, "H", asker(asks, plugin.Bidirectional()))
		begin := time.Now()
		var id string
		got := conversation(t.Context(), h.Call("q.m", nil), func(q plugin.Item) { id = q.RequestID })
		equal(t, got, "request", `data q.m "the question was not answered in time, timeout: true"`, "done")
		if waited := time.Since(begin); waited != time.Minute {
			t.Errorf("waited %v", waited)
		}
		if got := respond(t.Context(), h, id, yes); !strings.HasPrefix(got, "Unknown request ID") {
			t.Errorf("an answer that is late: %q", got)
		}
	})
	// What was refused last is said, as callers may not have read it.
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHub(t, "H", asker(asks, plugin.Bidirectional()))
		got := conversation(t.Context(), h.Call("q.m", nil), func(q plugin.Item) {
			respond(t.Context(), h, q.RequestID, `{"type":"text","value":"yes"}`)
			respond(t.Context(), h, q.RequestID, `{"type":"confirmed","value":"yes"}`)
			respond(plugin.WithCaller(t.Context(), plugin.Caller{Name: "bob", Means: "token"}), h, q.RequestID, `{}`)
		})
		equal(t, got, "request", `data q.m "the question was not answered in time; the last answer was refused: Invalid params: `+
			`response_data.value: invalid type: string \"yes\", expected a boolean, timeout: true"`, "done")
	})
	// The caller gets the errors that the method returns.
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHub(t, "H", asker(sure, plugin.Bidirectional()))
		got := conversation(t.Context(), h.Call("q.m", nil), func(plugin.Item) {})
		equal(t, got, "request", `error -32000 the question was not answered in time`)
		got = conversation(t.Context(), h.Call("q.m", nil), func(q plugin.Item) { respond(t.Context(), h, q.RequestID, `{"type":"cancelled"}`) })
		equal(t, got, "request", `error -32000 cancelled by the caller`)
	})
}

// TestQuestionEndsWithItsCaller: the method does not wait for an answer that
// can't come any more.
func TestQuestionEndsWithItsCaller(t *testing.T) {
	same := func(ctx context.Context) context.Context { return ctx }
	for _, test := range []struct {
		name  string
		with  func(ctx context.Context) context.Context
		leave func(cancel context.CancelFunc) (goOn bool)
	}{
		{"when its context ends", same, func(cancel context.CancelFunc) bool { cancel(); return true }},
		{"when its context ends, and the question's does not", context.WithoutCancel, func(cancel context.CancelFunc) bool { cancel(); return true }},
		{"when the range is broken off", same, func(context.CancelFunc) bool { return false }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var err error
				h, _ := newHub(t, "H", asker(func(ctx context.Context) (string, error) {
					_, err = plugin.Ask(test.with(ctx), plugin.Confirm{})
					return "", err
				}, plugin.Bidirectional()))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				begin, id := time.Now(), ""
				for item := range h.Call("q.m", nil).Items(ctx) {
					if item.Kind == plugin.KindRequest {
						id = item.RequestID
						if !test.leave(cancel) {
							break
						}
					}
				}
				if !errors.Is(err, context.Canceled) || time.Since(begin) != 0 {
					t.Errorf("%v after %v", err, time.Since(begin))
				}
				if got := respond(t.Context(), h, id, yes); !strings.HasPrefix(got, "Unknown request ID") {
					t.Errorf("it can still be answered: %q", got)
				}
			})
		})
	}
}

func TestSeveralQuestionsAtOnce(t *testing.T) {
	const max = 16
	ask := func(n int) func(ctx context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			answers, failures := make([]string, n), make([]error, n)
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() { answers[i], failures[i] = plugin.Ask(ctx, plugin.Prompt{Message: fmt.Sprint(i)}) })
			}
			all.Wait()
			return strings.Join(answers, " "), errors.Join(failures...)
		}
	}
	// Answered in the opposite order, from another goroutine, once all are there.
	h, _ := newHub(t, "H", asker(ask(max), plugin.Bidirectional()))
	var asked []plugin.Item
	var answering sync.WaitGroup
	got := conversation(t.Context(), h.Call("q.m", nil), func(q plugin.Item) {
		if asked = append(asked, q); len(asked) < max {
			return
		}
		answering.Go(func() {
			for _, q := range slices.Backward(asked) {
				var message string
				if _, err := fmt.Sscanf(string(q.Question), `{"type":"prompt","message":%q}`, &message); err != nil {
					t.Error(err)
				}
				if wrong := respond(t.Context(), h, q.RequestID, fmt.Sprintf(`{"type":"text","value":"a%s"}`, message)); wrong != "" {
					t.Error(wrong)
				}
			}
		})
	})
	answering.Wait()
	want := `data q.m "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15"`
	if len(got) != max+2 || got[max] != want {
		t.Errorf("%q", got)
	}
	// One more than may wait is refused, and the others go on.
	synctest.Test(t, func(t *testing.T) {
		var err error
		h, _ := newHub(t, "H", asker(func(ctx context.Context) (string, error) {
			_, err = ask(max + 1)(ctx)
			return "", err
		}, plugin.Bidirectional()))
		asked := 0
		conversation(t.Context(), h.Call("q.m", nil), func(plugin.Item) { asked++ })
		if asked != max || err == nil || strings.Count(err.Error(), "q.m asks more than 16 questions at once") != 1 {
			t.Errorf("%d were asked, %v", asked, err)
		}
	})
}

// TestQuestionsOneAfterAnother: only those that wait are counted.
func TestQuestionsOneAfterAnother(t *testing.T) {
	h, _ := newHub(t, "H", asker(func(ctx context.Context) (last string, err error) {
		for range 20 {
			if last, err = sure(ctx); err != nil {
				return last, err
			}
		}
		return last, nil
	}, plugin.Bidirectional()))
	got := conversation(t.Context(), h.Call("q.m", nil), func(q plugin.Item) { respond(t.Context(), h, q.RequestID, yes) })
	if len(got) != 22 || got[20] != `data q.m "true"` {
		t.Errorf("%q", got)
	}
}

// TestAnAnswerThatWasTakenCounts even if the question ends at that moment: the
// client that answered has been told that it was taken.
func TestAnAnswerThatWasTakenCounts(t *testing.T) {
	h, _ := newHub(t, "H", asker(func(ctx context.Context) (string, error) {
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		accept := func([]byte) error { cancel(); return nil }
		scope := ctx.Value(callscope.Key{}).(interface {
			Ask(context.Context, []byte, time.Duration, func([]byte) error) error
		})
		return "answered", scope.Ask(inner, []byte("{}"), time.Hour, accept)
	}, plugin.Bidirectional()))
	for range 20 { // which of the two is seen first is left to chance
		got := conversation(t.Context(), h.Call("q.m", nil), func(q plugin.Item) {
			if wrong := respond(t.Context(), h, q.RequestID, "{}"); wrong != "" {
				t.Error(wrong)
			}
		})
		equal(t, got, "request", `data q.m "answered"`, "done")
	}
}

func TestAMethodThatIsNotBidirectionalCantAsk(t *testing.T) {
	h, _ := newHub(t, "H", asker(sure))
	equal(t, run(t.Context(), h.Call("q.m", nil)), "error -32000 the caller can't be asked")
}

// TestQuestionsThroughAnotherMethod: both must say that they ask.
func TestQuestionsThroughAnotherMethod(t *testing.T) {
	for _, test := range []struct {
		inner, outer bool
		want         []string
	}{
		{true, true, []string{"request", `data outer.m "true"`, "done"}},
		{true, false, []string{"error -32000 the caller can't be asked"}},
		{false, true, []string{"error -32000 the caller can't be asked"}},
	} {
		option := func(asks bool) []plugin.Option {
			if asks {
				return []plugin.Option{plugin.Bidirectional()}
			}
			return nil
		}
		outer := asker(func(ctx context.Context) (string, error) { return plugin.CallOne[string](ctx, "q.m", nil) }, option(test.outer)...)
		outer.Namespace = "outer"
		h, _ := newHub(t, "H", outer, asker(sure, option(test.inner)...))
		got := conversation(t.Context(), h.Call("outer.m", nil), func(q plugin.Item) {
			if !slices.Equal(q.Metadata.Provenance, []string{"outer"}) {
				t.Errorf("the question comes from %q", q.Metadata.Provenance)
			}
			respond(t.Context(), h, q.RequestID, yes)
		})
		equal(t, got, test.want...)
	}
}

// TestQuestionsThroughCallOfCall pass as items of the inner stream.
func TestQuestionsThroughCallOfCall(t *testing.T) {
	h, _ := newHub(t, "H", asker(sure, plugin.Bidirectional()))
	path, params := nest(3, "q.m", "null")
	var got []string
	for item := range h.Call(path, []byte(params)).Items(t.Context()) {
		inner := item
		for {
			below, ok := inner.Content.(*plugin.Item)
			if !ok {
				break
			}
			inner = below
		}
		got = append(got, describe(*inner))
		if asks := inner.RequestID != "" && inner.Question != nil && inner.Timeout > 0; asks != (inner.Kind == plugin.KindRequest) {
			t.Errorf("%+v: is it a question?", inner)
		}
		if inner.Kind == plugin.KindRequest {
			if wrong := respond(t.Context(), h, inner.RequestID, yes); wrong != "" {
				t.Error(wrong)
			}
		}
	}
	if len(got) < 3 || got[0] != "request" || got[1] != `data q.m "true"` || got[2] != "done" {
		t.Errorf("%q", got)
	}
}
