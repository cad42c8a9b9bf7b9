// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// GreetParams are the parameters of the greet of the examples.
type GreetParams struct {
	Name  string  `json:"name" description:"Whom to greet"`
	Title *string `json:"title" description:"How to address them"`
}

// Greeting is its answer.
type Greeting struct {
	Text string `json:"text"`
}

// A hub calls a method in these two steps.
func call(m plugin.Method, params string) {
	in, err := m.Bind([]byte(params), false)
	if err != nil {
		fmt.Println(err)
		return
	}
	for content, err := range m.Handle(context.Background(), in) {
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		text, err := codec.AppendJSON(nil, content)
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		fmt.Println(string(text))
	}
}

func ExampleUnary() {
	greet := plugin.Unary("greet", "Greet somebody", func(_ context.Context, in GreetParams) (Greeting, error) {
		if in.Title != nil {
			return Greeting{"Good day, " + *in.Title + " " + in.Name}, nil
		}
		return Greeting{"Hello, " + in.Name}, nil
	})
	call(greet, `{"name":"Ada","title":"Countess"}`)
	call(greet, `"Ada"`)
	call(greet, `{"title":"Countess"}`)
	// Output:
	// {"text":"Good day, Countess Ada"}
	// {"text":"Hello, Ada"}
	// Invalid params: missing field: name
}

func ExampleStream() {
	type params struct {
		Text string `json:"text"`
	}
	words := plugin.Stream("words", "Take a text apart", func(ctx context.Context, in params) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for word := range strings.FieldsSeq(in.Text) {
				if !yield(word, nil) {
					return // the caller has gone
				}
			}
		}
	})
	call(words, `{"text":"one  two three"}`)
	// Output:
	// "one"
	// "two"
	// "three"
}

// Shape is a tagged union.
type Shape struct {
	plugin.Union `discriminator:"kind" description:"What can be drawn"`
	Circle       *Circle `tag:"circle" description:"Round"`
	Square       *Square `tag:"square" description:"Not round"`
}

// Circle is one of its variants.
type Circle struct {
	Radius float64 `json:"radius"`
}

// Square is another.
type Square struct {
	Side float64 `json:"side"`
}

func ExampleUnion() {
	draw := plugin.Unary("draw", "Draw the shape inside", func(_ context.Context, in struct {
		Shape Shape `json:"shape"`
	}) (Shape, error) {
		if in.Shape.Square != nil {
			return Shape{Circle: &Circle{Radius: in.Shape.Square.Side / 2}}, nil
		}
		return in.Shape, nil
	})
	call(draw, `{"shape":{"kind":"square","side":4}}`)
	call(draw, `{"shape":{"kind":"line"}}`)
	// Output:
	// {"kind":"circle","radius":2}
	// Invalid params: shape.kind: unknown variant `line`, expected `circle` or `square`
}

func ExampleDefinition() {
	greeter := plugin.Definition{
		Namespace:   "greeter",
		Version:     "1.0.0",
		Description: "Greets people",
		Methods: []plugin.Method{
			plugin.Unary("greet", "Greet somebody", func(_ context.Context, in GreetParams) (Greeting, error) {
				return Greeting{"Hello, " + in.Name}, nil
			}),
		},
	}
	for _, m := range greeter.Methods {
		s := m.Schema()
		fmt.Println(s.Name, s.Hash)
	}
	fmt.Println(plugin.ValidateName("my.greeter"))
	// Output:
	// greet 9ca5bb05bb5b3e2a
	// "my.greeter" is malformed: a letter, then letters, digits, '-' and '_', at most 64 bytes
}
