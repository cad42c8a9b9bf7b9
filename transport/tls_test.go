// SPDX-License-Identifier: AGPL-3.0-only

package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// folder is where the files of a server are.
type folder struct {
	t    *testing.T
	path string
}

func (f folder) file(name string) string { return filepath.Join(f.path, name) }

func (f folder) write(name string, text []byte) {
	f.t.Helper()
	// In one step, as a careful operator would.
	must(f.t, errors.Join(os.WriteFile(f.file("next"), text, 0o600), os.Rename(f.file("next"), f.file(name))))
}

func (f folder) writePair(cert, key []byte) {
	f.t.Helper()
	f.write("key.pem", key)
	f.write("cert.pem", cert)
}

func (f folder) settings() transport.TLS {
	return transport.TLS{CertFile: f.file("cert.pem"), KeyFile: f.file("key.pem")}
}

// serveTLS serves with a certificate of the name "one".
func serveTLS(t *testing.T, a *testkit.Authority, change func(*transport.TLS), options ...transport.Option) (*serving, folder, *testkit.Log) {
	t.Helper()
	f, log := folder{t, t.TempDir()}, new(testkit.Log)
	f.writePair(a.Pair("one"))
	settings := f.settings()
	if change != nil {
		change(&settings)
	}
	config, run, err := transport.NewTLSConfig(settings, log.Logger())
	must(t, err)
	return serve(t, append(options, transport.WithTLS(config, run))...), f, log
}

// call makes a call over a new WebSocket, and returns the name of the server's
// certificate. In TLS 1.3 a client only learns that its certificate was refused
// when it reads.
func (s *serving) call(t *testing.T, config *tls.Config) (name string, err error) {
	t.Helper()
	ws, _, err := testkit.DialWith(t, &gorilla.Dialer{TLSClientConfig: config}, "wss://"+s.addr, nil)
	if err != nil {
		return "", err
	}
	defer ws.Close()
	if err := ws.WriteMessage(gorilla.TextMessage, []byte(`{"jsonrpc":"2.0","id":1,"method":"_info"}`)); err != nil {
		return "", err
	}
	if _, _, err := ws.ReadMessage(); err != nil {
		return "", err
	}
	return ws.NetConn().(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestWrongFilesChangeNothing(t *testing.T) {
	t.Parallel()
	a := testkit.NewAuthority(t, "authority")
	cert, key := a.Pair("two")
	_, stray := a.Pair("stray")
	for name, damage := range map[string]func(folder){
		"a key of another certificate": func(f folder) { f.write("key.pem", stray) },
		"no certificate":               func(f folder) { f.write("cert.pem", []byte("nonsense")) },
		"an empty certificate":         func(f folder) { f.write("cert.pem", nil) },
		"no key":                       func(f folder) { os.Remove(f.file("key.pem")) },
		"no authorities":               func(f folder) { f.write("clients.pem", []byte("nonsense")) },
		"authorities that are gone":    func(f folder) { os.Remove(f.file("clients.pem")) },
	} {
		f := folder{t, t.TempDir()}
		f.writePair(a.Pair("one"))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.t = t
			f.write("clients.pem", a.PEM())
			settings := f.settings()
			settings.ClientCAFile = f.file("clients.pem")
			log := new(testkit.Log)
			config, run, err := transport.NewTLSConfig(settings, log.Logger())
			must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			running.Go(func() { run(ctx) })
			// shown is the certificate that new connections get.
			shown := func() string {
				now, err := config.GetConfigForClient(&tls.ClientHelloInfo{})
				must(t, err)
				if now.MinVersion != tls.VersionTLS12 || now.ClientAuth != tls.RequireAndVerifyClientCert || now.ClientCAs == nil {
					t.Fatalf("got %+v", now)
				}
				return now.Certificates[0].Leaf.Subject.CommonName
			}
			damage(f)
			testkit.Eventually(t, "an error in the log", func() bool { return log.Count("level=ERROR") > 0 })
			if got := shown(); got != "one" {
				t.Errorf("%q is shown", got)
			}
			f.write("clients.pem", a.PEM())
			f.writePair(cert, key)
			testkit.Eventually(t, "the new certificate", func() bool { return shown() == "two" })
			if n := log.Count("level=ERROR"); n != 1 {
				t.Errorf("%d errors are logged, want 1", n)
			}
		})
	}
}

