// SPDX-License-Identifier: AGPL-3.0-only

package plugintest_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/plugintest"
)

// recorder is a test that fails without failing the one around it.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()           {}
func (r *recorder) Cleanup(fn func()) { r.cleanups = append(r.cleanups, fn) }
func (r *recorder) Error(args ...any) { r.failures = append(r.failures, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatal(args ...any) { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failuresOf runs a test to its end and returns what it complained of.
func failuresOf(t *testing.T, test func(tb testing.TB)) []string {
	r := &recorder{TB: t}
	var running sync.WaitGroup
	running.Go(func() { test(r) })
	running.Wait()
	for _, fn := range slices.Backward(r.cleanups) {
		fn()
	}
	return r.failures
}

type textParams struct {
	Text string `json:"text"`
}

type pet string

func (pet) Enum() []plugin.Choice { return []plugin.Choice{{Value: "cat"}, {Value: "dog"}} }

func subject() plugin.Definition {
	return plugin.Definition{Namespace: "s", Version: "1.0.0", Description: "A subject", Methods: []plugin.Method{
		plugin.Unary("say", "Say it", func(_ context.Context, in textParams) (string, error) { return in.Text, nil }),
		plugin.Unary("number", "Not a text", func(context.Context, plugin.None) (int, error) { return 7, nil }),
		plugin.Unary("who", "Tell the caller", func(ctx context.Context, _ plugin.None) (string, error) {
			return plugin.CallerOf(ctx).Name, nil
		}),
		plugin.Stream("count", "Count for ever", func(context.Context, plugin.None) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for n := 0; yield(n, nil); n++ {
				}
			}
		}),
		plugin.Stream("fail", "Fail twice", func(context.Context, plugin.None) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				if yield(0, &plugin.Error{Message: "once", Recoverable: true}) {
					yield(0, &plugin.Error{Code: 5, Message: "twice", Data: "why"})
				}
			}
		}),
		plugin.Unary("ask", "Ask everything", func(ctx context.Context, _ plugin.None) (string, error) {
			sure, err1 := plugin.Ask(ctx, plugin.Confirm{Message: "Sure?"})
			name, err2 := plugin.Ask(ctx, plugin.Prompt{Message: "Name?"})
			one, err3 := plugin.Ask(ctx, plugin.Select[pet]{Message: "Which?"})
			many, err4 := plugin.Ask(ctx, plugin.SelectMany[pet]{Message: "Which ones?"})
			more, err5 := plugin.Ask(ctx, plugin.Custom[string, textParams]{Data: "?"})
			return fmt.Sprintf("%v %v %v %v %v %v %v %v %v %v", sure, name, one, many, more, err1, err2, err3, err4, err5), nil
		}, plugin.BidirectionalOf[string, textParams]()),
	}}
}

func TestCalls(t *testing.T) {
	h := plugintest.New(t, subject())
	if got := plugintest.One[string](h, "s.say", textParams{"hi"}); got != "hi" {
		t.Errorf("say answers %q", got)
	}
	if got := plugintest.One[string](h, "s.who", nil); got != "local" {
		t.Errorf("the caller is %q", got)
	}
	if got := plugintest.One[string](h.As(plugin.Caller{Name: "ada"}), "s.who", nil); got != "ada" {
		t.Errorf("the caller is %q", got)
	}
	if got := plugintest.One[string](h.As(plugin.Caller{Name: "ada"}).Within(t.Context()), "s.who", nil); got != "ada" {
		t.Errorf("the caller within another context is %q", got)
	}
	var counted []int
	for n, err := range plugintest.Stream[int](h, "s.count", nil) {
		if counted = append(counted, n); err != nil || n == 2 {
			break
		}
	}
	if !slices.Equal(counted, []int{0, 1, 2}) {
		t.Errorf("counted %v", counted)
	}
	if err := h.Fails("s.fail", nil); err.Code != 5 || err.Message != "twice" || err.Data != "why" {
		t.Errorf("fail fails with %+v", err)
	}
	h.Answer(true, "Ada", "cat", []string{"dog", "cat"}, textParams{"so"})
	if got := plugintest.One[string](h, "s.ask", nil); got != "true Ada cat [dog cat] {so} <nil> <nil> <nil> <nil> <nil>" {
		t.Errorf("ask answers %q", got)
	}
	h.Answer(plugintest.Cancel, plugintest.Cancel, plugintest.Cancel, plugintest.Cancel, plugintest.Cancel)
	if got := plugintest.One[string](h, "s.ask", nil); strings.Count(got, plugin.ErrCancelled.Error()) != 5 {
		t.Errorf("ask answers %q", got)
	}
	var kinds []plugin.Kind
	for item := range h.Items("s.say", textParams{}) {
		kinds = append(kinds, item.Kind)
	}
	if !slices.Equal(kinds, []plugin.Kind{plugin.KindData, plugin.KindDone}) {
		t.Errorf("items of the kinds %v", kinds)
	}
}

