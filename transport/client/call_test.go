// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/transport/client"
)

type object = map[string]any

// endless is an activation whose streams end only with the context.
func endless(running *atomic.Int64) plugin.Activation {
	stream := func(first int) func(context.Context, plugin.None) iter.Seq2[int, error] {
		return func(ctx context.Context, _ plugin.None) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				running.Add(1)
				defer running.Add(-1)
				for n := range first {
					if !yield(n, nil) {
						return
					}
				}
				<-ctx.Done()
			}
		}
	}
	return plugin.Definition{
		Namespace: "endless", Version: "1.0.0", Description: "Test subject",
		Methods: []plugin.Method{
			plugin.Stream("none", "Nothing, and no end", stream(0)),
			plugin.Stream("three", "Three items, and no end", stream(3)),
			plugin.Stream("flood", "Items without end", func(ctx context.Context, _ plugin.None) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					running.Add(1)
					defer running.Add(-1)
					for ctx.Err() == nil && yield(strings.Repeat("x", 1000), nil) {
					}
				}
			}),
			plugin.Unary("large", "A megabyte", func(context.Context, plugin.None) (string, error) {
				return strings.Repeat("x", 1<<20), nil
			}),
		},
	}
}

func TestASequenceOfACallCanBeRangedOverAgain(t *testing.T) {
	c := dial(t, start(t))
	if c.Hub() != "hub" {
		t.Errorf("the hub is %q", c.Hub())
	}
	calls := c.Call(testkit.Context(t), "echo.repeat", echo.RepeatParams{Message: "hi", Count: 3})
	for range 2 { // a sequence may be ranged over again
		var got []echo.Echo
		for item, err := range calls {
			if err != nil {
				t.Fatal(err)
			}
			var e echo.Echo
			if err := item.Decode(&e); err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
			if item.Kind != plugin.KindData || item.ContentType != "echo.repeat" || len(item.Metadata.Hash) != 16 ||
				fmt.Sprint(item.Metadata.Provenance) != "[echo]" || item.Metadata.Timestamp == 0 || !json.Valid(item.Raw) {
				t.Errorf("got %+v", item)
			}
		}
		if want := []echo.Echo{{Message: "hi", Number: 1}, {Message: "hi", Number: 2}, {Message: "hi", Number: 3}}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestCallOneTakesTheFirstItem(t *testing.T) {
	var running atomic.Int64
	c := dial(t, start(t, endless(&running)))
	ctx := testkit.Context(t)
	got, err := client.CallOne[echo.Echo](ctx, c, "echo.once", object{"message": "hi"})
	if err != nil || got.Message != "hi" {
		t.Errorf("got %v, %v", got, err)
	}
	raw, err := client.CallOne[json.RawMessage](ctx, c, "echo.once", object{"message": "hi"})
	if err != nil || string(raw) != `{"message":"hi","number":1}` {
		t.Errorf("got %s, %v", raw, err)
	}
	first, err := client.CallOne[int](ctx, c, "endless.three", nil)
	if err != nil || first != 0 {
		t.Errorf("got %v, %v", first, err)
	}
	testkit.Eventually(t, "the stream to be broken off", func() bool { return running.Load() == 0 })
	if _, err := client.CallOne[int](ctx, c, "echo.once", object{"message": "hi"}); err == nil || !strings.HasPrefix(err.Error(), "echo.once: content of type echo.once: invalid type: map, expected i64") {
		t.Errorf("got %v", err)
	}
	if _, err := client.CallOne[echo.Echo](ctx, c, "echo.repeat", object{"count": 0, "message": ""}); !errors.Is(err, client.ErrNoData) {
		t.Errorf("got %v", err)
	}
}

func TestInfoHashAndSchemaAgree(t *testing.T) {
	c := dial(t, start(t))
	ctx := testkit.Context(t)
	info, err := c.Info(ctx)
	if err != nil || info.Name != "hub" {
		t.Errorf("got %+v, %v", info, err)
	}
	hash, err := c.Hash(ctx)
	if err != nil || hash != info.Hash {
		t.Errorf("got %q, %v; want %q", hash, err, info.Hash)
	}
	schema, err := c.Schema(ctx, "")
	if err != nil || schema.Namespace != "hub" || schema.Hash != hash || len(schema.Children) != 1 || schema.Children[0].Namespace != "echo" {
		t.Errorf("got %+v, %v", schema, err)
	}
	schema, err = c.Schema(ctx, "echo")
	if err != nil || schema.Namespace != "echo" || schema.Methods[0].Name != "once" || !strings.Contains(string(schema.Methods[0].Params), `"message":{"type":"string"`) {
		t.Errorf("got %+v, %v", schema, err)
	}
	if _, err = c.Schema(ctx, "nobody"); !answered(err, plugin.CodeMethodNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorOfAMethodHasItsCodeAndText(t *testing.T) {
	c := dial(t, start(t))
	tests := []struct {
		method string
		params any
		code   int
		text   string
	}{
		{"echo.nope", nil, plugin.CodeMethodNotFound, "echo.nope: Method not found: echo.nope (-32601)"},
		{"nope.once", nil, plugin.CodeMethodNotFound, "nope.once: Activation not found: nope (-32601)"},
		{"once", nil, plugin.CodeInvalidParams, "once: Invalid params: Invalid method format: once (-32602)"},
		{"echo.once", object{}, plugin.CodeInvalidParams, "echo.once: Invalid params: missing field: message (-32602)"},
		{"echo.\"\x00\xff", nil, plugin.CodeMethodNotFound, ""},
	}
	for _, test := range tests {
		_, err := client.CallOne[any](testkit.Context(t), c, test.method, test.params)
		if !answered(err, test.code) || test.text != "" && err.Error() != test.text {
			t.Errorf("%s: got %v", test.method, err)
		}
	}
	if _, err := client.CallOne[any](testkit.Context(t), c, "echo.once", math.NaN()); err == nil || !strings.HasPrefix(err.Error(), "echo.once: parameters: json: ") {
		t.Errorf("got %v", err)
	}
}

func TestManyCallsRunAtOnce(t *testing.T) {
	c := dial(t, start(t))
	ctx := testkit.Context(t)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			for j := range 20 {
				message := fmt.Sprint(i, j)
				n := 0
				for item, err := range c.Call(ctx, "echo.repeat", echo.RepeatParams{Message: message, Count: 5}) {
					var e echo.Echo
					if err == nil {
						err = item.Decode(&e)
					}
					n++
					if err != nil || e.Message != message || int(e.Number) != n {
						t.Errorf("%s: got %v, %v", message, e, err)
						return
					}
				}
				if n != 5 {
					t.Errorf("%s: %d items", message, n)
				}
			}
		})
	}
	all.Wait()
}

func TestARangeThatEndsInAnyWayEndsTheStreamAtTheHub(t *testing.T) {
	var running atomic.Int64
	c := dial(t, start(t, endless(&running)))
	ends := map[string]func(t *testing.T){
		"break": func(t *testing.T) {
			for item, err := range c.Call(testkit.Context(t), "endless.three", nil) {
				if err != nil || content(item) != "0" {
					t.Fatal(item, err)
				}
				break
			}
		},
		"panic": func(t *testing.T) {
			defer func() { _ = recover() }()
			for range c.Call(testkit.Context(t), "endless.three", nil) {
				panic("in the body")
			}
		},
		"cancel": func(t *testing.T) {
			ctx, cancel := context.WithCancel(testkit.Context(t))
			defer cancel()
			for _, err := range c.Call(ctx, "endless.three", nil, client.Idempotent()) {
				if err == nil {
					cancel()
				} else if !callFailed(err, context.Canceled, true, true) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			}
			if _, err := client.CallOne[any](ctx, c, "endless.none", nil); !callFailed(err, context.Canceled, false, true) {
				t.Errorf("got %v", err)
			}
		},
	}
	for _, method := range []string{"endless.none", "endless.three", "endless.flood"} {
		ends["deadline of "+method] = func(t *testing.T) {
			ctx, cancel := context.WithTimeout(testkit.Context(t), 30*time.Millisecond)
			defer cancel()
			if _, err := gathered(c.Call(ctx, method, nil)); !callFailed(err, context.DeadlineExceeded, true, false) {
				t.Errorf("got %v", err)
			}
		}
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			end(t)
			testkit.Eventually(t, "the stream to end", func() bool { return running.Load() == 0 })
		})
	}
}

