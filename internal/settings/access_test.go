// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestAccessControlAndLimits(t *testing.T) {
	network := netip.MustParsePrefix
	for _, test := range []struct {
		args []string
		env  []string
		want func(s *Registry) // makes the defaults what is wanted
	}{
		{[]string{"--insecure"}, nil, func(s *Registry) { s.Insecure = true }},
		{nil, []string{"REGISTRY_INSECURE", "true"}, func(s *Registry) { s.Insecure = true }},
		{[]string{"--allowed-host=a.example,[2001:db8::1]", "--allowed-host", "a.example"}, []string{"REGISTRY_ALLOWED_HOSTS", "c.example"},
			func(s *Registry) { s.AllowedHosts = []string{"a.example", "[2001:db8::1]"} }},
		{nil, []string{"REGISTRY_ALLOWED_ORIGINS", "https://a.example, HTTPS://[2001:db8::1]:8443"},
			func(s *Registry) {
				s.AllowedOrigins = []string{"https://a.example", "HTTPS://[2001:db8::1]:8443"}
			}},
		{[]string{"--trusted-proxy=10.0.0.0/8,127.0.0.1", "--trusted-proxy=fd00::/8"}, nil, func(s *Registry) {
			s.TrustedProxies = []netip.Prefix{network("10.0.0.0/8"), network("127.0.0.1/32"), network("fd00::/8")}
		}},
		{[]string{"--tls-cert=c.pem", "--tls-key=k.pem"}, nil, func(s *Registry) { s.TLS.CertFile, s.TLS.KeyFile = "c.pem", "k.pem" }},
		{[]string{"--tls-cert=c.pem", "--tls-key=k.pem", "--tls-client-ca=ca.pem", "--tokens=t.toml"}, nil, func(s *Registry) {
			s.TLS.CertFile, s.TLS.KeyFile, s.TLS.ClientCAFile, s.TLS.ClientCertOptional = "c.pem", "k.pem", "ca.pem", true
			s.Tokens, s.Anonymous = "t.toml", "read"
		}},
		{[]string{"--acme-name=a.example", "--acme-cache=/acme", "--acme-email=me@a.example", "--acme-directory=https://ca.example/acme"}, nil,
			func(s *Registry) {
				a := &s.TLS.ACME
				a.Names, a.Cache, a.Email, a.Directory = []string{"a.example"}, "/acme", "me@a.example", "https://ca.example/acme"
			}},
		{[]string{"--tokens=t.toml"}, nil, func(s *Registry) { s.Tokens, s.Anonymous = "t.toml", "read" }},
		{[]string{"--tokens=t.toml", "--anonymous=none"}, nil, func(s *Registry) { s.Tokens, s.Anonymous = "t.toml", "none" }},
		{[]string{"--tokens=t.toml", "--anonymous=info"}, nil, func(s *Registry) { s.Tokens, s.Anonymous = "t.toml", "info" }},
		{[]string{"--anonymous=read"}, nil, func(s *Registry) { s.Anonymous = "read" }},
		{[]string{"--jwt-keys=https://id.example/jwks", "--jwt-audience=plexus", "--jwt-issuer=https://id.example"}, nil, func(s *Registry) {
			s.JWT.JWKS, s.JWT.Audience, s.JWT.Issuer, s.Anonymous = "https://id.example/jwks", "plexus", "https://id.example", "read"
		}},
		{[]string{"--max-connections=5", "--max-message=1MiB", "--max-queue", "512", "--idle-timeout=1h", "--header-timeout=1s"}, nil,
			func(s *Registry) {
				l := &s.Limits
				l.MaxConnections, l.MaxMessageBytes, l.MaxQueueBytes, l.IdleTimeout, l.HeaderTimeout = 5, 1<<20, 512, time.Hour, time.Second
			}},
		// 0 is no limit.
		{[]string{"--max-connections=0", "--max-connections-per-address=0", "--max-upgrade-rate=0", "--max-call-rate=0", "--max-calls=0",
			"--max-message=0", "--max-header=0", "--max-depth=0", "--max-name=0", "--max-registrations=0", "--max-queue=0", "--max-queued-items=0",
			"--max-memory=0", "--header-timeout=0", "--handshake-timeout=0s", "--idle-timeout=0"}, nil,
			func(s *Registry) {
				l := &s.Limits
				l.MaxConnections, l.MaxConnectionsPerAddress, l.MaxRequestRate, l.MaxCallsPerSecond = -1, -1, -1, -1
				l.MaxCalls, l.MaxMessageBytes, l.MaxHeaderBytes, l.MaxDepth, l.MaxQueueBytes, l.MaxQueueFrames = -1, -1, -1, -1, -1, -1
				l.MaxMemoryBytes, l.HeaderTimeout, l.HandshakeTimeout, l.IdleTimeout = -1, -1, -1, -1
				s.MaxNameBytes, s.MaxRegistrations = -1, -1
			}},
		{[]string{"--max-upgrade-rate=7"}, nil, func(s *Registry) { s.Limits.MaxRequestRate = 7 }},
	} {
		want := defaults(t)
		test.want(want)
		if got := mustParse(t, atHome(t, test.env...), test.args...); !reflect.DeepEqual(got, want) {
			t.Errorf("%q %q: got\n%+v\nwant\n%+v", test.args, test.env, got, want)
		}
	}
}

