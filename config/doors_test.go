// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseDoors(t *testing.T) {
	network := netip.MustParsePrefix
	for _, test := range []struct {
		args []string
		env  []string
		want func(d *Doors, l *Limits) // makes the defaults what is wanted
	}{
		{[]string{"--insecure"}, nil, func(d *Doors, _ *Limits) { d.Insecure = true }},
		{nil, []string{"REGISTRY_INSECURE", "true"}, func(d *Doors, _ *Limits) { d.Insecure = true }},
		{[]string{"--allowed-host=a.example,[2001:db8::1]", "--allowed-host", "a.example"}, []string{"REGISTRY_ALLOWED_HOSTS", "c.example"},
			func(d *Doors, _ *Limits) { d.AllowedHosts = []string{"a.example", "[2001:db8::1]"} }},
		{nil, []string{"REGISTRY_ALLOWED_ORIGINS", "https://a.example, HTTPS://[2001:db8::1]:8443"},
			func(d *Doors, _ *Limits) {
				d.AllowedOrigins = []string{"https://a.example", "HTTPS://[2001:db8::1]:8443"}
			}},
		{[]string{"--trusted-proxy=10.0.0.0/8,127.0.0.1", "--trusted-proxy=fd00::/8"}, nil, func(d *Doors, _ *Limits) {
			d.TrustedProxies = []netip.Prefix{network("10.0.0.0/8"), network("127.0.0.1/32"), network("fd00::/8")}
		}},
		{[]string{"--tls-cert=c.pem", "--tls-key=k.pem"}, nil, func(d *Doors, _ *Limits) { d.TLSCert, d.TLSKey = "c.pem", "k.pem" }},
		{[]string{"--tls-cert=c.pem", "--tls-key=k.pem", "--tls-client-ca=ca.pem", "--tokens=t.toml"}, nil, func(d *Doors, _ *Limits) {
			d.TLSCert, d.TLSKey, d.TLSClientCA, d.Tokens, d.Anonymous = "c.pem", "k.pem", "ca.pem", "t.toml", "read"
		}},
		{[]string{"--acme-name=a.example", "--acme-cache=/acme", "--acme-email=me@a.example", "--acme-directory=https://ca.example/acme"}, nil,
			func(d *Doors, _ *Limits) {
				d.ACMENames, d.ACMECache, d.ACMEEmail, d.ACMEDirectory = []string{"a.example"}, "/acme", "me@a.example", "https://ca.example/acme"
			}},
		{[]string{"--tokens=t.toml"}, nil, func(d *Doors, _ *Limits) { d.Tokens, d.Anonymous = "t.toml", "read" }},
		{[]string{"--tokens=t.toml", "--anonymous=none"}, nil, func(d *Doors, _ *Limits) { d.Tokens, d.Anonymous = "t.toml", "none" }},
		{[]string{"--anonymous=read"}, nil, func(d *Doors, _ *Limits) { d.Anonymous = "read" }},
		{[]string{"--jwt-keys=https://id.example/jwks", "--jwt-audience=plexus", "--jwt-issuer=https://id.example"}, nil, func(d *Doors, _ *Limits) {
			d.JWTKeys, d.JWTAudience, d.JWTIssuer, d.Anonymous = "https://id.example/jwks", "plexus", "https://id.example", "read"
		}},
		{[]string{"--max-connections=5", "--max-message=1MiB", "--max-queue", "512", "--idle-timeout=1h", "--header-timeout=1s"}, nil,
			func(_ *Doors, l *Limits) {
				l.MaxConnections, l.MaxMessage, l.MaxQueue, l.IdleTimeout, l.HeaderTimeout = 5, 1<<20, 512, time.Hour, time.Second
			}},
	} {
		want := mustParse(t, atHome(t))
		test.want(&want.Doors, &want.Limits)
		if got := mustParse(t, atHome(t, test.env...), test.args...); !reflect.DeepEqual(got, want) {
			t.Errorf("%q %q: got\n%+v\n%+v", test.args, test.env, got.Doors, got.Limits)
		}
	}
}

