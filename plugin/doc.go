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
// [Unary] and [Stream] make methods of functions; an [Option] says more about one,
// or puts something around it. [Stream] says how types become JSON Schemas.
// Package plugintest calls methods in tests, without a port.
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
// A method that asks needs the option [Bidirectional].
//
// # Errors
//
// The caller reads the code, message and data of an [Error], which [Errorf]
// makes. Its cause, every other error and a panic are logged only: the caller reads
// that the method failed.
//
// # An activation with state
//
// An [Activation] is any value with a method Define, which is called once. A hub
// starts a [Starter] when it is registered, and closes an io.Closer after the last
// of its calls. Methods are called by many goroutines at once. Children are
// activations below another, "solar.earth.info"; [Dynamic] finds them at run time.
// A [Handle] refers to something that an activation keeps. [Middleware] goes around
// its methods.
package plugin
