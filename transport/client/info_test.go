// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/transport/client"
)

func TestInfo(t *testing.T) {
	v6 := listen(t, "[::1]:0")
	v6.Close()
	for _, address := range []string{"", v6.Addr().String()} {
		got, err := client.Info(testkit.Context(t), serve(t, address).URL)
		if err != nil || got.Name != "hub" || !slices.Equal(got.Mechanisms, []string{"anonymous"}) || len(got.Hash) != 16 {
			t.Errorf("%q: got %+v, %v", address, got, err)
		}
	}
}

func TestInfoOfOtherHubs(t *testing.T) {
	const answer = `{"jsonrpc":"2.0","id":1,"result":5}`
	tests := []struct {
		name   string
		frames []string
		want   string // the hub's name, or
		fails  error
	}{
		{"ours", []string{answer, named(`5`, `{"backend":"h"}`), ended(`5`)}, "h", nil},
		{"string ids", []string{`{"jsonrpc":"2.0","id":1,"result":"a\u002fb"}`, named(`"a/b"`, `{"backend":"h"}`), ended(`"a/b"`)}, "h", nil},
		{"an id that is a number here and a string there", []string{answer, named(`"5"`, `{"backend":"h"}`), ended(`5`)}, "h", nil},
		{"the answer's id as a string", []string{`{"jsonrpc":"2.0","id":"1","result":5}`, named(`5`, `{"backend":"h"}`), ended(`5`)}, "h", nil},
		{"null capabilities", []string{answer, named(`5`, `{"backend":"h","auth_capabilities":null}`), ended(`5`)}, "h", nil},
		{"odd capabilities", []string{answer, named(`5`, `{"backend":"h","auth_capabilities":[1]}`), ended(`5`)}, "h", nil},
		{"null beside the result", []string{`{"id":1,"error":null,"result":5}`, named(`5`, `{"backend":"h"}`), ended(`5`)}, "h", nil},
		{"no done", []string{answer, named(`5`, `{"backend":"h"}`)}, "h", nil},
		{"frames of others", []string{`{}`, `{"method":"x","id":7}`, named(`6`, `{"backend":"not me"}`), answer, named(`6`, `{"backend":"not me"}`), named(`5`, `{"backend":"h"}`), ended(`5`)}, "h", nil},
		{"items of other types", []string{answer, item(`5`, `"type":"heartbeat"`), item(`5`, `"type":null`), named(`5`, `{"backend":"h"}`), ended(`5`)}, "h", nil},
		{"a recoverable error", []string{answer, item(`5`, `"type":"error","message":"wait","recoverable":true`), named(`5`, `{"backend":"h"}`), ended(`5`)}, "h", nil},
		{"done alone", []string{answer, ended(`5`)}, "", client.ErrProtocol},
		{"no name", []string{answer, named(`5`, `{}`), ended(`5`)}, "", client.ErrProtocol},
		{"a name that is none", []string{answer, named(`5`, `{"backend":7}`), ended(`5`)}, "", client.ErrProtocol},
		{"no JSON", []string{`hello`}, "", client.ErrProtocol},
		{"nothing", nil, "", client.ErrLost},
		{"nothing but a subscription", []string{answer}, "", client.ErrLost},
		{"a long message", []string{`"` + strings.Repeat("x", 70<<10) + `"`}, "", client.ErrTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := testkit.Pretend(t, func(c *peer) {
				c.Next()
				for _, frame := range test.frames {
					c.Send("%s", frame)
				}
			})
			got, err := client.Info(testkit.Context(t), h)
			if got.Name != test.want || !errors.Is(err, test.fails) {
				t.Errorf("got %+v, %v; want %q, %v", got, err, test.want, test.fails)
			}
		})
	}
}

func item(subscription, fields string) string {
	return `{"jsonrpc":"2.0","method":"result","params":{"subscription":` + subscription + `,"result":{` + fields + `}}}`
}

func named(subscription, content string) string { return item(subscription, data(content)) }

func ended(subscription string) string { return item(subscription, done) }

