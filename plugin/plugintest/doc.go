// SPDX-License-Identifier: AGPL-3.0-only

// Package plugintest tests activations: as a hub hosts them, but without a
// port, and without waiting for anything.
//
//	func TestGreeter(t *testing.T) {
//		h := plugintest.New(t, greeter.New())
//		got := plugintest.One[greeter.Greeting](h, "greeter.greet", greeter.Params{Name: "Ada"})
//		if got.Text != "Hello, Ada" {
//			t.Error(got)
//		}
//		if err := h.Fails("greeter.greet", greeter.Params{}); err.Code != plugin.CodeInvalidParams {
//			t.Error(err)
//		}
//		h.CheckSchema("greeter", "testdata/greeter.json")
//	}
//
// [One], [All] and [Stream] make calls; parameters and contents pass through
// JSON, as they do on the wire. [Hub.Answer] says what the caller answers when a
// method asks, and [Hub.As] who the caller is. [Hub.CheckSchema] compares a
// schema with a golden file, which PLEXUS_UPDATE=1 writes.
//
// Everything runs on the goroutine of the test, but for what the activation
// itself starts, so that testing/synctest can be used for what takes time.
package plugintest
