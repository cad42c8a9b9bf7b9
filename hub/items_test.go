// SPDX-License-Identifier: AGPL-3.0-only

package hub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
)

// TestStreamEndsOnce states what a consumer sees of what a method does: one
// Done or one final Error, and nothing after it.
func TestStreamEndsOnce(t *testing.T) {
	secret := errors.New("password is 123")
	for _, test := range []struct {
		name  string
		yield []any // contents and errors
		want  []string
		log   string // what the log says, empty for nothing
	}{
		{"nothing", nil, []string{"done"}, ""},
		{"contents", []any{1, 2}, []string{"data s.m 1", "data s.m 2", "done"}, ""},
		{"nothing as content", []any{nil}, []string{"data s.m null", "done"}, ""},
		{"an error for the caller", []any{1, plugin.Errorf(7, "so"), 2}, []string{"data s.m 1", "error 7 so"}, ""},
		{"an error without a code", []any{&plugin.Error{Message: "so"}}, []string{"error -32000 so"}, ""},
		{"an error without anything", []any{&plugin.Error{}}, []string{"error -32000 the method failed"}, ""},
		{"an error within another", []any{fmt.Errorf("while: %w", &plugin.Error{Message: "so"})}, []string{"error -32000 so"}, ""},
		{"an error with a cause", []any{&plugin.Error{Message: "so", Err: secret}}, []string{"error -32000 so"}, "password"},
		{"an error whose cause is a bad parameter", []any{&plugin.Error{Code: 7, Message: "so", Err: plugin.InvalidParams("password")}}, []string{"error 7 so"}, "password"},
		{"an error that the caller must not see", []any{1, secret}, []string{"data s.m 1", "error -32000 s.m failed"}, "password"},
		{"a bad parameter", []any{plugin.InvalidParams("so")}, []string{"error -32602 Invalid params: so"}, ""},
		{"a recoverable error, then more", []any{1, &plugin.Error{Message: "so", Recoverable: true}, 2},
			[]string{"data s.m 1", "error -32000 so (recoverable)", "data s.m 2", "done"}, ""},
		{"a recoverable error, then another", []any{&plugin.Error{Message: "so", Recoverable: true}, &plugin.Error{Message: "no"}},
			[]string{"error -32000 so (recoverable)", "error -32000 no"}, ""},
		{"a cancellation of its own", []any{1, context.Canceled}, []string{"data s.m 1", "error -32000 s.m was cancelled"}, ""},
		{"a panic", []any{1, "panic!"}, []string{"data s.m 1", "error -32000 s.m failed"}, "panic!"},
		{"a panic of the runtime", []any{1, []int{}}, []string{"data s.m 1", "error -32000 s.m failed"}, "out of range"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, log := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
				for _, v := range test.yield {
					var err error
					switch value := v.(type) {
					case string:
						panic(value)
					case []int:
						v = outOfRange(value)
					case error:
						v, err = nil, value
					}
					if !yield(v, err) {
						return
					}
				}
			}))
			all := items(t.Context(), h.Call("s.m", nil))
			equal(t, lines(all), test.want...)
			for _, item := range all {
				want := "s"
				if item.Code == "-32602" {
					want = "H" // as if the hub had rejected it
				}
				if !slices.Equal(item.Metadata.Provenance, []string{want}) {
					t.Errorf("%s comes from %q, want %s", describe(item), item.Metadata.Provenance, want)
				}
			}
			if got := log.String(); (got == "") != (test.log == "") || !strings.Contains(got, test.log) {
				t.Errorf("logged %q, want %q", got, test.log)
			}
		})
	}
}

func outOfRange(list []int) int { return list[len(list)] }

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	h, log := newHub(t, "H", streaming(func(context.Context, func(any, error) bool) { thisIsWhereItPanics() }))
	items(t.Context(), h.Call("s.m", nil))
	for _, want := range []string{"method=s.m", "the cause", "thisIsWhereItPanics"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, log)
		}
	}
	if !regexp.MustCompile(` at=\S*items_test\.go:\d+ `).MatchString(log.String()) {
		t.Errorf("the log does not say where: %s", log)
	}
}

func TestLogNamesTheCaller(t *testing.T) {
	for _, test := range []struct {
		caller plugin.Caller
		want   string
	}{
		{plugin.Caller{Name: "ada", Remote: "1.2.3.4:5"}, "method=s.m caller=ada remote=1.2.3.4:5 cause=so"},
		{plugin.Caller{Remote: "1.2.3.4:5"}, "method=s.m remote=1.2.3.4:5 cause=so"},
		{plugin.Caller{Name: "ada"}, "method=s.m caller=ada cause=so"},
	} {
		h, log := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) { yield(nil, errors.New("so")) }))
		items(plugin.WithCaller(t.Context(), test.caller), h.Call("s.m", nil))
		if !strings.Contains(log.String(), test.want) {
			t.Errorf("logged %s, want %s", log, test.want)
		}
	}
}

