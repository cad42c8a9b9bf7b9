// SPDX-License-Identifier: AGPL-3.0-only

// Package transcript replays conversations with a hub that are written down as
// text. The files are the specification of the wire, and its test.
//
//	# what is shown here
//	given {"name": "alpha", "host": "h", "port": 1}
//	--> {"jsonrpc": "2.0", "id": 1, "method": "registry_get", "params": ["alpha"]}
//	<-- {"jsonrpc": "2.0", "id": 1, "result": "$sub"}
//
// A line "-->" is a frame that is sent, as it stands; "--> text" is followed by
// a JSON string whose content is sent instead. The lines "<--" are the frames
// that must come back, in their order and no others; an indented line goes on
// with the one before it. In them a string that begins with '$' stands for
// something that differs from run to run:
//
//	$sub            a subscription id, the same until the next "-->"
//	$time           Unix seconds
//	$hash           16 hexadecimal digits
//	$id             a UUID
//	$any            anything
//	$superset FILE  at least what the JSON file beside the transcript holds
//
// "given" registers a backend before the conversation goes on. "file", up to a
// line "end", is what backends.toml holds from then on; "no file" removes it.
package transcript
