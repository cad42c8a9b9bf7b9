// SPDX-License-Identifier: AGPL-3.0-only

// Package plugin says what an activation is: something that a hub hosts under
// a namespace, with methods that describe themselves and answer with streams.
//
// A method is an ordinary function over ordinary types:
//
//	type GreetParams struct {
//		Name string `json:"name" description:"Whom to greet"`
//	}
//
//	type Greeting struct {
//		Text string `json:"text"`
//	}
//
//	func greet(ctx context.Context, in GreetParams) (Greeting, error) {
//		return Greeting{Text: "Hello, " + in.Name}, nil
//	}
//
//	greeter := plugin.Definition{
//		Namespace:   "greeter",
//		Version:     "1.0.0",
//		Description: "Greets people",
//		Methods:     []plugin.Method{plugin.Unary("greet", "Greet somebody", greet)},
//	}
//
// [Unary] and [Stream] are the two constructors; both build a [Method], and a
// unary method is a stream of one item. The JSON Schemas of parameters and
// results, and the hashes over them, come from the types, once, when the
// method is built: a type that has no schema panics there, at start, and not
// at a call.
//
// Parameters are decoded strictly (names are case-sensitive, a name may not
// stand twice, a number may not overflow its type) and then asked to Validate
// themselves, where they can. Everything that a caller may be told about a
// failure is an [Error] or a [ParamsError]; of any other error the caller
// learns only that the method failed, and the log learns the rest.
//
// # Types and schemas
//
// Structs become objects, by their json tags; a named struct inside another goes
// to $defs, so types may be recursive. A field is optional, and its schema allows
// null, if it is a pointer or tagged omitempty or omitzero. The tags description
// and default say the rest (a default is JSON, but for strings, which may go
// without their quotes); a field named _ carries the title and description of
// the struct itself. Integers have a format and bounds, time.Time is a date-time,
// []byte is base64 text, what marshals itself as text is a string, and any,
// json.RawMessage and the like may be anything. Closed sets of strings are
// [Enumerated], and no other value of theirs is taken; tagged unions are a [Union];
// and a type whose schema can't be seen from its Go form, because it writes or
// reads its own JSON, must be [Schematic].
package plugin