func TestSettingsThatContradictOrAreMalformedAreRejected(t *testing.T) {
	for _, test := range []struct {
		args, want string
	}{
		{"--tls-cert=c.pem", "--tls-cert needs --tls-key"},
		{"--tls-key=k.pem", "--tls-cert needs --tls-key"},
		{"--tls-cert=c --tls-key=k --acme-name=a.example", "can't be given beside --tls-cert"},
		{"--acme-directory=https://ca.example", "needs --acme-name"},
		{"--acme-cache=/acme", "needs --acme-name"},
		{"--acme-email=me@a.example", "needs --acme-name"},
		{"--acme-name=a.example --acme-email=me", "must be an address"},
		{"--acme-name=127.0.0.1", "must be a public host name"},
		{"--acme-name=localhost", "must be a public host name"},
		{"--acme-name=a_b.example", "must be a public host name"},
		{"--acme-name=https://a.example", "must be a public host name"},
		{"--acme-name=a.example --acme-directory=http://ca.example", "must be an https URL"},
		{"--tls-client-ca=ca.pem", "needs --tls-cert"},
		{"--jwt-keys=k.json", "--jwt-keys needs --jwt-audience"},
		{"--jwt-audience=plexus", "--jwt-issuer need --jwt-keys"},
		{"--jwt-issuer=i", "--jwt-issuer need --jwt-keys"},
		{"--tls-cert=c --tls-key=k --tls-client-ca=ca.pem", "needs --tokens"},
		{"--anonymous=none", "nobody could authenticate"},
		{"--anonymous=info", "nobody could authenticate"},
		{"--anonymous=some", "must be none, info, read or all"},
		{"--trusted-proxy=10.0.0.1/8", "did you mean 10.0.0.0/8?"},
		{"--trusted-proxy=proxy.example", "must be an address, or a network"},
		{"--trusted-proxy=fe80::1%eth0", "must be an address, or a network"},
		{"--allowed-host=a.example,,b.example", `--allowed-host: a.example,,b.example ("" must be a host name or an address`},
		{"--allowed-host=a.example:80", `--allowed-host: a.example:80 (must be a host name or an address`},
		{"--allowed-host=https://a.example", "must be a host name or an address"},
		{"--allowed-host=::1", "must be a host name or an address"},
		{"--allowed-host=[127.0.0.1]", "must be a host name or an address"},
		{"--allowed-host=[fe80::1%eth0]", "must be a host name or an address"},
		{"--allowed-origin=a.example", `--allowed-origin: a.example (must be of the form scheme://host`},
		{"--allowed-origin=https://a.example/", "must be of the form scheme://host"},
		{"--allowed-origin=https://me@a.example", "must be of the form scheme://host"},
		{"--allowed-origin=https://a.example:", "must be of the form scheme://host"},
		{"--allowed-origin=https://a.example?", "must be of the form scheme://host"},
		{"--allowed-origin=null", "must be of the form scheme://host"},
		{"--allowed-origin=*", "must be of the form scheme://host"},
		{"--max-connections=-1", "--max-connections: -1 (must be 0–2147483647)"},
		{"--max-connections=2147483648", "must be 0–2147483647"},
		{"--max-message=2GiB", "must be a size"},
		{"--max-message=1MB", "must be a size"},
		{"--max-message=99999999999999999999GiB", "must be a size"},
		{"--header-timeout=-1s", "must be a duration from 1ms"},
		{"--idle-timeout=1ms", "must be a duration from 1s"},
	} {
		_, _, err := parse(strings.Fields(test.args), atHome(t))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.args, err, test.want)
		}
	}
}

