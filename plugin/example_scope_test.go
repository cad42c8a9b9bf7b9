// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// hosting makes a hub with one activation, "demo", of these methods.
func hosting(methods ...plugin.Method) *hub.Hub {
	return hubOf(plugin.Definition{Namespace: "demo", Version: "1.0.0", Methods: methods})
}

func hubOf(activations ...plugin.Activation) *hub.Hub {
	h, err := hub.New("demo-hub", hub.WithLogger(slog.New(slog.DiscardHandler)))
	for _, a := range activations {
		err = errors.Join(err, h.Register(a))
	}
	if err != nil {
		panic(err)
	}
	return h
}

// show calls a method as a client does and prints the items. Questions are
// answered with these answers, in this order.
func show(ctx context.Context, h *hub.Hub, path, params string, answers ...string) {
	for item := range h.Call(path, []byte(params)).Items(ctx) {
		switch item.Kind {
		case plugin.KindData:
			text, err := codec.AppendJSON(nil, item.Content)
			if err != nil {
				panic(err)
			}
			fmt.Println(string(text))
		case plugin.KindProgress:
			fmt.Printf("%s (%v %%)\n", item.Message, item.Percentage)
		case plugin.KindRequest:
			fmt.Println(string(item.Question))
			answer, _ := json.Marshal(map[string]any{"request_id": item.RequestID, "response_data": json.RawMessage(answers[0])})
			answers = answers[1:]
			if err := h.Respond(ctx, answer); err != nil {
				fmt.Println(err)
			}
		case plugin.KindError:
			fmt.Println("error", item.Code, item.Message)
		}
	}
}

func ExampleProgress() {
	h := hosting(plugin.Unary("copy", "Copy files", func(ctx context.Context, _ plugin.None) (string, error) {
		plugin.Progress(ctx, "looking around", plugin.Unknown)
		plugin.Progress(ctx, "copying", 50)
		return "copied", nil
	}))
	show(context.Background(), h, "demo.copy", "")
	// Output:
	// looking around (-1 %)
	// copying (50 %)
	// "copied"
}

func ExampleAsk() {
	h := hosting(plugin.Unary("delete", "Delete everything", func(ctx context.Context, _ plugin.None) (string, error) {
		sure, err := plugin.Ask(ctx, plugin.Confirm{Message: "Really?"})
		if err != nil || !sure {
			return "nothing was deleted", err
		}
		return "gone", nil
	}, plugin.Bidirectional()))
	show(context.Background(), h, "demo.delete", "", `{"type":"confirmed","value":true}`)
	show(context.Background(), h, "demo.delete", "", `{"type":"cancelled"}`)
	// Output:
	// {"type":"confirm","message":"Really?"}
	// "gone"
	// {"type":"confirm","message":"Really?"}
	// error -32000 cancelled by the caller
}

func ExamplePrompt() {
	h := hosting(plugin.Unary("hello", "Greet", func(ctx context.Context, _ plugin.None) (string, error) {
		name, err := plugin.AskWithin(ctx, time.Minute, plugin.Prompt{Message: "Who are you?", Default: "nobody"})
		return "Hello, " + name, err
	}, plugin.Bidirectional()))
	show(context.Background(), h, "demo.hello", "", `{"type":"text","value":"Ada"}`)
	// Output:
	// {"type":"prompt","message":"Who are you?","default":"nobody"}
	// "Hello, Ada"
}

// Size is an enumeration.
type Size string

// Enum lists the sizes.
func (Size) Enum() []plugin.Choice {
	return []plugin.Choice{{Value: "s", Label: "Small"}, {Value: "l", Label: "Large"}}
}

func ExampleSelect() {
	h := hosting(plugin.Unary("order", "Order a coffee", func(ctx context.Context, _ plugin.None) (Size, error) {
		return plugin.Ask(ctx, plugin.Select[Size]{Message: "Which size?"})
	}, plugin.Bidirectional()))
	show(context.Background(), h, "demo.order", "", `{"type":"selected","values":["l"]}`)
	// Output:
	// {"type":"select","message":"Which size?","options":[{"value":"s","label":"Small"},{"value":"l","label":"Large"}],"multi_select":false}
	// "l"
}