func TestAMessageOverTheLimitFailsOnlyItsCall(t *testing.T) {
	var running atomic.Int64
	url := start(t, endless(&running))
	c := dial(t, url, client.WithMessageLimit(100_000), client.WithoutReconnect())
	ctx := testkit.Context(t)
	next, stop := iter.Pull2(c.Call(ctx, "endless.three", nil))
	defer stop()
	next()
	// The call whose item is too long fails, and the others don't.
	_, err := client.CallOne[string](ctx, c, "endless.large", nil)
	if !callFailed(err, client.ErrTooLarge, true, false) {
		t.Errorf("got %v", err)
	}
	if item, err, ok := next(); !ok || err != nil || content(item) != "1" {
		t.Errorf("got %v, %v, %v", item, err, ok)
	}
	if _, err := c.Info(ctx); err != nil {
		t.Errorf("got %v", err)
	}
	whole := dial(t, url)
	if text, err := client.CallOne[string](ctx, whole, "endless.large", nil); err != nil || len(text) != 1<<20 {
		t.Errorf("got %d bytes, %v", len(text), err)
	}
	long := strings.Repeat("y", 3<<20)
	if e, err := client.CallOne[echo.Echo](ctx, whole, "echo.once", object{"message": long}); err != nil || e.Message != long {
		t.Errorf("got %d bytes, %v", len(e.Message), err)
	}
	// The hub says only that a request was too large: it is the largest one.
	if _, err := client.CallOne[echo.Echo](ctx, whole, "echo.once", object{"message": strings.Repeat("y", 11<<20)}); !answered(err, plugin.CodeTooLarge) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkCallOne(b *testing.B) {
	c := dial(b, start(b))
	ctx := context.Background()
	one := func() {
		if _, err := client.CallOne[echo.Echo](ctx, c, "echo.once", echo.OnceParams{Message: "hi"}); err != nil {
			b.Error(err)
		}
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			one()
		}
	})
	b.Run("64 at once", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one()
			}
		})
	})
}

func BenchmarkStream(b *testing.B) {
	c := dial(b, start(b))
	b.ReportAllocs()
	n := 0
	for n < b.N {
		for _, err := range c.Call(context.Background(), "echo.repeat", echo.RepeatParams{Message: "hi", Count: uint32(min(b.N-n, 1_000_000))}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
}
