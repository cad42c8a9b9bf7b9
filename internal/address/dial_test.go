// SPDX-License-Identifier: AGPL-3.0-only

package address

import (
	"strings"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

// What may be registered can be dialled, and nothing else can.
func TestRegisteredAndDialled(t *testing.T) {
	for host, want := range map[string]string{ // of ws, port 4444; "" for neither
		"localhost":                     "ws://localhost:4444",
		"Plexus.Example.com.":           "ws://Plexus.Example.com.:4444",
		"my_hub-1":                      "ws://my_hub-1:4444",
		"192.0.2.7":                     "ws://192.0.2.7:4444",
		"255.255.255.254":               "ws://255.255.255.254:4444",
		"2001:db8::7":                   "ws://[2001:db8::7]:4444",
		"::ffff:192.0.2.7":              "ws://[::ffff:192.0.2.7]:4444",
		"fe80::1%eth0":                  "ws://[fe80::1%25eth0]:4444",
		"fe80::1%eth0.100":              "ws://[fe80::1%25eth0.100]:4444",
		"fe80::1%br-lan_2":              "ws://[fe80::1%25br-lan_2]:4444",
		"fe80::1%25":                    "ws://[fe80::1%2525]:4444",
		"bücher.example":                "ws://xn--bcher-kva.example:4444",
		"bu\u0308cher.example":          "ws://xn--bcher-kva.example:4444",
		"BÜCHER.example":                "ws://xn--bcher-kva.example:4444",
		"xn--bcher-kva.example":         "ws://xn--bcher-kva.example:4444",
		"faß.example.":                  "ws://xn--fa-hia.example.:4444",
		"例え.テスト":                        "ws://xn--r8jz45g.xn--zckzah:4444",
		"हिन्दी.example":                "ws://xn--j2bd4cyah0f.example:4444",
		"ｅｘａｍｐｌｅ.com":                   "ws://example.com:4444",
		"":                              "",
		"0.0.0.0":                       "",
		"0.0.0.1":                       "",
		"::":                            "",
		"::%eth0":                       "",
		"0:0:0:0:0:0:0:0":               "",
		"::ffff:0.0.0.0":                "",
		"224.0.0.1":                     "",
		"239.255.255.255":               "",
		"::ffff:224.0.0.1":              "",
		"ff02::1":                       "",
		"ff02::1%eth0":                  "",
		"255.255.255.255":               "",
		"::ffff:255.255.255.255":        "",
		"127.1":                         "",
		"0x7f000001":                    "",
		"0x7f.0.0.1":                    "",
		"0x7f.1":                        "",
		"1.2.3.4.5":                     "",
		"127.0.0.1.":                    "",
		"१२३.example":                   "", // digits of other scripts
		"host٣":                         "",
		"１２７.0.0.1":                     "",
		"①②⑦.0.0.1":                     "",
		"127。0。0。1":                     "",
		"𝟏𝟐𝟕.0.0.1":                     "",
		"fe80::1%eth१":                  "",
		"fe80::1%é":                     "",
		"a\u200db.example":              "", // a joiner where it joins nothing
		"bücher_x.example":              "",
		"-bücher.example":               "",
		"bücher..example":               "",
		"℀.example":                     "", // it becomes a/c
		strings.Repeat("ü", 63):         "",
		strings.Repeat("ü.", 126) + "ü": "",
	} {
		b := storage.Backend{Name: "hub", Host: host, Port: 4444, Source: storage.SourceManual}
		b.Normalize()
		err := b.Validate()
		if got := URL(b.Protocol, b.Host, b.Port); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q is registered as %s, %v, want %s", host, got, err, want)
		}
		// Entries of other registries are as they are.
		u, err := Parse(URL("ws", host, 4444))
		if (err == nil) != (want != "") || err == nil && u.String() != want {
			t.Errorf("%q is dialled as %v, %v, want %s", host, u, err, want)
		}
	}
}
