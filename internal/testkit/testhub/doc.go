// SPDX-License-Identifier: AGPL-3.0-only

// Package testhub serves a hub, with a registry or without one, on a free port
// of the loopback for the time of a test.
//
//	h := testhub.Start(t, testhub.Config{Registry: true})
//	conn := testkit.Dial(t, h.URL)
//	conn.Call("hub", "registry.list", `{}`)
package testhub
