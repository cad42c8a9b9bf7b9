// SPDX-License-Identifier: AGPL-3.0-only

package prober_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/prober"
)

// TestMain sets a proxy, before anything has read the variables.
func TestMain(m *testing.M) {
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	os.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	os.Exit(m.Run())
}

// answering is the URL of a server that answers every upgrade with a status.
func answering(t *testing.T, status int) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// refusingInfo is the URL of a hub that answers _info with an error.
func refusingInfo(t *testing.T, code int) string {
	return testkit.Pretend(t, func(p *testkit.Peer) {
		p.Send(`{"jsonrpc":"2.0","id":%d,"error":{"code":%d,"message":"no"}}`, p.Next().ID, code)
		p.Gone()
	})
}

func TestWhatAProbeSays(t *testing.T) {
	closed := testkit.Listen(t)
	closed.Close()
	silent := testkit.Listen(t) // which accepts by itself, and answers nothing
	tests := map[string]struct {
		url  string
		want error // nil for an answer that is wrong
	}{
		"refused":        {"ws://" + closed.Addr().String(), nil},
		"accepted":       {"ws://" + silent.Addr().String(), nil},
		"no TLS":         {"wss" + strings.TrimPrefix(answering(t, 200), "ws"), nil},
		"not found":      {answering(t, 404), nil},
		"method unknown": {refusingInfo(t, plugin.CodeMethodNotFound), nil},
		"forbidden":      {refusingInfo(t, plugin.CodeForbidden), registry.ErrNotForUs},
		"no credentials": {refusingInfo(t, plugin.CodeUnauthenticated), registry.ErrNotForUs},
		"too many":       {refusingInfo(t, plugin.CodeTooMany), registry.ErrNotForUs},
	}
	for _, status := range []int{200, 400, 407, 426, 500, 502, 504} {
		tests[fmt.Sprint(status)] = struct {
			url  string
			want error
		}{answering(t, status), nil}
	}
	for _, status := range []int{401, 403, 421, 429, 503} {
		tests[fmt.Sprint(status)] = struct {
			url  string
			want error
		}{answering(t, status), registry.ErrNotForUs}
	}
	for what, tt := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			wantSaid(t, tt.want)(prober.Health().Probe(ctx, tt.url))
		})
	}
}

// wantSaid checks the error of a probe that gets no name.
func wantSaid(t *testing.T, want error) func(name string, err error) {
	return func(name string, err error) {
		t.Helper()
		isSilent, isRefusal := errors.Is(err, registry.ErrNoAnswer), errors.Is(err, registry.ErrNotForUs)
		if err == nil || isSilent != (want == registry.ErrNoAnswer) || isRefusal != (want == registry.ErrNotForUs) {
			t.Errorf("got %q and %v, want %v", name, err, want)
		}
	}
}

