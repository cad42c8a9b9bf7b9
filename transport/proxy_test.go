// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestForwardedFor(t *testing.T) {
	trusted := prefixes("127.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48", "::ffff:192.168.0.0/112")
	many := strings.Repeat("10.0.0.9, ", 2*maxHops)
	tests := []struct {
		name, peer string
		values     []string
		want       string
	}{
		{"no header", "10.0.0.1", nil, "10.0.0.1"},
		{"an empty header", "10.0.0.1", []string{""}, "10.0.0.1"},
		{"the header of another peer", "198.51.100.1", []string{"203.0.113.5"}, "198.51.100.1"},
		{"one proxy", "10.0.0.1", []string{"203.0.113.5"}, "203.0.113.5"},
		{"two proxies", "10.0.0.1", []string{"203.0.113.5, 10.0.0.2"}, "203.0.113.5"},
		{"what the client made up", "10.0.0.1", []string{"127.0.0.1, 1.2.3.4, 203.0.113.5"}, "203.0.113.5"},
		{"made up behind two proxies", "10.0.0.1", []string{"9.9.9.9,203.0.113.5,10.0.0.2"}, "203.0.113.5"},
		{"several headers", "10.0.0.1", []string{"9.9.9.9", "203.0.113.5", "10.0.0.2"}, "203.0.113.5"},
		{"only proxies", "10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"malformed at once", "10.0.0.1", []string{"203.0.113.5, none"}, "10.0.0.1"},
		{"malformed later", "10.0.0.1", []string{"203.0.113.5, none, 10.0.0.2"}, "10.0.0.2"},
		{"malformed beyond", "10.0.0.1", []string{"none, 203.0.113.5"}, "203.0.113.5"},
		{"an empty hop", "10.0.0.1", []string{"203.0.113.5,, 10.0.0.2"}, "10.0.0.2"},
		{"a comma at the end", "10.0.0.1", []string{"203.0.113.5,"}, "10.0.0.1"},
		{"an empty header after one", "10.0.0.1", []string{"203.0.113.5", ""}, "10.0.0.1"},
		{"a port", "10.0.0.1", []string{"203.0.113.5:4711"}, "203.0.113.5"},
		{"IPv6", "2001:db8:1::1", []string{"2001:db8:2::5"}, "2001:db8:2::5"},
		{"IPv6 with a port", "10.0.0.1", []string{"[2001:db8:2::5]:4711"}, "2001:db8:2::5"},
		{"IPv6 in brackets", "10.0.0.1", []string{"[2001:db8:2::5]"}, "10.0.0.1"},
		{"IPv4 in IPv6", "::ffff:10.0.0.1", []string{"::ffff:203.0.113.5, ::ffff:10.0.0.2"}, "203.0.113.5"},
		{"a range of IPv4 in IPv6", "192.168.0.9", []string{"203.0.113.5"}, "203.0.113.5"},
		{"tabs", "10.0.0.1", []string{"\t203.0.113.5\t,\t10.0.0.2 "}, "203.0.113.5"},
		{"a zone", "10.0.0.1", []string{"fe80::1%eth0"}, "10.0.0.1"},
		{"unspecified", "10.0.0.1", []string{"0.0.0.0"}, "10.0.0.1"},
		{"multicast", "10.0.0.1", []string{"ff02::1"}, "10.0.0.1"},
		{"unknown", "10.0.0.1", []string{"unknown"}, "10.0.0.1"},
		{"too many hops", "10.0.0.1", []string{"203.0.113.5, " + many + "10.0.0.2"}, "10.0.0.9"},
		{"as many hops as are read", "10.0.0.1", []string{"203.0.113.5" + strings.Repeat(",10.0.0.2", maxHops-1)}, "203.0.113.5"},
	}
	for _, tt := range tests {
		if got := forwardedFor(netip.MustParseAddr(tt.peer), tt.values, trusted); got.String() != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := forwardedFor(netip.Addr{}, []string{"203.0.113.5"}, trusted); got.IsValid() {
		t.Errorf("a peer without an address: got %s", got)
	}
}

func TestProxyHeader(t *testing.T) {
	for name, want := range map[string]bool{
		"Forwarded": true, "Via": true, "X-Forwarded-For": true, "X-Forwarded-Proto": true, "X_Forwarded_For": true,
		"X-Original-Forwarded-For": true, "X-Real-IP": true, "True-Client-IP": true, "Client-IP": true, "X-Azure-ClientIP": true,
		"X-Cluster-Client-IP": true, "CF-Connecting-IP": true, "CF-Connecting-IPv6": true, "CDN-Loop": true,
		"X-Envoy-External-Address": true, "X-AppEngine-User-IP": true, "X-ProxyUser-IP": true, "X-Remote-IP": true, "X-Originating-IP": true,
		"Origin": false, "Host": false, "Authorization": false, "Cookie": false, "User-Agent": false, "Sec-WebSocket-Key": false,
		"X-Request-ID": false, "Traceparent": false, "X-Plexus-API-Key": false, "X-Via-Rail": false, "X-Ship": false,
	} {
		header := http.Header{}
		header.Set(name, "1.2.3.4")
		if got := proxyHeader(header) != ""; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func FuzzForwardedFor(f *testing.F) {
	f.Add("203.0.113.5, 10.0.0.2", "")
	f.Add("203.0.113.5:1,none", "[2001:db8::1]:4, ::ffff:10.0.0.3")
	f.Add("fe80::1%x", ",,,")
	trusted := prefixes("10.0.0.0/8", "2001:db8::/32")
	peer := netip.MustParseAddr("10.0.0.1")
	f.Fuzz(func(t *testing.T, first, second string) {
		values := []string{first, second}
		client := forwardedFor(peer, values, trusted)
		if !client.IsValid() || client.Is4In6() || client.Zone() != "" {
			t.Fatalf("got %v", client)
		}
		// It is the peer, or stands in the header.
		if client != peer && !slices.ContainsFunc(strings.Split(first+","+second, ","), func(text string) bool {
			hop, ok := parseHop(text)
			return ok && hop == client
		}) {
			t.Fatalf("%v is not in the header", client)
		}
		// What a client writes itself never counts: a proxy appends to it.
		honest := netip.MustParseAddr("203.0.113.5")
		if got := forwardedFor(peer, append(values, honest.String()), trusted); got != honest {
			t.Fatalf("the header of a client made it %v", got)
		}
		if got := forwardedFor(honest, values, trusted); got != honest {
			t.Fatalf("a peer that is not a proxy counts as %v", got)
		}
	})
}
