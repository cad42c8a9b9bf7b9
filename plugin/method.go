// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/plexus-go/plexus/internal/codec"
)

// Handler runs a method: it takes the parameters that the method's Bind made
// and yields the contents of the stream's items, as the function of an
// iter.Seq2 does. Where Bind has refused the call, params is its error, which is
// then yielded. An error ends the stream, unless it is an [Error] that is
// recoverable. When yield returns false, no more is wanted.
type Handler func(ctx context.Context, params any, yield func(content any, err error) bool)

// Method is one method of an activation, with the types of its parameters and
// results erased. [Unary] and [Stream] make it; the zero value is of no use.
type Method struct {
	schema *MethodSchema // shared by all copies; nil in the zero value
	bind   func(raw []byte, positional bool) (any, error)
	handle Handler
	params reflect.Type      // what bind makes a pointer to
	shown  []json.RawMessage // examples of parameters
	quick  bool
}

// IsQuick reports whether the method is marked by [Quick].
func (m Method) IsQuick() bool { return m.quick && !m.schema.Streaming }

// Name returns the name of the method, without its namespace.
func (m Method) Name() string { return m.schema.Name }

// Schema returns what the method says of itself. It is shared: don't change
// what it points to.
func (m Method) Schema() MethodSchema {
	if m.schema == nil {
		return MethodSchema{}
	}
	return *m.schema
}

// Bind decodes and checks the parameters of a call; raw is JSON, or nil where
// none were given. An object gives them by name. If positional is set, an array
// gives them in the order of the parameter struct. Any other value is the first
// parameter, if all others are optional. Unknown parameters are ignored; null
// means absent.
//
// Its errors are [*Error], with CodeInvalidParams.
func (m Method) Bind(raw []byte, positional bool) (any, error) { return m.bind(raw, positional) }

// Handle runs the method, inside its middlewares, on what Bind has returned:
// parameters, or an error, which only the middlewares see. It ends when the range
// over it does.
func (m Method) Handle(ctx context.Context, params any) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) { m.handle(ctx, params, yield) }
}

// None is the parameter type of a method without parameters. What a caller
// sends is ignored.
type None struct{}

// Unary makes a method that answers once: see [Stream].
func Unary[In, Out any](name, description string, fn func(ctx context.Context, in In) (Out, error), options ...Option) Method {
	return newMethod[In, Out](name, description, false, fn == nil, func(ctx context.Context, params any, yield func(any, error) bool) {
		in, ok := params.(*In)
		if !ok {
			yield(nil, params.(error))
			return
		}
		out, err := fn(ctx, *in)
		if err != nil {
			yield(nil, err)
			return
		}
		yield(out, nil)
	}, options)
}

// Stream makes a method that answers with any number of items. The sequence
// that fn returns should end when its context does; when the caller leaves or
// unsubscribes, yield returns false as well. Like any [iter.Seq2], it calls yield
// only from the goroutine that runs it, and never after yield has returned false.
//
// The schemas of In and Out are made here; a type that has none panics.
// Parameters are decoded strictly (names are case-sensitive, none may be given
// twice, numbers may not overflow), and validate themselves if they have a method
// Validate.
//
// Structs become objects, by their json tags; a named struct inside another goes
// to $defs, so types may be recursive. A field is optional, and its schema allows
// null, if it is a pointer or tagged omitempty or omitzero; other options of the
// json tag are refused, as are malformed tags, and structs without exported
// fields. Further tags are description and default (JSON; a string may go without
// its quotes), which parameters and answers to questions get at every depth, while
// contents only show it in the schema; a field named _ carries the title and
// description of the struct. Integers have a format and bounds, time.Time is a
// date-time, time.Duration a duration ("PT1M30S"; "1m30s" is read, too),
// json.Number a number, []byte is base64, a type with a MarshalText is a string,
// and any and json.RawMessage may be anything. Closed sets of strings are
// [Enumerated], tagged unions are a [Union], and a type that writes or reads its
// own JSON must be [Schematic]. A struct with a method SchemaDetails, which returns
// a map[string]string and is called on the zero value, adds to the schemas of its
// members, by their names: {"port": `{"exclusiveMinimum": 0}`}. They are shown, and
// checked by nobody but the method Validate.
//
// No other item of the stream is sent while the content of one is encoded: a
// MarshalJSON or an [Appender] that calls [Progress], [Ask] or yield waits for
// ever.
func Stream[In, Out any](name, description string, fn func(ctx context.Context, in In) iter.Seq2[Out, error], options ...Option) Method {
	return newMethod[In, Out](name, description, true, fn == nil, func(ctx context.Context, params any, yield func(any, error) bool) {
		in, ok := params.(*In)
		if !ok {
			yield(nil, params.(error))
			return
		}
		// Not a range, which would panic when another goroutine yields after the end.
		fn(ctx, *in)(func(out Out, err error) bool {
			if err != nil {
				return yield(nil, err)
			}
			return yield(out, nil)
		})
	}, options)
}

func newMethod[In, Out any](name, description string, streaming, isNil bool, handle Handler, options []Option) Method {
	if isNil {
		panic(fmt.Sprintf("plugin: method %q: no function", name))
	}
	params, err := codec.ParametersOf(reflect.TypeFor[In]())
	if err != nil {
		panic(fmt.Sprintf("plugin: method %q: parameters: %v", name, err))
	}
	m := Method{
		schema: &MethodSchema{
			Name:        name,
			Description: description,
			Returns:     resultSchema[Out](fmt.Sprintf("method %q: result", name)),
			Streaming:   streaming,
			HTTPMethod:  "POST",
			Role:        Role{Kind: "rpc"},
		},
		handle: handle,
		params: reflect.TypeFor[In](),
	}
	m.bind = func(raw []byte, positional bool) (any, error) {
		in := new(In)
		if bad := params.Decode(raw, positional, in); bad != nil {
			return nil, invalidParams(bad)
		}
		return in, nil
	}
	for _, option := range options {
		option(&m)
	}
	if m.quick && m.schema.Bidirectional {
		panic(fmt.Sprintf("plugin: method %q: a method that asks can't be quick", name))
	}
	// Which scopes are needed is content, in which order they were named is not.
	slices.Sort(m.schema.Scopes)
	m.schema.Scopes = slices.Compact(m.schema.Scopes)
	if m.schema.Params, err = params.Schema(m.shown); err != nil {
		panic(fmt.Sprintf("plugin: method %q: parameters: %v", name, err))
	}
	m.schema.Hash = m.schema.contentHash()
	return m
}

// resultSchema panics where a T has no schema; what says for what it is.
func resultSchema[T any](what string) json.RawMessage {
	schema, err := codec.ResultSchema(reflect.TypeFor[T]())
	if err != nil {
		panic(fmt.Sprintf("plugin: %s: %v", what, err))
	}
	return schema
}
