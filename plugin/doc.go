// SPDX-License-Identifier: AGPL-3.0-only

// Package plugin is for authors of activations: what a hub hosts under a
// namespace, with methods that describe themselves and answer with streams.
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
//		Methods: []plugin.Method{
//			plugin.Unary("greet", "Greet somebody", greet, plugin.Timeout(time.Second)),
//		},
//	}
//
//	h, err := hub.New("my-hub")
//	err = h.Register(greeter) // called as "greeter.greet"
//	err = transport.ListenAndServe(ctx, "127.0.0.1:4444", h)
//
// [Unary] and [Stream] make methods of functions; a unary method is a stream of
// one item. Their JSON Schemas and hashes come from the types, once: a type that
// has no schema panics there, at start. Parameters are decoded strictly (names
// are case-sensitive, none may be given twice, numbers may not overflow), and
// validate themselves if they have a method Validate. Package plugintest calls
// methods in tests, without a port.
//
// # Options
//
// [LongDescription], [Example], [Deprecated], [HTTPMethod] and [Returns] say more
// in the schema; [Timeout], [Requires], [RequiresFor] and [Wrap] put something
// around the method; [Quick] and [Bidirectional] say how it behaves.
//
// # In a method
//
// The context of a method ends when its caller unsubscribes or leaves, or the
// hub stops. These work with it:
//
//	plugin.Progress(ctx, "copying", 50)                       an item about how far it is
//	plugin.Ask(ctx, plugin.Confirm{Message: "Delete it?"})    a question to the caller
//	plugin.Call[T](ctx, "registry.list", params)              another method of the hub
//	plugin.Resolve[T](ctx, handle)                            what a Handle stands for
//	plugin.CallerOf(ctx)                                      who has made the call
//	plugin.Logger(ctx)                                        a log that says all that
//
// A method that asks needs the option [Bidirectional]; the questions are
// [Confirm], [Prompt], [Select], [SelectMany], and [Custom] for clients that know
// them.
//
// # Errors
//
// The caller reads an [Error]: its code, message and data; [Errorf] makes one. An
// error that is Recoverable does not end its stream. The cause of an Error, every
// other error, and a panic are for the log: the caller reads only that the method
// failed.
//
// # An activation with state
//
// An [Activation] is any value with a method Define, which is called once. If it
// is a [Starter], the hub starts it when it is registered; if it is an io.Closer,
// the hub closes it after the last of its calls. Methods are called by many
// goroutines at once. Its Children are activations below it, "solar.earth.info",
// and [Dynamic] finds more of them at run time. A [Handle] refers to something
// that it keeps. [Middleware] goes around its methods: [Logging], [Timing],
// [Access], [Deadline], or your own.
//
// # Types and schemas
//
// Structs become objects, by their json tags; a named struct inside another goes
// to $defs, so types may be recursive. A field is optional, and its schema allows
// null, if it is a pointer or tagged omitempty or omitzero. Further tags are
// description and default (JSON; a string may go without its quotes); a field
// named _ carries the title and description of the struct. Integers have a format
// and bounds, time.Time is a date-time, time.Duration a duration ("PT1M30S";
// "1m30s" is read, too), []byte is base64 text, what marshals itself as text is a
// string, and any and json.RawMessage may be anything. Closed sets of strings are
// [Enumerated], tagged unions are a [Union], and a type that writes or reads its
// own JSON must be [Schematic].
//
// Content is encoded while its item is sent, and no other item of the stream is
// sent meanwhile: a MarshalJSON or an [Appender] that calls [Progress], [Ask] or
// yield waits for ever.
package plugin