func TestParseRefusesDoors(t *testing.T) {
	for _, test := range []struct {
		args, want string
	}{
		{"--tls-cert=c.pem", "--tls-cert: needs --tls-key"},
		{"--tls-key=k.pem", "--tls-cert: needs --tls-key"},
		{"--tls-cert=c --tls-key=k --acme-name=a.example", "can't be given beside --tls-cert"},
		{"--acme-directory=https://ca.example", "needs --acme-name"},
		{"--acme-cache=/acme", "needs --acme-name"},
		{"--acme-email=me@a.example", "needs --acme-name"},
		{"--acme-name=a.example --acme-email=me", "is not an address"},
		{"--acme-name=127.0.0.1", "is not a public host name"},
		{"--acme-name=localhost", "is not a public host name"},
		{"--acme-name=a_b.example", "is not a public host name"},
		{"--acme-name=https://a.example", "is not a public host name"},
		{"--acme-name=a.example --acme-directory=http://ca.example", "is not an https URL"},
		{"--tls-client-ca=ca.pem", "needs --tls-cert"},
		{"--jwt-keys=k.json", "--jwt-keys: needs --jwt-audience"},
		{"--jwt-audience=plexus", "needs --jwt-keys"},
		{"--jwt-issuer=i", "needs --jwt-keys"},
		{"--tls-cert=c --tls-key=k --tls-client-ca=ca.pem", "needs --tokens"},
		{"--anonymous=none", "nobody can say who they are"},
		{"--anonymous=some", "none of none, read, all"},
		{"--trusted-proxy=10.0.0.1/8", "did you mean 10.0.0.0/8?"},
		{"--trusted-proxy=proxy.example", "neither an address nor a network"},
		{"--trusted-proxy=fe80::1%eth0", "neither an address nor a network"},
		{"--allowed-host=a.example,,b.example", `--allowed-host: "" is neither a host name nor an address`},
		{"--allowed-host=a.example:80", `--allowed-host: "a.example:80" is neither a host name nor an address`},
		{"--allowed-host=https://a.example", "is neither a host name nor an address"},
		{"--allowed-host=::1", "is neither a host name nor an address"},
		{"--allowed-host=[127.0.0.1]", "is neither a host name nor an address"},
		{"--allowed-host=[fe80::1%eth0]", "is neither a host name nor an address"},
		{"--allowed-origin=a.example", `--allowed-origin: "a.example" is not of the form scheme://host`},
		{"--allowed-origin=https://a.example/", "is not of the form scheme://host"},
		{"--allowed-origin=https://me@a.example", "is not of the form scheme://host"},
		{"--allowed-origin=https://a.example:", "is not of the form scheme://host"},
		{"--allowed-origin=https://a.example?", "is not of the form scheme://host"},
		{"--allowed-origin=null", "is not of the form scheme://host"},
		{"--allowed-origin=*", "is not of the form scheme://host"},
		{"--acme-name=https://a.example", "--acme-name"},
		{"--max-connections=0", "--max-connections: \"0\" is not a whole number"},
		{"--max-connections=-1", "is not a whole number"},
		{"--max-message=2GiB", "is not a size"},
		{"--max-message=1MB", "is not a size"},
		{"--max-message=99999999999999999999GiB", "is not a size"},
		{"--header-timeout=0", "is not a duration above 0"},
		{"--idle-timeout=1ms", "is neither 0 nor a duration"},
	} {
		_, err := Parse(strings.Fields(test.args), atHome(t), new(strings.Builder))
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.args, err, test.want)
		}
	}
}

func TestParseToken(t *testing.T) {
	folder := filepath.Join(home(t), ".config", "plexus")
	for _, test := range []struct {
		args, env []string
		want      NewToken
	}{
		{[]string{"new", "ci", "--scope=registry:read"}, nil,
			NewToken{Name: "ci", Scopes: []string{"registry:read"}, Path: filepath.Join(folder, "tokens.toml")}},
		{[]string{"new", "--scope", "registry:read", "--scope=registry:write:a,b", "team a", "--expires=24h", "--description=d", "--tokens=t.toml"},
			[]string{"REGISTRY_TOKENS", "e.toml"},
			NewToken{Name: "team a", Scopes: []string{"registry:read", "registry:write:a,b"}, Lifetime: 24 * time.Hour, Description: "d", Path: "t.toml"}},
		{[]string{"new", "ci", "--scope=x"}, []string{"REGISTRY_TOKENS", "e.toml"}, NewToken{Name: "ci", Scopes: []string{"x"}, Path: "e.toml"}},
	} {
		got, err := ParseToken(test.args, atHome(t, test.env...), new(strings.Builder))
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %+v, %v", test.args, got, err)
		}
	}
	for _, args := range []string{"", "new", "new ci", "old ci --scope=x", "new ci --scope=x --expires=-1s", "new ci --scope=x --what", "new a b --scope=x"} {
		var usage *UsageError
		if _, err := ParseToken(strings.Fields(args), atHome(t), new(strings.Builder)); !errors.As(err, &usage) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range []string{"--help", "new --help", "new -h"} {
		var help strings.Builder
		if _, err := ParseToken(strings.Fields(args), atHome(t), &help); !errors.Is(err, ErrHelp) || help.Len() == 0 {
			t.Errorf("%q: %v, %q", args, err, help.String())
		}
		for line := range strings.Lines(help.String()) {
			if len(line) > helpWidth+1 {
				t.Errorf("too wide: %q", line)
			}
		}
	}
}