func TestInfoIsRefused(t *testing.T) {
	for _, test := range []struct{ answer, code, data string }{
		{`{"jsonrpc":"2.0","id":1,"error":{"code":"-32001","message":"who are you?","data":{"a":1}}}`, "-32001", `{"a":1}`},
		{`{"id":1,"result":5}` + "\n" + item(`5`, `"type":"error","message":"not now","code":7,"recoverable":false`), "7", ""},
	} {
		url := testkit.Pretend(t, func(c *peer) {
			c.Next()
			for frame := range strings.Lines(test.answer) {
				c.Send("%s", frame)
			}
		})
		_, err := client.Info(testkit.Context(t), url)
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Code != test.code || fmt.Sprint(refused.ErrorCode()) != test.code ||
			string(refused.Data) != test.data || !dialFailed(err) {
			t.Errorf("got %v", err)
		}
	}
}

func TestADialErrorNamesTheStepAndNoSecret(t *testing.T) {
	closed := listen(t, "127.0.0.1:0")
	closed.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, "hello")
	}))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(plain.Config.Handler)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	secure.StartTLS()
	defer secure.Close()
	address := func(s *httptest.Server) string { return strings.SplitN(s.URL, "://", 2)[1] }

	tests := []struct {
		name, url string
		step      client.Step
		status    int
		text      string
	}{
		{"scheme", "http://127.0.0.1:1/?token=secret", client.StepURL, 0, `dial http://127.0.0.1:1/: url: must be a ws:// or wss:// URL`},
		{"no host", "ws:///x", client.StepURL, 0, "dial ws:///x: url: must have a host name"},
		{"malformed", "ws://a b/?secret", client.StepURL, 0, `dial ws://a b/: url: must be a ws:// or wss:// URL: invalid character " " in host name`},
		{"user", "ws://u:secret@h/x", client.StepURL, 0, "dial ws://h/x: url: must not have a user"},
		{"nobody listens", "ws://" + closed.Addr().String() + "?token=secret", client.StepConnect, 0, "connection refused"},
		{"certificate", "wss://" + address(secure), client.StepTLS, 0, "certificate"},
		{"no TLS", "wss://" + address(plain), client.StepTLS, 0, "tls"},
		{"not allowed", "ws://" + address(plain), client.StepUpgrade, 401, "upgrade: the answer is 401 Unauthorized"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := client.Info(testkit.Context(t), test.url, client.WithTLS(&tls.Config{}))
			var dial *client.DialError
			if !errors.As(err, &dial) || errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			if dial.Step != test.step || dial.Status != test.status ||
				!strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got step %q, status %d: %v", dial.Step, dial.Status, err)
			}
		})
	}
}

func TestInfoEndsWithItsContextAtEveryStep(t *testing.T) {
	silent := listen(t, "127.0.0.1:0") // accepts, and never says a word
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	upgraded := testkit.Pretend(t, (*peer).Gone)
	subscribed := testkit.Pretend(t, func(c *peer) {
		r := c.Next()
		c.Send(`{"jsonrpc":"2.0","id":%d,"result":5}`, r.ID)
		c.Item("5", data(`{"backend":"h"}`))
		c.Gone()
	})
	stuck := client.WithNetDial(func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	tests := []struct {
		name, url string
		step      client.Step
		option    client.Option
	}{
		{"connect", "ws://" + silent.Addr().String(), client.StepConnect, stuck},
		{"tls", "wss://" + silent.Addr().String(), client.StepTLS, client.WithTLS(nil)},
		{"upgrade", "ws://" + silent.Addr().String(), client.StepUpgrade, client.WithTLS(nil)},
		{"answer", upgraded, client.StepInfo, client.WithTLS(nil)},
		{"done", subscribed, client.StepInfo, client.WithTLS(nil)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			begun := time.Now()
			_, err := client.Info(ctx, test.url, test.option)
			var dial *client.DialError
			if !errors.As(err, &dial) || dial.Step != test.step || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if d := time.Since(begun); d > testkit.Patience/2 {
				t.Errorf("it took %v", d)
			}

			ctx, cancel = context.WithCancel(context.Background())
			time.AfterFunc(20*time.Millisecond, cancel)
			_, err = client.Info(ctx, test.url, test.option)
			if !errors.As(err, &dial) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The hub's share is in it.
func BenchmarkInfo(b *testing.B) {
	plain := start(b)
	url, config := secure(b, "127.0.0.1:0")
	resumed := config.Clone()
	resumed.ClientSessionCache = tls.NewLRUClientSessionCache(10)
	for name, of := range map[string]struct {
		url    string
		config *tls.Config
	}{"ws": {plain, nil}, "wss": {url, config}, "wss, resumed": {url, resumed}} {
		b.Run(name, func(b *testing.B) {
			with := client.WithTLS(of.config)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Info(context.Background(), of.url, with); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