func TestClientCertificates(t *testing.T) {
	server, clients, strangers := testkit.NewAuthority(t, "server"), testkit.NewAuthority(t, "clients"), testkit.NewAuthority(t, "strangers")
	shown := func(a *testkit.Authority) *tls.Config {
		config := &tls.Config{RootCAs: server.Pool()}
		if a != nil {
			pair := a.Certificate("ann")
			// Shown though the server does not name its authority.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		return config
	}
	names := make(chan string, 10)
	byCertificate := transport.WithAuthentication(func(r *http.Request) (plugin.Caller, error) {
		if len(r.TLS.VerifiedChains) == 0 {
			names <- ""
			return plugin.Caller{}, nil
		}
		name := r.TLS.VerifiedChains[0][0].Subject.CommonName
		names <- name
		return plugin.Caller{Name: name, Means: "certificate", Scopes: []string{"*"}}, nil
	})
	for _, optional := range []bool{false, true} {
		s, f, _ := serveTLS(t, server, func(settings *transport.TLS) {
			settings.ClientCAFile = filepath.Join(filepath.Dir(settings.CertFile), "clients.pem")
			settings.ClientCertOptional = optional
			must(t, os.WriteFile(settings.ClientCAFile, clients.PEM(), 0o600))
		}, byCertificate, transport.WithAnonymous())
		if _, err := s.call(t, shown(clients)); err != nil || <-names != "ann" {
			t.Errorf("optional %v: a client with a certificate: %v", optional, err)
		}
		if _, err := s.call(t, shown(strangers)); err == nil {
			t.Errorf("optional %v: a client with a certificate of another authority is accepted", optional)
		}
		_, err := s.call(t, shown(nil))
		if (err == nil) != optional {
			t.Errorf("optional %v: a client without a certificate: %v", optional, err)
		}
		if err == nil && <-names != "" {
			t.Error("a client without a certificate has a name")
		}
		// With another authority come other clients, and those of the former
		// one are rejected, although they could resume a session.
		keeps := shown(clients)
		keeps.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		if _, err := s.call(t, keeps); err != nil || <-names != "ann" {
			t.Error(err)
		}
		before, _, err := testkit.DialWith(t, &gorilla.Dialer{TLSClientConfig: keeps}, "wss://"+s.addr, nil)
		if err != nil || <-names != "ann" {
			t.Fatal(err)
		}
		f.write("clients.pem", strangers.PEM())
		testkit.Eventually(t, "the new authority", func() bool {
			_, err := s.call(t, shown(strangers))
			if err == nil {
				<-names
			}
			return err == nil
		})
		if _, err := s.call(t, keeps); err == nil {
			t.Errorf("optional %v: a client of the former authority is accepted", optional)
		}
		before.Quiet() // it is still served
	}
}

func TestOldTLSVersionsAreRefused(t *testing.T) {
	a := testkit.NewAuthority(t, "authority")
	s, _, _ := serveTLS(t, a, nil)
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, err := s.call(t, &tls.Config{RootCAs: a.Pool(), MinVersion: version, MaxVersion: version})
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	// HTTP/2, which has no WebSockets here, is not offered.
	c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: a.Pool(), NextProtos: []string{"h2", "http/1.1"}})
	must(t, err)
	defer c.Close()
	if got := c.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("the protocol is %q", got)
	}
	if _, _, err := gorilla.DefaultDialer.Dial(s.url, nil); err == nil {
		t.Error("a WebSocket without TLS is served")
	}
}

