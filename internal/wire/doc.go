// SPDX-License-Identifier: AGPL-3.0-only

// Package wire is the Plexus protocol as text, for transports and clients. A
// hub reads and answers the same over each of them.
//
// For transports:
//
//	request.go       a message of a client becomes requests ([Parse])
//	names.go         what a top-level method stands for ([Resolve])
//	answer.go        answers and items, appended to a buffer
//	errors.go        the errors of JSON-RPC that a request is answered with
//	subscription.go  ids of subscriptions
//
// For clients:
//
//	ask.go           requests, appended to a buffer
//	frame.go         an answer or an item is read ([ParseFrame])
//
// Both read with one parser (parser.go). What clients send is read strictly:
// names are case-sensitive, no name may stand twice in one object, and text must
// be UTF-8; a request that breaks this is refused under its id. What hubs send is
// read leniently.
package wire
