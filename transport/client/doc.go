// SPDX-License-Identifier: AGPL-3.0-only

// Package client calls Plexus hubs over WebSocket. Dial once; any number of
// calls run side by side on the one connection:
//
//	c, err := client.Dial(ctx, "ws://127.0.0.1:4445")
//	…
//	defer c.Close()
//	entry, err := client.CallOne[Entry](ctx, c, "registry.get", map[string]string{"name": "alpha"})
//
// A method that streams is a range. The end of ctx, or a break, ends the stream
// at the hub as well:
//
//	for item, err := range c.Call(ctx, "echo.repeat", params) {
//		if err != nil {
//			return err
//		}
//		if item.Kind == plugin.KindData {
//			fmt.Printf("%s\n", item.Content)
//		}
//	}
//
// Methods may ask their caller questions: [WithAnswers]. [Info] asks a hub for
// its name, on a connection of its own. Package registryclient finds hubs by
// their names.
//
// # Time
//
// A call ends with its context; without a deadline, it waits for as long as the
// hub needs. The connection of a Client lasts until Close. It is pinged, and made
// again when it is lost, after waits that grow and are random. Calls that find no
// connection wait for one.
//
// A line may be cut without a word. So the hub is also pinged when a call has waited
// for a second in silence. If there is no answer within about two seconds, a second
// connection is made, which new calls use. A hub that was only busy still answers
// the earlier calls, on the first one.
//
// # Errors
//
// Use errors.Is for [ErrClosed], [ErrLost], [ErrProtocol], [ErrSlow],
// [ErrTooLarge] and context.DeadlineExceeded, and errors.As for the details:
//
//	*DialError  there is no connection: the step that failed
//	*CallError  the call did not complete: whether it may be repeated
//	*Error      the hub answered with an error: code, message, data
//
// # Repeated calls
//
// When the connection is lost, a call that was not sent yet is sent through the
// next one. One that was sent may have had its effect, or not: it fails with
// ErrLost, unless it is [Idempotent] and has yielded nothing yet. Then it is
// sent again, up to three times.
//
// # Slow ranges
//
// Between the connection and each range is a bounded queue, see [WithQueue]: a
// slow range may slow down the calls beside it, but not stop them.
//
// # Other hubs
//
// Subscriptions and codes may be numbers or strings, fields null or missing,
// kinds of items unknown. A message that is not a JSON object is an ErrProtocol
// and costs the connection; one that is too long costs only its own call.
//
// # Files
//
// client.go keeps a connection (connection.go), which dial.go and info.go make, and
// heartbeat.go proves.
// call.go makes a call. send.go sends its request; receive.go passes its items to
// a stream (stream.go) with a queue (queue.go), from which the range takes them.
package client
