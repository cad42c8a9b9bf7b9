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
// A hub hosts it, and calls it by "greeter.greet":
//
//	h, err := hub.New("my-hub")
//	err = h.Register(greeter)
//	err = transport.ListenAndServe(ctx, "127.0.0.1:4444", h)
//
// The package plugintest does so in tests, without a port.
//
// Parameters are decoded strictly (names are case-sensitive, a name may not
// stand twice, a number may not overflow its type) and then asked to Validate
// themselves, where they can.
//
// # Options
//
// Options come last, after the function:
//
//	plugin.Unary("greet", "Greet somebody", greet,
//		plugin.Timeout(time.Second),
//		plugin.Requires("greeter:use"))
//
// [LongDescription], [Example], [Deprecated], [HTTPMethod] and [Returns] say more
// in the schema; [Timeout], [Requires], [RequiresFor] and [Wrap] put something
// around the method; [Quick] and [Bidirectional] say how it behaves.
//
// # In a method
//
// The context of a method ends when its caller unsubscribes, leaves, or the hub
// stops. In it are found:
//
//	plugin.Progress(ctx, "copying", 50)                       an item about how far it is
//	plugin.Ask(ctx, plugin.Confirm{Message: "Delete it?"})    a question to the caller
//	plugin.Call[T](ctx, "registry.list", params)              another method of the hub
//	plugin.Resolve[T](ctx, handle)                            what a Handle stands for
//	plugin.CallerOf(ctx)                                      who asked for the call
//	plugin.Logger(ctx)                                        a log that says all that
//
// A method that asks must say so, by the option [Bidirectional]; the questions
// are [Confirm], [Prompt], [Select], [SelectMany], and [Custom] for clients that
// know them.
//
// # Errors
//
// What a caller may know of a failure is an [Error], with a code, a message and
// data; [Errorf] makes one. One that is Recoverable does not end its stream. Its
// cause, and every other error, is for the log: the caller learns only that
// the method failed. So it is with a panic, which ends that one stream.
//
// # An activation with state
//
// An [Activation] is any value with a method Define, which is called once. If it
// is a [Starter], the hub starts it when it is registered; if it is an io.Closer,
// the hub closes it after the last of its calls. Methods are called by many
// goroutines at once.
//
// Its Children are activations below it, "solar.earth.info", and [Dynamic] finds
// more of them at run time. A [Handle] refers to something that it keeps, and its
// Resolve tells what that is. [Middleware] goes around its methods: [Logging],
// [Timing], [Access], [Deadline], or your own.
//
// # Types and schemas
//
// Structs become objects, by their json tags; a named struct inside another goes
// to $defs, so types may be recursive. A field is optional, and its schema allows
// null, if it is a pointer or tagged omitempty or omitzero. The tags description
// and default say the rest (a default is JSON, but for strings, which may go
// without their quotes); a field named _ carries the title and description of
// the struct itself. Integers have a format and bounds, time.Time is a date-time,
// time.Duration a duration ("PT1M30S"; "1m30s" is read, too), []byte is base64
// text, what marshals itself as text is a string, and any, json.RawMessage and
// the like may be anything. Closed sets of strings are
// [Enumerated], and no other value of theirs is taken; tagged unions are a [Union];
// and a type whose schema can't be seen from its Go form, because it writes or
// reads its own JSON, must be [Schematic].
//
// Content is written while it is sent, and nothing else of its stream is sent
// meanwhile: what writes its own JSON (MarshalJSON, [Appender]) must not call
// [Progress], [Ask] or yield, which would wait for ever.
package plugin
