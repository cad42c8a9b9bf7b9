// SPDX-License-Identifier: AGPL-3.0-only

// Package address reads and writes the addresses of hubs, which are ws:// and
// wss:// URLs:
//
//	protocol, host, port, err := address.Split("wss://plexus.example.com")
//	fmt.Println(address.URL(protocol, host, port)) // wss://plexus.example.com:443
//
// A client dials what [Parse] reads, and a backend is what [Split] reads. What a
// request says of its host and its page is read by [ParseHost] and [ParseOrigin].
package address