func TestWrongTLSSettings(t *testing.T) {
	a := testkit.NewAuthority(t, "authority")
	f := folder{t, t.TempDir()}
	f.writePair(a.Pair("one"))
	f.write("nonsense.pem", []byte("nonsense"))
	good := f.settings()
	for want, settings := range map[string]transport.TLS{
		"missing":      {},
		"a key file":   {CertFile: good.CertFile},
		"no such file": {CertFile: good.CertFile, KeyFile: f.file("none.pem")},
		"nonsense.pem": {CertFile: f.file("nonsense.pem"), KeyFile: good.KeyFile},
		"no certificate in it": {CertFile: good.CertFile, KeyFile: good.KeyFile,
			ClientCAFile: f.file("nonsense.pem")},
		"authorities": {CertFile: good.CertFile, KeyFile: good.KeyFile, ClientCertOptional: true},
		"exclude": {CertFile: good.CertFile, KeyFile: good.KeyFile,
			ACME: transport.ACME{Names: []string{"hub.example"}, Cache: f.path}},
		"folder": {ACME: transport.ACME{Names: []string{"hub.example"}}},
	} {
		if _, _, err := transport.NewTLSConfig(settings, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// serveACME serves with ACME for hub.example, and further settings. Its authority
// can't be reached; the folder has a certificate in each of the files already.
func serveACME(t *testing.T, a *testkit.Authority, with transport.TLS, files ...string) (*serving, *testkit.Log) {
	t.Helper()
	s, _, log := serveTLS(t, a, func(settings *transport.TLS) {
		f := folder{t, filepath.Dir(settings.CertFile)}
		cert, key := a.Pair("hub.example")
		for _, name := range files {
			f.write(name, append(key, cert...))
		}
		if with.ClientCAFile != "" {
			f.write(with.ClientCAFile, a.PEM())
			with.ClientCAFile = f.file(with.ClientCAFile)
		}
		with.ACME = transport.ACME{Names: []string{"hub.example"}, Cache: f.path, Directory: "http://127.0.0.1:1/"}
		*settings = with
	})
	return s, log
}

func TestCertificatesByACMEAreServed(t *testing.T) {
	a := testkit.NewAuthority(t, "authority")
	s, _ := serveACME(t, a, transport.TLS{ClientCAFile: "clients.pem", ClientCertOptional: true}, "hub.example")
	if name, err := s.call(t, &tls.Config{RootCAs: a.Pool(), ServerName: "hub.example"}); err != nil || name != "hub.example" {
		t.Errorf("got %q, %v", name, err)
	}
	for _, name := range []string{"other.example", ""} {
		if _, err := s.call(t, &tls.Config{RootCAs: a.Pool(), ServerName: name, InsecureSkipVerify: true}); err == nil {
			t.Errorf("a certificate for %q is shown", name)
		}
	}
}

// Why there is no certificate is logged once, not for every client.
func TestACMEFailsWithOneLineInTheLog(t *testing.T) {
	s, log := serveACME(t, testkit.NewAuthority(t, "authority"), transport.TLS{})
	for _, name := range []string{"strange.example", "hub.example", "HUB.EXAMPLE"} {
		if _, err := s.call(t, &tls.Config{ServerName: name, InsecureSkipVerify: true}); err == nil {
			t.Errorf("there is a certificate for %s", name)
		}
	}
	for _, text := range []string{"no certificate by ACME", "name=hub.example", "127.0.0.1:1", "name=strange.example"} {
		if n := log.Count(text); n != 1 {
			t.Errorf("%q is logged in %d lines", text, n)
		}
	}
}

// The authority checks that a name leads here. It has no client certificate, so
// its connection must carry no request.
func TestACMEChallengesNeedNoClientCertificate(t *testing.T) {
	a := testkit.NewAuthority(t, "authority")
	s, _ := serveACME(t, a, transport.TLS{ClientCAFile: "clients.pem"}, "hub.example", "hub.example+token")
	for _, protocols := range [][]string{{"acme-tls/1"}, {"acme-tls/1", "http/1.1"}, {"http/1.1"}} {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: a.Pool(), ServerName: "hub.example", NextProtos: protocols})
		must(t, err)
		defer c.Close()
		if got := c.ConnectionState().NegotiatedProtocol; len(protocols) == 1 && got != protocols[0] {
			t.Errorf("%v: the protocol is %q", protocols, got)
		}
		c.SetDeadline(time.Now().Add(testkit.Patience))
		// The write may be too late already.
		_, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		if got := closed(t, c); got != "" {
			t.Errorf("%v: got %q without a client certificate", protocols, got)
		}
	}
}
