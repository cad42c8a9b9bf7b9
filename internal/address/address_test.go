// SPDX-License-Identifier: AGPL-3.0-only

package address

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	type address struct {
		protocol, host string
		port           int
	}
	for text, want := range map[string]address{
		"ws://127.0.0.1:4444":             {"ws", "127.0.0.1", 4444},
		"ws://localhost":                  {"ws", "localhost", 80},
		"wss://plexus.example.com":        {"wss", "plexus.example.com", 443},
		"wss://plexus.example.com/":       {"wss", "plexus.example.com", 443},
		"WSS://Plexus.example.com:65535/": {"wss", "Plexus.example.com", 65535},
		"ws://[::1]":                      {"ws", "::1", 80},
		"ws://[2001:db8::1]:1/":           {"ws", "2001:db8::1", 1},
		"ws://[fe80::1%25eth0]:4444":      {"ws", "fe80::1%eth0", 4444},
	} {
		var got address
		var err error
		if got.protocol, got.host, got.port, err = Split(text); err != nil || got != want {
			t.Errorf("%s: got %+v and %v, want %+v", text, got, err, want)
		}
	}
}

func TestSplitRejectsWhatIsNoAddress(t *testing.T) {
	const (
		noURL  = "must be a ws:// or wss:// URL"
		noHost = "must have a host name, or an IPv4 or IPv6 address"
		noPort = "must have a port of 1–65535"
	)
	for text, want := range map[string]string{
		"":                  noURL,
		"ws":                noURL,
		"ws:":               noURL,
		"ws:h":              noURL,
		"ws:/h":             noURL,
		"ws//h":             noURL,
		"//h":               noURL,
		"h:4444":            noURL,
		"http://h":          noURL,
		"wsss://h":          noURL,
		" ws://h":           noURL,
		"ws://h ":           noURL,
		"ws://h\n":          noURL,
		"ws://::1":          noHost,
		"ws://[::1":         noURL,
		"ws://h:x":          noURL,
		"ws://h:-1":         noURL,
		"ws://%zz":          noURL,
		"ws://":             noHost,
		"ws:///":            noHost,
		"ws://:80":          noHost,
		"ws://-h":           noHost,
		"ws://1.2.3":        noHost,
		"ws://h:":           "must have a port behind the colon",
		"ws://h:/":          "must have a port behind the colon",
		"ws://h:0":          noPort,
		"ws://h:65536":      noPort,
		"ws://h:" + nines:   noPort,
		"ws://h/p":          "must not have a path",
		"ws://h//":          "must not have a path",
		"ws://h/%2f":        "must not have a path",
		"ws://h?":           "must not have a query",
		"ws://h/?q=1":       "must not have a query",
		"ws://h#":           "must not have a fragment",
		"ws://h/#f":         "must not have a fragment",
		"ws://u@h":          "must not have a user",
		"ws://u:p@h:4444/p": "must not have a user",
		"ws://@h":           "must not have a user",
	} {
		if _, _, _, err := Split(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

var nines = strings.Repeat("9", 30)

func FuzzSplit(f *testing.F) {
	f.Add("wss://[fe80::1%25eth0]:4444/")
	f.Add("ws://h:0?#")
	f.Add("WS://u:p@h%41")
	f.Fuzz(func(t *testing.T, text string) {
		protocol, host, port, err := Split(text)
		dialled, invalid := Host(host)
		if err == nil && (protocol != "ws" && protocol != "wss" || invalid != nil || dialled != host || port < 1 || port > 65535) {
			t.Errorf("%q: got %q, %q, %d", text, protocol, host, port)
		}
	})
}