// TestContextEndsWithTheCall: what the method has left behind can stop by it.
func TestContextEndsWithTheCall(t *testing.T) {
	var within context.Context
	h, _ := newHub(t, "H", streaming(func(ctx context.Context, yield func(any, error) bool) { within = ctx; yield(1, nil) }))
	if items(t.Context(), h.Call("s.m", nil)); within.Err() == nil || t.Context().Err() != nil {
		t.Errorf("%v, and its caller's: %v", within.Err(), t.Context().Err())
	}
}

// TestAPanicHarmsNoOtherStream of the same activation, nor a later one.
func TestAPanicHarmsNoOtherStream(t *testing.T) {
	type mode struct {
		Panic bool `json:"panic"`
	}
	h, _ := newHub(t, "H", plugin.Definition{Namespace: "s", Methods: []plugin.Method{
		plugin.Stream("m", "", func(_ context.Context, in mode) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				if yield(1, nil) && in.Panic {
					panic("so")
				}
				yield(2, nil)
			}
		}),
	}})
	const panics, good = `{"panic":true}`, `{"panic":false}`
	var got []string
	for item := range h.Call("s.m", []byte(good)).Items(t.Context()) {
		got = append(got, describe(*item))
		equal(t, run(t.Context(), h.Call("s.m", []byte(panics))), "data s.m 1", "error -32000 s.m failed")
	}
	equal(t, got, "data s.m 1", "data s.m 2", "done")
	if err := h.Unregister("s"); err != nil {
		t.Errorf("calls that panicked are still counted: %v", err)
	}
}

func thisIsWhereItPanics() { panic("the cause") }

func TestPanicOfTheConsumerGoesOn(t *testing.T) {
	stopped := false
	h, log := newHub(t, "H", streaming(func(ctx context.Context, yield func(any, error) bool) {
		defer func() { stopped = true }()
		defer plugin.Progress(ctx, "nobody takes it", 1)
		yield(1, nil)
	}))
	for _, when := range []plugin.Kind{plugin.KindData, plugin.KindDone} {
		got := func() (got any) {
			defer func() { got = recover() }()
			for item := range h.Call("s.m", nil).Items(t.Context()) {
				if item.Kind == when {
					panic("of the consumer")
				}
			}
			return nil
		}()
		if got != "of the consumer" {
			t.Errorf("the panic came out as %v", got)
		}
	}
	if !stopped {
		t.Error("the method goes on")
	}
	if log.String() != "" {
		t.Errorf("it is logged as a failure of the method: %s", log)
	}
}

func TestPanicAfterTheEndIsLoggedOnly(t *testing.T) {
	for name, err := range map[string]error{"while it cleans up": nil, "after its error": errors.New("the last")} {
		h, log := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
			defer func() { panic("late") }()
			yield(1, err)
		}))
		n := 0
		for range h.Call("s.m", nil).Items(t.Context()) {
			n++
			break
		}
		if n != 1 || !strings.Contains(log.String(), "a method panicked") {
			t.Errorf("%s: %d items after the consumer had left after 1, logged %s", name, n, log)
		}
	}
	// The consumer has not left, but the stream has ended.
	h, log := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
		defer func() { panic("late") }()
		yield(nil, errors.New("the last"))
	}))
	if got := run(t.Context(), h.Call("s.m", nil)); !slices.Equal(got, []string{"error -32000 s.m failed"}) || !strings.Contains(log.String(), "late") {
		t.Errorf("%q, logged %s", got, log)
	}
}

// panickingParams panic when they are checked.
type panickingParams struct {
	Name string `json:"name"`
}

func (p *panickingParams) Validate() error { panic("in Validate") }

func TestPanicInTheCheckOfParametersIsAnswered(t *testing.T) {
	h, log := newHub(t, "H", plugin.Definition{Namespace: "a", Methods: []plugin.Method{
		plugin.Unary("m", "", func(context.Context, panickingParams) (int, error) { return 1, nil }),
	}})
	equal(t, run(t.Context(), h.Call("a.m", []byte(`"x"`))), "error -32000 a.m failed")
	if _, err := h.Find("a", "m").Bind([]byte(`"x"`)); err == nil || err.Error() != "a.m failed" {
		t.Errorf("bound directly: %v", err)
	}
	if !strings.Contains(log.String(), "in Validate") || !strings.Contains(log.String(), "panickingParams") {
		t.Errorf("logged %s", log)
	}
}