func TestContextOfTheCall(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(hub.ErrShutdown)
	h := plugintest.New(t, subject()).Within(ctx)
	for _, err := range plugintest.Stream[int](h, "s.count", nil) {
		if err == nil {
			t.Fatal("a stream of a hub that shuts down goes on")
		}
	}
}

// TestWhatFailsATest states that each mistake is told, once, and says what.
func TestWhatFailsATest(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(h *plugintest.Hub)
		want string
	}{
		{"nothing", func(h *plugintest.Hub) { h.Answer() }, ""},
		{"a method that fails", func(h *plugintest.Hub) { plugintest.All[int](h, "s.nope", nil) }, "s.nope: Method not found: s.nope"},
		{"a method that does not", func(h *plugintest.Hub) { h.Fails("s.number", nil) }, "s.number has not failed"},
		{"a method that recovers", func(h *plugintest.Hub) { h.Fails("s.recover", nil) }, "s.recover has not failed"},
		{"another type of content", func(h *plugintest.Hub) { plugintest.One[string](h, "s.number", nil) }, "s.number: content of type s.number: invalid type: integer `7`"},
		{"too many contents", func(h *plugintest.Hub) { plugintest.One[string](h, "s.list", nil) }, "s.list has answered 2 times"},
		{"parameters that are none", func(h *plugintest.Hub) { plugintest.One[string](h, "s.say", make(chan int)) }, "s.say: parameters"},
		{"an answer too many", func(h *plugintest.Hub) { h.Answer(true) }, "no question for the answers [true]"},
		{"an answer of another kind", func(h *plugintest.Hub) {
			h.Answer("yes")
			h.Fails("s.ask", nil)
		}, `and "yes" is no answer to that`},
		{"an answer that is no option", func(h *plugintest.Hub) {
			h.Answer(true, "Ada", "fox")
			h.Fails("s.ask", nil)
		}, "`fox` is not one of the options"},
		{"a question too many", func(h *plugintest.Hub) {
			h.Answer(true, "Ada", "cat", []string{})
			plugintest.One[string](h, "s.ask", nil)
		}, "there is no answer left"},
		{"no golden file", func(h *plugintest.Hub) { h.CheckSchema("s", "testdata/none.json") }, "PLEXUS_UPDATE=1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := subject()
			d.Methods = append(d.Methods, plugin.Stream("list", "Two", func(context.Context, plugin.None) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) { _ = yield("a", nil) && yield("b", nil) }
			}), plugin.Stream("recover", "Go on", func(context.Context, plugin.None) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) { yield("", &plugin.Error{Recoverable: true}) }
			}))
			got := failuresOf(t, func(tb testing.TB) { test.run(plugintest.New(tb, d)) })
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("complains of %q, want %q", got, test.want)
			}
		})
	}
}

// stuck can't be closed.
type stuck struct{ plugin.Definition }

func (stuck) Close() error { return errors.New("stuck") }

func TestCloseThatFails(t *testing.T) {
	got := failuresOf(t, func(tb testing.TB) { plugintest.New(tb, stuck{subject()}) })
	if len(got) != 1 || !strings.Contains(got[0], "stuck") {
		t.Errorf("complains of %q", got)
	}
}

func TestRegistrationThatIsRefused(t *testing.T) {
	got := failuresOf(t, func(tb testing.TB) { plugintest.New(tb, plugin.Definition{Namespace: "no.name"}) })
	if len(got) != 1 || !strings.Contains(got[0], "malformed") {
		t.Errorf("complains of %q", got)
	}
}

func TestGoldenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "folder", "s.json")
	t.Setenv("PLEXUS_UPDATE", "1")
	plugintest.New(t, subject()).CheckSchema("s", file)
	t.Setenv("PLEXUS_UPDATE", "")
	plugintest.New(t, subject()).CheckSchema("s", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	plugintest.New(t, subject()).CheckSchema("s", file) // as some systems check files out
	d := subject()
	d.Description = "Another"
	got := failuresOf(t, func(tb testing.TB) { plugintest.New(tb, d).CheckSchema("s", file) })
	if len(got) != 1 || !strings.Contains(got[0], "Line 4") || !strings.Contains(got[0], "Another") {
		t.Errorf("complains of %q", got)
	}
}
