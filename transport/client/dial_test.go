// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/websocket"
)

// secure serves a hub over TLS and returns its address and what to trust.
func secure(t testing.TB, address string) (url string, config *tls.Config) {
	t.Helper()
	ws := websocket.NewServer(serve(t, "").Hub, websocket.Limits{}, slog.New(slog.DiscardHandler))
	web := httptest.NewUnstartedServer(ws)
	web.Listener.Close()
	web.Listener = listen(t, address)
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	web.StartTLS()
	t.Cleanup(func() {
		web.Close()
		if err := ws.Shutdown(testkit.Context(t)); err != nil {
			t.Error(err)
		}
	})
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	return "wss://" + web.Listener.Addr().String(), &tls.Config{RootCAs: roots}
}

func TestTLSWithAndWithoutTrust(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			url, config := secure(t, address)
			c := dial(t, url, client.WithTLS(config))
			if n, err := c.Info(testkit.Context(t)); err != nil || n.Name != "hub" {
				t.Errorf("got %v, %v", n, err)
			}
			config.ClientSessionCache = tls.NewLRUClientSessionCache(10)
			for range 2 {
				if n, err := client.Info(testkit.Context(t), url, client.WithTLS(config)); err != nil || n.Name != "hub" {
					t.Errorf("got %v, %v", n, err)
				}
			}
			_, err := client.Dial(testkit.Context(t), url)
			var unknown x509.UnknownAuthorityError
			if !dialFailed(err) || !errors.As(err, &unknown) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// An address of one network needs its interface; a certificate does not name that.
func TestAnAddressWithAZone(t *testing.T) {
	loopback := slices.IndexFunc(interfaces(t), func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
	if loopback < 0 {
		t.Skip("no loopback interface")
	}
	zone := "%" + interfaces(t)[loopback].Name
	url, config := secure(t, "[::1]:0")
	_, _, port, err := address.Split(url)
	if err != nil {
		t.Fatal(err)
	}
	n, err := client.Info(testkit.Context(t), address.URL("wss", "::1"+zone, port), client.WithTLS(config))
	if err != nil || n.Name != "hub" || config.ServerName != "" {
		t.Errorf("got %v, %v", n, err)
	}
}

func interfaces(t *testing.T) []net.Interface {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What the name server, and the hub, are asked for.
func TestAnInternationalHostIsDialledInASCII(t *testing.T) {
	asked := ""
	_, err := client.Info(testkit.Context(t), "ws://bücher.example:4444/p?q=1", client.WithProxy(nil),
		client.WithNetDial(func(_ context.Context, _, address string) (net.Conn, error) {
			asked = address
			return nil, net.ErrClosed
		}))
	if asked != "xn--bcher-kva.example:4444" || !dialFailed(err) {
		t.Errorf("%q is dialled: %v", asked, err)
	}
}

func TestHeadersOfTheUpgrade(t *testing.T) {
	var header atomic.Pointer[http.Header]
	h := testkit.Pretend(t, func(c *peer) { header.Store(&c.Header); c.Info("h"); c.Gone() })
	dial(t, h+"/any/path?x=1",
		client.WithHeader("X-Two", "1"), client.WithHeader("x-two", "2"),
		client.WithToken("old"), client.WithToken("secret"),
		client.WithCookie("access_token", "jwt"), client.WithCookie("other", "with space"), client.WithCookie("no good", "x"))
	got := *header.Load()
	for name, want := range map[string]string{
		"X-Two":         "1|2",
		"Authorization": "Bearer secret",
		"Cookie":        `access_token=jwt; other="with space"`,
	} {
		if text := strings.Join(got[name], "|"); text != want {
			t.Errorf("%s: got %q, want %q", name, text, want)
		}
	}
	for _, name := range []string{"Origin", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions"} {
		if got[name] != nil {
			t.Errorf("%s is sent: %q", name, got[name])
		}
	}
}

func TestConnectionsPassAnHTTPProxyWithAndWithoutTLS(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	var passed atomic.Int64
	go proxy(l, &passed)
	through := client.WithProxy(func(r *http.Request) (*url.URL, error) {
		if r.Host == "direct.invalid" {
			return nil, nil
		}
		return &url.URL{Scheme: "http", Host: l.Addr().String()}, nil
	})
	plain := start(t)
	secure, config := secure(t, "127.0.0.1:0")
	for i, url := range []string{plain, secure} {
		c := dial(t, url, through, client.WithTLS(config))
		if n, err := c.Info(testkit.Context(t)); err != nil || n.Name != "hub" || int(passed.Load()) != i+1 {
			t.Errorf("got %v, %v; %d have passed", n, err, passed.Load())
		}
	}
	_, err := client.Info(testkit.Context(t), "ws://refused.invalid:80", through)
	var failed *client.DialError
	if !errors.As(err, &failed) || failed.Step != client.StepUpgrade || !dialFailed(err) {
		t.Errorf("got %v", err)
	}
}

// proxy answers CONNECT, until l is closed.
func proxy(l net.Listener, passed *atomic.Int64) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			defer conn.Close()
			r, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil || r.Method != http.MethodConnect {
				return
			}
			to, err := net.Dial("tcp", r.Host)
			if err != nil {
				io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
				return
			}
			defer to.Close()
			passed.Add(1)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			all.Go(func() { io.Copy(to, conn); to.Close() })
			io.Copy(conn, to)
		})
	}
}

// The hub answers with a status line, or with headers, that never end.
func TestAnEndlessAnswerToTheUpgradeIsRejected(t *testing.T) {
	for _, begin := range []string{"HTTP/1.1 101 ", "HTTP/1.1 101 Switching Protocols\r\nX: "} {
		l := testkit.Listen(t)
		written := make(chan int, 1)
		go func() {
			n := 0
			defer func() { written <- n }()
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			for block := []byte(begin); err == nil && n < 1<<30; block = bytes.Repeat([]byte("x"), 64<<10) {
				var more int
				more, err = conn.Write(block)
				n += more
			}
		}()
		_, err := client.Info(testkit.Context(t), "ws://"+l.Addr().String())
		if !errors.Is(err, client.ErrProtocol) || !strings.Contains(err.Error(), "too long") {
			t.Errorf("after %q: %v", begin, err)
		}
		// No more than what the kernel buffers at both ends.
		if n := <-written; n > 64<<20 {
			t.Errorf("after %q: %d bytes were taken", begin, n)
		}
	}
}