// TestSilenceAndAnswersOfTheNetwork has the attempt to connect fail in every way.
func TestSilenceAndAnswersOfTheNetwork(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want error
	}{
		{syscall.ECONNREFUSED, nil},
		{syscall.ECONNRESET, nil},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, nil},
		{&net.DNSError{Err: "server misbehaving", IsTemporary: true}, registry.ErrNoAnswer},
		{&net.DNSError{Err: "i/o timeout", IsTimeout: true}, registry.ErrNoAnswer},
		{syscall.ETIMEDOUT, registry.ErrNoAnswer},
		{syscall.ENETUNREACH, registry.ErrNoAnswer},
		{syscall.EHOSTUNREACH, registry.ErrNoAnswer},
		{syscall.EPERM, registry.ErrNoAnswer}, // by a firewall of this machine
		{context.DeadlineExceeded, registry.ErrNoAnswer},
		{nil, registry.ErrNoAnswer}, // until the time is up
	} {
		var dialled string
		health := prober.Health(client.WithNetDial(func(ctx context.Context, _, address string) (net.Conn, error) {
			dialled = address
			if tt.err == nil {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return nil, &net.OpError{Op: "dial", Err: tt.err}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Run(fmt.Sprint(tt.err), func(t *testing.T) { wantSaid(t, tt.want)(health.Probe(ctx, "ws://hub.example:4444")) })
		cancel()
		if dialled != "hub.example:4444" {
			t.Errorf("dialled %q, and not the hub", dialled)
		}
	}
}

// write writes a file into a folder of the test.
func write(t *testing.T, name string, content []byte) (path string) {
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCredentials has a hub that wants a certificate and a token, and is signed by a
// private authority.
func TestCredentials(t *testing.T) {
	ca := testkit.NewAuthority(t, "private")
	h, err := hub.New("private-hub")
	if err != nil {
		t.Fatal(err)
	}
	server := transport.New(h,
		transport.WithTLS(&tls.Config{
			Certificates: []tls.Certificate{ca.Certificate("localhost")},
			ClientCAs:    ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
		}),
		transport.WithAuthentication(func(r *http.Request) (plugin.Caller, error) {
			if r.Header.Get("Authorization") != "Bearer secret" {
				return plugin.Caller{}, errors.New("no token")
			}
			return plugin.Caller{Name: "prober", Scopes: []string{"*"}}, nil
		}))
	listener := testkit.Listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(func() { cancel(); <-served })
	url := "wss://localhost:" + fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)

	cert, key := ca.Pair("prober")
	all := prober.Credentials{
		CAFile: write(t, "ca.pem", ca.PEM()), CertFile: write(t, "cert.pem", cert), KeyFile: write(t, "key.pem", key),
		TokenFile: write(t, "token", []byte("secret\n")),
	}
	ask := func(c prober.Credentials) (string, error) {
		probe, _, err := prober.New(c, (&testkit.Log{}).Logger())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return probe(ctx, url)
	}
	if name, err := ask(all); err != nil || name != "private-hub" {
		t.Errorf("with all: %q, %v", name, err)
	}
	without := all
	without.TokenFile = ""
	wantSaid(t, registry.ErrNotForUs)(ask(without))
	without = all
	without.CertFile, without.KeyFile = "", ""
	wantSaid(t, nil)(ask(without))
	without = all
	without.CAFile = ""
	wantSaid(t, nil)(ask(without))
}

func TestWrongCredentialsAreAnErrorAtTheStart(t *testing.T) {
	for what, c := range map[string]prober.Credentials{
		"no such file":   {TokenFile: "/nowhere/token"},
		"an empty token": {TokenFile: write(t, "token", []byte(" \n"))},
		"two tokens":     {TokenFile: write(t, "token", []byte("a\nb\n"))},
		"no certificate": {CAFile: write(t, "ca.pem", []byte("x"))},
	} {
		if _, _, err := prober.New(c, (&testkit.Log{}).Logger()); err == nil || !strings.Contains(err.Error(), "token") && !strings.Contains(err.Error(), "ca.pem") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Whoever registers a hub must not get the token by it.
func TestTheTokenGoesOnlyWhereItIsMeantFor(t *testing.T) {
	c := prober.Credentials{TokenFile: write(t, "token", []byte("secret")), TokenHosts: []string{"hub.example", ".corp.example", "10.0.0.1", "bücher.example", ".münchen.example"}}
	for url, want := range map[string]bool{
		"ws://127.0.0.1:1": true,
		"ws://[::1]:1":     true,

		"wss://xn--bcher-kva.example:1":    true,
		"wss://a.xn--mnchen-3ya.example:1": true,
		"wss://axn--mnchen-3ya.example:1":  false,
		"wss://a.xn--bcher-kva.example:1":  false,
		"ws://localhost:1":                 true,
		"wss://hub.example:1":              true,
		"wss://HUB.example.:1":             true,
		"wss://a.corp.example:1":           true,
		"wss://10.0.0.1:1":                 true,
		"ws://hub.example:1":               false, // it would not be encrypted
		"wss://evil.example:1":             false,
		"wss://corp.example:1":             false,
		"wss://a.hub.example:1":            false,
		"wss://xhub.example:1":             false,
		"wss://acorp.example:1":            false,
		"wss://hub.example.evil:1":         false,
		"wss://localhost.evil:1":           false,
		"ws://10.0.0.1:1":                  false,
		"wss://10.0.0.10:1":                false,
		"ws://127.0.0.1.evil:1":            false,
	} {
		if got := prober.MayHaveToken(&c, url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

// A registry in a hub of one's own has health by one option.
func TestAnEmbeddedRegistryHasHealth(t *testing.T) {
	store, err := sqlite.Open(t.Context(), ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	h, err := hub.New("own-hub")
	if err != nil {
		t.Fatal(err)
	}
	listener := testkit.Listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- transport.New(h).Serve(ctx, listener) }()
	defer func() { cancel(); <-served }()
	reg, err := registry.New(ctx, store, registry.WithHealth(prober.Health()),
		registry.WithSelf("own-hub", transport.LocalAddress(listener.Addr())))
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	if err := h.Register(reg); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it is passing", func() bool {
		for _, item := range testkit.Dial(t, "ws://"+listener.Addr().String()).Call("own-hub", "registry.get", `{"name":"own-hub"}`) {
			if strings.Contains(string(item.Content), `"health":"passing"`) {
				return true
			}
		}
		return false
	})
}
