// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, test := range []struct {
		text string
		want Address
		url  string
	}{
		{"ws://127.0.0.1:4444", Address{"ws", "127.0.0.1", 4444}, "ws://127.0.0.1:4444"},
		{"ws://localhost", Address{"ws", "localhost", 80}, "ws://localhost:80"},
		{"wss://plexus.example.com", Address{"wss", "plexus.example.com", 443}, "wss://plexus.example.com:443"},
		{"wss://plexus.example.com/", Address{"wss", "plexus.example.com", 443}, "wss://plexus.example.com:443"},
		{"WSS://Plexus.example.com:65535/", Address{"wss", "Plexus.example.com", 65535}, "wss://Plexus.example.com:65535"},
		{"ws://[::1]", Address{"ws", "::1", 80}, "ws://[::1]:80"},
		{"ws://[2001:db8::1]:1/", Address{"ws", "2001:db8::1", 1}, "ws://[2001:db8::1]:1"},
		{"ws://[fe80::1%25eth0]:4444", Address{"ws", "fe80::1%eth0", 4444}, "ws://[fe80::1%25eth0]:4444"},
	} {
		got, err := ParseAddress(test.text)
		if err != nil || got != test.want {
			t.Errorf("%s: got %+v and %v, want %+v", test.text, got, err, test.want)
		}
		if got.String() != test.url {
			t.Errorf("%s: the URL is %s, want %s", test.text, got, test.url)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	const noURL = "is not a ws:// or wss:// URL"
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
		"ws://::1":          "has a host that is not a host name, IPv4 or IPv6 address (no scheme, path or port)",
		"ws://[::1":         noURL,
		"ws://h:x":          noURL,
		"ws://h:-1":         noURL,
		"ws://%zz":          noURL,
		"ws://":             "has a host that is empty",
		"ws:///":            "has a host that is empty",
		"ws://:80":          "has a host that is empty",
		"ws://-h":           "has a host that is not a host name, IPv4 or IPv6 address (no scheme, path or port)",
		"ws://1.2.3":        "has a host that is not an IPv4 address",
		"ws://h:":           "has a colon without a port behind it",
		"ws://h:/":          "has a colon without a port behind it",
		"ws://h:0":          "has a port that is not 1–65535",
		"ws://h:65536":      "has a port that is not 1–65535",
		"ws://h:" + nines:   "has a port that is not 1–65535",
		"ws://h/p":          "has a path, which no hub has",
		"ws://h//":          "has a path, which no hub has",
		"ws://h/%2f":        "has a path, which no hub has",
		"ws://h?":           "has a query, which no hub asks for",
		"ws://h/?q=1":       "has a query, which no hub asks for",
		"ws://h#":           "has a fragment, which no hub has",
		"ws://h/#f":         "has a fragment, which no hub has",
		"ws://u@h":          "has a user, which no hub asks for",
		"ws://u:p@h:4444/p": "has a user, which no hub asks for",
		"ws://@h":           "has a user, which no hub asks for",
	} {
		if got, err := ParseAddress(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %+v and %v, want %s", text, got, err, want)
		}
	}
}

var nines = strings.Repeat("9", 30)

func FuzzParseAddress(f *testing.F) {
	f.Add("wss://[fe80::1%25eth0]:4444/")
	f.Add("ws://h:0?#")
	f.Add("WS://u:p@h%41")
	f.Fuzz(func(t *testing.T, text string) {
		address, err := ParseAddress(text)
		if err != nil {
			return
		}
		// It can be written down and read again.
		again, err := ParseAddress(address.String())
		if err != nil || again != address {
			t.Errorf("%q: %+v is written %s, and read as %+v and %v", text, address, address, again, err)
		}
	})
}