func ExampleSelectMany() {
	extras := []plugin.Choice{{Value: "milk"}, {Value: "sugar"}}
	h := hosting(plugin.Unary("extras", "Order extras", func(ctx context.Context, _ plugin.None) (string, error) {
		with, err := plugin.Ask(ctx, plugin.SelectMany[string]{Message: "With?", Options: extras})
		return strings.Join(with, " and "), err
	}, plugin.Bidirectional()))
	show(context.Background(), h, "demo.extras", "", `{"type":"selected","values":["milk","sugar"]}`)
	// Output:
	// {"type":"select","message":"With?","options":[{"value":"milk","label":"milk"},{"value":"sugar","label":"sugar"}],"multi_select":true}
	// "milk and sugar"
}

func ExampleCustom() {
	type area struct{ Width, Height int }
	type point struct{ X, Y int }
	h := hosting(plugin.Unary("aim", "Let the caller point", func(ctx context.Context, _ plugin.None) (point, error) {
		return plugin.Ask(ctx, plugin.Custom[area, point]{Data: area{640, 480}})
	}, plugin.BidirectionalOf[area, point]()))
	show(context.Background(), h, "demo.aim", "", `{"type":"custom","data":{"X":12,"Y":34}}`)
	// Output:
	// {"type":"custom","data":{"Width":640,"Height":480}}
	// {"X":12,"Y":34}
}

func ExampleCall() {
	type text struct {
		Text string `json:"text"`
	}
	h := hosting(
		plugin.Stream("words", "Take a text apart", func(_ context.Context, in text) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for word := range strings.FieldsSeq(in.Text) {
					if !yield(word, nil) {
						return
					}
				}
			}
		}),
		plugin.Unary("count", "Count the words", func(ctx context.Context, in text) (int, error) {
			n := 0
			for _, err := range plugin.Call[string](ctx, "demo.words", in) {
				if err != nil {
					return 0, err
				}
				n++
			}
			return n, nil
		}))
	show(context.Background(), h, "demo.count", `{"text":"one two three"}`)
	// Output: 3
}

func ExampleCallOne() {
	h := hosting(
		plugin.Unary("half", "Halve it", func(_ context.Context, in struct{ N int }) (int, error) {
			if in.N%2 != 0 {
				return 0, plugin.Errorf(7, "%d is odd", in.N)
			}
			return in.N / 2, nil
		}),
		plugin.Unary("quarter", "Halve it twice", func(ctx context.Context, in struct{ N int }) (int, error) {
			half, err := plugin.CallOne[int](ctx, "demo.half", in)
			if err != nil {
				return 0, err
			}
			return plugin.CallOne[int](ctx, "demo.half", struct{ N int }{half})
		}))
	show(context.Background(), h, "demo.quarter", `{"N":12}`)
	show(context.Background(), h, "demo.quarter", `{"N":6}`)
	// Output:
	// 3
	// error 7 3 is odd
}

func ExampleRequiresFor() {
	type note struct {
		List string `json:"list"`
		Text string `json:"text"`
	}
	h := hosting(plugin.Unary("write", "Write into a list", func(ctx context.Context, in note) (string, error) {
		return plugin.CallerOf(ctx).Name + " wrote into " + in.List, nil
	}, plugin.RequiresFor("notes:write", func(in note) string { return in.List })))
	ada := plugin.WithCaller(context.Background(), plugin.Caller{Name: "ada", Scopes: []string{"notes:write:shopping"}})
	show(ada, h, "demo.write", `{"list":"shopping","text":"milk"}`)
	show(ada, h, "demo.write", `{"list":"taxes","text":"none"}`)
	// Output:
	// "ada wrote into shopping"
	// error -32003 missing required scope 'notes:write:taxes'
}

func ExampleMiddleware() {
	// polite adds a word to every error for the caller.
	polite := func(_ plugin.Method, next plugin.Handler) plugin.Handler {
		return func(ctx context.Context, params any, yield func(any, error) bool) {
			next(ctx, params, func(content any, err error) bool {
				var failure *plugin.Error
				if errors.As(err, &failure) {
					err = plugin.Errorf(failure.Code, "Sorry: %w", err)
				}
				return yield(content, err)
			})
		}
	}
	h := hosting(plugin.Unary("lend", "Lend money", func(context.Context, plugin.None) (int, error) {
		return 0, plugin.Errorf(plugin.CodeFailure, "there is none")
	}, plugin.Wrap(polite)))
	show(context.Background(), h, "demo.lend", "")
	// Output: error -32000 Sorry: there is none
}

