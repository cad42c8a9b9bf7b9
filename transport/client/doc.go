// SPDX-License-Identifier: AGPL-3.0-only

// Package client calls Plexus hubs over WebSocket: ours, and others.
//
// To ask who is there, on a connection of its own:
//
//	info, err := client.Info(ctx, "ws://127.0.0.1:4445")
//
// To call methods, dial once. Any number of calls run side by side on the one
// connection, and the hub's name, which its methods begin with, is found out:
//
//	c, err := client.Dial(ctx, "ws://127.0.0.1:4445")
//	…
//	defer c.Close()
//
// A call is a range over what the method answers. It ends with the stream; to
// break it off, or to end ctx, ends the stream at the hub too:
//
//	for item, err := range c.Call(ctx, "registry.list", nil) {
//		if err != nil {
//			return err
//		}
//		if item.Type == client.Data {
//			fmt.Println(string(item.Content))
//		}
//	}
//
// A method that answers once is a function:
//
//	echo, err := client.CallOne[echo.Echo](ctx, c, "echo.once", echo.OnceParams{Message: "hi"})
//
// Methods may ask their caller questions while they run. WithAnswers gives the
// function that answers them; without it they are cancelled, so that nothing
// waits for nobody.
//
// Package registryclient finds hubs by their names.
//
// # Time
//
// Nothing outlasts its context, and without a deadline a hub that never
// answers is waited for for ever. The exception is the connection of a Client,
// which lives until Close: it is pinged, and made anew when it is lost, with
// waits that grow and that are random, so that the clients of a restarted hub
// don't come all at once. Calls that find no connection wait for one.
//
// # Errors
//
// What failed is told by errors.Is: [ErrRefused], [ErrTimeout], [ErrClosed],
// [ErrLost], [ErrProtocol], [ErrSlow], [ErrTooLarge]. What is known about it is
// told by errors.As:
//
//	*DialError    no connection, and at which step
//	*CallError    a call that did not come to its end, and whether it may be repeated
//	*RPCError     the hub refused the call: code, message, data
//	*StreamError  the method failed, or there is no such method: code, message
//
// # What may be repeated
//
// When the connection is lost, a call that was not sent yet goes through the
// next connection, unnoticed. One that was sent may have had its effect, or
// may not. It fails with ErrLost in a CallError, unless it was declared
// [Idempotent] and has yielded nothing yet: then it is sent again, up to three
// times. CallError.Repeatable says whether the caller may do the same.
//
// # Slow ranges
//
// Between the connection and each range stands a bounded queue. What happens
// when it is full is told at [WithQueue]: in short, one range may slow down the
// calls beside it, but not stop them.
//
// # Other hubs
//
// Subscriptions may be numbers or strings, codes too, fields null or missing,
// types of items unknown, names spelt in both ways that are in the field:
// clients read what they can. A message that is not a JSON object is an
// ErrProtocol, and costs the connection, since nobody can tell whose it was; one
// that is too long costs only the call that it belongs to.
package client