func TestBreakingOffStopsTheProducerAtOnce(t *testing.T) {
	made, stopped := 0, false
	h, _ := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
		defer func() { stopped = true }()
		for {
			made++
			if !yield(made, nil) {
				return
			}
		}
	}))
	for item := range h.Call("s.m", nil).Items(t.Context()) {
		if item.Content == 3 {
			break
		}
	}
	if made != 3 || !stopped {
		t.Errorf("%d were made, stopped: %v", made, stopped)
	}
}

func TestNestedCallThatIsBrokenOffStopsTheProducer(t *testing.T) {
	stopped := false
	h, _ := newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
		defer func() { stopped = true }()
		for yield(1, nil) {
		}
	}))
	path, params := nest(3, "s.m", "null")
	for range h.Call(path, []byte(params)).Items(t.Context()) {
		break
	}
	if !stopped {
		t.Error("the method goes on")
	}
}

func TestCancelledContext(t *testing.T) {
	over := errors.New("over")
	waits := func(ctx context.Context, yield func(any, error) bool) {
		if yield(1, nil) {
			<-ctx.Done()
		}
	}
	says := func(err func(context.Context) error) func(ctx context.Context, yield func(any, error) bool) {
		return func(ctx context.Context, yield func(any, error) bool) {
			if yield(1, nil) {
				<-ctx.Done()
				yield(nil, err(ctx))
			}
		}
	}
	goesOn := func(_ context.Context, yield func(any, error) bool) {
		for n := 1; n < 1000 && yield(n, nil); n++ {
		}
	}
	for _, test := range []struct {
		name  string
		cause error
		fn    func(ctx context.Context, yield func(any, error) bool)
		want  []string // after the first item
	}{
		{"a method that ends, when it is cancelled", over, waits, []string{"done"}},
		{"a method that says so, when it is cancelled", over, says(context.Context.Err), []string{"error -32000 s.m was cancelled"}},
		{"a method that ends, when the hub stops", hub.ErrShutdown, waits, []string{"error -32000 the hub is shutting down (recoverable)", "done"}},
		{"a method that says so, when the hub stops", hub.ErrShutdown, says(context.Context.Err), []string{"error -32000 the hub is shutting down (recoverable)", "done"}},
		{"a method that returns the cause, when the hub stops", hub.ErrShutdown, says(context.Cause), []string{"error -32000 the hub is shutting down (recoverable)", "done"}},
		{"a method that goes on, when the hub stops", hub.ErrShutdown, goesOn, []string{"error -32000 the hub is shutting down (recoverable)", "done"}},
		{"a method that fails otherwise, when the hub stops", hub.ErrShutdown, says(func(context.Context) error { return &plugin.Error{Message: "so"} }), []string{"error -32000 so"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, _ := newHub(t, "H", streaming(test.fn))
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var got []string
			for item := range h.Call("s.m", nil).Items(ctx) {
				if got = append(got, describe(*item)); len(got) == 1 {
					cancel(test.cause)
				}
			}
			if want := append([]string{"data s.m 1"}, test.want...); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestShutdownLetsAUnaryMethodAnswer(t *testing.T) {
	h, _ := newHub(t, "H", activation("a", "m"))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(hub.ErrShutdown)
	equal(t, run(ctx, h.Call("a.m", []byte(`"x"`))), `data a.m "for x"`, "done")
}

func TestMetadataIsOnEveryItem(t *testing.T) {
	var h *hub.Hub
	h, _ = newHub(t, "H", streaming(func(_ context.Context, yield func(any, error) bool) {
		_ = yield(1, nil) && h.Register(activation("later", "m")) == nil && yield(2, nil) && yield(nil, &plugin.Error{Message: "so", Recoverable: true})
	}))
	old := h.Hash()
	before := time.Now().Unix()
	all := items(t.Context(), h.Call("s.m", nil))
	after := time.Now().Unix()
	if len(all) != 4 || old == h.Hash() {
		t.Fatalf("%q", lines(all))
	}
	for i, item := range all {
		want := h.Hash()
		if i == 0 {
			want = old
		}
		m := item.Metadata
		if !slices.Equal(m.Provenance, []string{"s"}) || m.Hash != want || m.Timestamp < before || m.Timestamp > after {
			t.Errorf("%s: %+v, want the hash %s", describe(item), m, want)
		}
		if item.Kind != plugin.KindData && (item.Content != nil || item.ContentType != "") || item.Kind != plugin.KindError && (item.Message != "" || item.Code != "" || item.Recoverable) {
			t.Errorf("%s carries what was left of another: %+v", describe(item), item)
		}
	}
}