func ExampleTiming() {
	count := map[string]int{}
	timing := plugin.Timing(func(_ context.Context, o plugin.Outcome) { count[o.Path] += o.Items })
	h := hubOf(plugin.Definition{Namespace: "demo", Middleware: []plugin.Middleware{timing}, Methods: []plugin.Method{
		plugin.Unary("one", "Answer once", func(context.Context, plugin.None) (int, error) { return 1, nil }),
	}})
	show(context.Background(), h, "demo.one", "")
	fmt.Println(count)
	// Output:
	// 1
	// map[demo.one:1]
}

func ExampleTimeout() {
	h := hosting(plugin.Unary("dream", "Take for ever", func(ctx context.Context, _ plugin.None) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}, plugin.Timeout(time.Millisecond)))
	show(context.Background(), h, "demo.dream", "")
	// Output: error -32000 demo.dream took longer than 1ms
}

func ExampleDeprecated() {
	m := plugin.Unary("old", "Greet", greetOld, plugin.Deprecated("1.2", "2.0", "Call greet."),
		plugin.LongDescription("It greets as it always did."), plugin.HTTPMethod("GET"), plugin.Example(GreetParams{Name: "Ada"}))
	s := m.Schema()
	fmt.Println(s.Deprecation.Message, s.HTTPMethod, s.LongDescription)
	// Output: Call greet. GET It greets as it always did.
}

func greetOld(_ context.Context, in GreetParams) (Greeting, error) {
	return Greeting{"Hello, " + in.Name}, nil
}

func ExampleDynamic() {
	stock := map[string]float64{"apples": 1.2, "pears": 2}
	shop := plugin.Definition{Namespace: "shop", Version: "1.0.0", Description: "Sells fruit"}
	shop.Dynamic = &plugin.Dynamic{
		Kind: "fruit", Description: "Find a kind of fruit",
		Find: func(_ context.Context, name string) (plugin.Activation, error) {
			price, ok := stock[name]
			if !ok {
				return nil, nil
			}
			return plugin.Definition{Namespace: name, Version: "1.0.0", Description: "Fruit", Methods: []plugin.Method{
				plugin.Unary("price", "Tell the price", func(context.Context, plugin.None) (float64, error) { return price, nil }),
			}}, nil
		},
		List: func(context.Context) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for _, name := range slices.Sorted(maps.Keys(stock)) {
					if !yield(name, nil) {
						return
					}
				}
			}
		},
	}
	h := hubOf(shop)
	show(context.Background(), h, "shop.list_children", "")
	show(context.Background(), h, "shop.pears.price", "")
	show(context.Background(), h, "shop.plums.price", "")
	// Output:
	// "apples"
	// "pears"
	// 2
	// error -32601 Activation not found: shop.plums
}

func ExampleHandle() {
	notes := plugin.Definition{
		Namespace: "notes", Version: "1.4.0",
		Resolve: func(_ context.Context, h plugin.Handle) (any, error) { return "the note " + h.Meta[0], nil },
	}
	fmt.Println(notes.Handle("note", "42"))
	h, err := plugin.ParseHandle(notes.Handle("note", "42").String())
	fmt.Println(h.Version, h.Method, h.Meta, err)
	reader := plugin.Definition{Namespace: "reader", Methods: []plugin.Method{
		plugin.Unary("read", "Read what a handle stands for", func(ctx context.Context, in struct{ Handle plugin.Handle }) (string, error) {
			return plugin.Resolve[string](ctx, in.Handle)
		}),
	}}
	text, _ := json.Marshal(map[string]plugin.Handle{"Handle": h})
	show(context.Background(), hubOf(notes, reader), "reader.read", string(text))
	// Output:
	// 121a993c-f8eb-5735-badf-28b087961d5e@1.4.0::note:42
	// 1.4.0 note [42] <nil>
	// "the note 42"
}

// clock is an activation that runs a goroutine beside its calls.
type clock struct{ stopped chan struct{} }

func (c *clock) Define() plugin.Definition { return plugin.Definition{Namespace: "clock"} }

// Start starts the goroutine.
func (c *clock) Start(ctx context.Context) error {
	c.stopped = make(chan struct{})
	go func() {
		defer close(c.stopped)
		<-ctx.Done()
		fmt.Println("stopping")
	}()
	return nil
}

// Close waits for its end.
func (c *clock) Close() error { <-c.stopped; return nil }

func ExampleStarter() {
	h := hubOf(new(clock))
	fmt.Println("closed:", h.Close())
	// Output:
	// stopping
	// closed: <nil>
}