func TestToken(t *testing.T) {
	folder := filepath.Join(home(t), ".config", "plexus")
	parse := func(args []string, getenv func(string) string) (*Token, string, error) {
		s := NewToken()
		command := &cobra.Command{Use: "new NAME", RunE: func(*cobra.Command, []string) error { return s.Read(getenv) }, SilenceUsage: true, SilenceErrors: true}
		s.Table.AddTo(command)
		var out strings.Builder
		command.SetOut(&out)
		command.SetArgs(args)
		err := command.Execute()
		s.Table = nil
		return s, out.String(), err
	}
	for _, test := range []struct {
		args, env []string
		want      Token
	}{
		{[]string{"--scope=registry:read"}, nil, Token{Scopes: []string{"registry:read"}, Path: filepath.Join(folder, "tokens.toml")}},
		{[]string{"--scope", "registry:read", "--scope=registry:write:a*", "--expires=24h", "--description=d", "--tokens=t.toml"}, []string{"REGISTRY_TOKENS", "e.toml"},
			Token{Scopes: []string{"registry:read", "registry:write:a*"}, Lifetime: 24 * time.Hour, Description: "d", Path: "t.toml"}},
		{[]string{"--scope=notes:write", "--scope=registryx", "--scope=notes:write:team-a-*", "--scope=a:*", "--scope=b*"}, []string{"REGISTRY_TOKENS", "e.toml"},
			Token{Scopes: []string{"notes:write", "registryx", "notes:write:team-a-*", "a:*", "b*"}, Path: "e.toml"}},
		{[]string{"--scope=*", "--scope=registry:*"}, []string{"REGISTRY_TOKENS", "e.toml"}, Token{Scopes: []string{"*", "registry:*"}, Path: "e.toml"}},
	} {
		got, _, err := parse(test.args, atHome(t, test.env...))
		if err != nil || !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%q: got %+v, %v", test.args, got, err)
		}
	}
	for args, want := range map[string]string{
		"": "--scope is missing", "--scope=*,*": "must be registry:read", "--scope=": "must be registry:read", "--scope=registry": "must be registry:read",
		"--scope=notes:read,notes:write": "must be registry:read", "--scope=notes:": "must be registry:read", "--scope=no*tes": "must be registry:read",
		"--scope=:notes": "must be registry:read", "--scope=notes::read": "must be registry:read", "--scope=a\x7f": "must be registry:read",
		"--scope=registry:wirte": "must be registry:read", "--scope=registry:read,registry:write": "must be registry:read",
		"--scope=* --expires=-1s": "must be a duration", "--scope=* --what": "unknown flag: --what",
	} {
		if _, _, err := parse(strings.Fields(args), atHome(t)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
	for _, arg := range []string{"--help", "-h"} {
		_, help, err := parse([]string{arg}, atHome(t))
		if err != nil || !strings.Contains(help, "--scope SCOPE\n") {
			t.Errorf("%s: %v, %q", arg, err, help)
		}
		checkLines(t, help)
	}
}
