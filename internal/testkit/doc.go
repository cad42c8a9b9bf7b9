// SPDX-License-Identifier: AGPL-3.0-only

// Package testkit is what tests of the wire share. It imports no other package
// of the project, so that every package may use it in its tests.
//
//	conn := testkit.Dial(t, url)
//	conn.Send(`{"jsonrpc":"2.0","id":1,"method":"registry_list"}`)
//	subscription := conn.Subscribed("1")
//	list := conn.Item(subscription, "data")
//	conn.Item(subscription, "done")
//
// What there is, by file:
//
//	conn.go        a WebSocket connection whose sends and expectations are frames
//	frame.go       a frame and an item, as any client reads them
//	transcript.go  the specification of the wire: testdata/transcripts
//	match.go       how a frame is compared with the pattern of a transcript
//	recording.go   what the reference registry answered, from the same files
//	wait.go        Patience, Eventually, Listen, and checks for goroutines left behind
//	               and for the race detector
//	log.go         a log that a test reads
//	authority.go   certificates
//
// A hub with a registry on a free port is in the package testhub, below this one.
//
// # Transcripts
//
// A transcript is a conversation with a hub, written down as text.
//
//	# what is shown here
//	given {"name": "alpha", "host": "h", "port": 1}
//	--> {"jsonrpc": "2.0", "id": 1, "method": "registry_get", "params": ["alpha"]}
//	<-- {"jsonrpc": "2.0", "id": 1, "result": "$sub"}
//
// A line "-->" is a frame that is sent, as it stands; "--> text" is followed by
// a JSON string whose content is sent instead. The lines "<--" are the frames
// that must come back, in their order and no others; an indented line continues
// the one before it. In them a string that begins with '$' stands for
// something that differs from run to run:
//
//	$sub            a subscription id, the same until the next "-->"
//	$time           Unix seconds
//	$hash           16 hexadecimal digits
//	$id             a UUID
//	$any            anything
//	$superset FILE  at least what the JSON file beside the transcript holds
//
// The lines "was" are the frames with which the reference registry answered, all
// of them, where they differ from "<--"; the line "new" says that it was never
// asked this.
//
// "given" registers a backend before the conversation continues. "file", up to a
// line "end", is what backends.toml holds from then on; "no file" removes it.
package testkit
