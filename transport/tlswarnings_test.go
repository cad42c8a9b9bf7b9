// SPDX-License-Identifier: AGPL-3.0-only

package transport_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport"
)

func TestTLSWarnings(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	// valid makes certificates from and until so many days from now.
	valid := func(a *testkit.Authority, from, until float64) *testkit.Authority {
		a.From, a.Until = now.Add(time.Duration(from*float64(day))), now.Add(time.Duration(until*float64(day)))
		return a
	}
	old := testkit.NewAuthority(t, "old authority") // for an hour
	server := testkit.NewAuthority(t, "server")
	good, goodKey := valid(server, -1, 90).Pair("good")
	pair := func(from, until float64) func(folder) {
		cert, key := valid(server, from, until).Pair("one")
		return func(f folder) { f.writePair(cert, key) }
	}
	for name, test := range map[string]struct {
		change func(folder)
		want   []string // parts of the warnings, in their order
	}{
		"nothing":              {func(folder) {}, nil},
		"expired":              {pair(-90, -1), []string{`cert.pem: the certificate "one" expired at ` + now.Add(-day).UTC().Format(time.DateOnly)}},
		"expired a second ago": {pair(-90, -1.0/86400), []string{`cert.pem: the certificate "one" expired at `}},
		"nearly expired":       {pair(-76, 13.9), []string{`cert.pem: the certificate "one" expires at ` + now.Add(day*139/10).UTC().Format(time.DateOnly)}},
		"a day":                {pair(0, 1), []string{`cert.pem: the certificate "one" expires at `}},
		"long enough":          {pair(-76, 14.1), nil},
		"not yet valid":        {pair(1, 90), []string{`cert.pem: the certificate "one" is not valid before ` + now.Add(day).UTC().Format(time.DateOnly)}},
		"an old chain":         {func(f folder) { f.write("cert.pem", slices.Concat(good, old.PEM())) }, []string{`cert.pem: the certificate of the authority "old authority" expires at `}},
		"old authorities":      {func(f folder) { f.write("clients.pem", slices.Concat(old.PEM(), old.PEM())) }, []string{`clients.pem: the certificate of the authority "old authority" expires at `}},
		"a missing key":        {func(f folder) { os.Remove(f.file("key.pem")) }, []string{"the former TLS files stay in use: DIR/key.pem: cannot be read: no such file"}},
		"a folder":             {func(f folder) { os.Remove(f.file("key.pem")); os.Mkdir(f.file("key.pem"), 0o700) }, []string{"key.pem: cannot be read: not a regular file"}},
		"an empty file":        {func(f folder) { f.write("clients.pem", nil) }, []string{"the former TLS files stay in use: DIR/clients.pem: no certificate"}},
		"another key":          {func(f folder) { _, key := server.Pair("two"); f.write("key.pem", key) }, []string{"the former TLS files stay in use: DIR/cert.pem and DIR/key.pem: "}},
		"two things":           {func(f folder) { pair(-90, -1)(f); os.Remove(f.file("clients.pem")) }, []string{"clients.pem: cannot be read", `"one" expired at`}},
	} {
		f := folder{t, t.TempDir()}
		f.writePair(good, goodKey)
		settings := f.settings()
		settings.ClientCAFile = f.file("clients.pem")
		// A long-lived authority of clients.
		f.write("clients.pem", good)
		test.change(f)
		got := settings.Warnings()
		ok := len(got) == len(test.want)
		for i := 0; ok && i < len(got); i++ {
			ok = strings.Contains(got[i], strings.ReplaceAll(test.want[i], "DIR", f.path)) && !strings.Contains(got[i], "\n")
		}
		if !ok {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}

	// Those of ACME are in its cache.
	f := folder{t, t.TempDir()}
	settings := transport.TLS{ACME: transport.ACME{Names: []string{"a.example", "b.example"}, Cache: f.path}}
	if got := settings.Warnings(); got != nil {
		t.Errorf("no certificate yet: %q", got)
	}
	for name, days := range map[string]float64{"a.example": 10, "b.example": 80} {
		cert, key := valid(server, -80, days).Pair(name)
		f.write(name, slices.Concat(key, cert))
	}
	if got := settings.Warnings(); len(got) != 1 || !strings.Contains(got[0], `/a.example: the certificate "a.example" expires at `) {
		t.Errorf("got %q", got)
	}
	cert, key := valid(server, -3, 3).Pair("a.example")
	f.write("a.example", slices.Concat(key, cert))
	if got := settings.Warnings(); got != nil {
		t.Errorf("half of six days: got %q", got)
	}
}
