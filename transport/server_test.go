// SPDX-License-Identifier: AGPL-3.0-only

package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

const patience = 20 * time.Second

// serving is a server of a hub with the method test.hang, which does not end
// before the test releases it.
type serving struct {
	*transport.Server
	addr     string
	listener net.Listener
	stop     context.CancelFunc
	stopped  chan error
	released chan struct{}
	entered  chan struct{}
}

func serve(t *testing.T, options ...transport.Option) *serving {
	t.Helper()
	return serveOn(t, listen(t, "127.0.0.1:0"), options...)
}

func serveOn(t *testing.T, l net.Listener, options ...transport.Option) *serving {
	t.Helper()
	s := &serving{stopped: make(chan error, 1), released: make(chan struct{}), entered: make(chan struct{}, 1)}
	h, err := hub.New("hub")
	err = errors.Join(err, h.Register(plugin.Definition{
		Namespace: "test", Version: "1.0.0", Description: "Test subject",
		Methods: []plugin.Method{
			plugin.Unary("hang", "Waits", func(context.Context, plugin.None) (string, error) {
				s.entered <- struct{}{}
				<-s.released
				return "released", nil
			}),
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(t.Context())
	s.addr, s.listener = l.Addr().String(), l
	s.Server = transport.New(h, options...)
	go func() { s.stopped <- s.Serve(ctx, l) }()
	t.Cleanup(s.stop)
	return s
}

// result waits until the server has stopped.
func (s *serving) result(t *testing.T, within time.Duration) error {
	t.Helper()
	select {
	case err := <-s.stopped:
		return err
	case <-time.After(within):
		t.Fatalf("the server has not stopped after %v", within)
		return nil
	}
}

func (s *serving) dial(t *testing.T) *gorilla.Conn {
	t.Helper()
	ws, _, err := gorilla.DefaultDialer.Dial("ws://"+s.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(patience))
	return ws
}

// frames reads until the connection ends.
func frames(ws *gorilla.Conn) (all []string, end error) {
	for {
		_, text, err := ws.ReadMessage()
		if err != nil {
			return all, err
		}
		all = append(all, string(text))
	}
}

func TestServeStopsGracefully(t *testing.T) {
	s := serve(t)
	ws := s.dial(t)
	if err := ws.WriteMessage(gorilla.TextMessage, []byte(`{"jsonrpc":"2.0","id":1,"method":"test.hang"}`)); err != nil {
		t.Fatal(err)
	}
	<-s.entered
	if n := s.Stats().Connections; n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	s.stop()
	// The listener closes while the call goes on.
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("new connections are still accepted")
		}
	}
	close(s.released)
	got, err := frames(ws)
	if len(got) != 3 || !strings.Contains(got[1], `"released"`) || !strings.Contains(got[2], `"done"`) {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
	if !gorilla.IsCloseError(err, gorilla.CloseGoingAway) {
		t.Errorf("got %v, want the close code 1001", err)
	}
	if err := s.result(t, patience); err != nil {
		t.Errorf("got %v, want a complete stop", err)
	}
	if n := s.Stats().Connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestServeCutsOffWhatHangs(t *testing.T) {
	s := serve(t, transport.WithStopTimeout(100*time.Millisecond))
	ws := s.dial(t)
	if err := ws.WriteMessage(gorilla.TextMessage, []byte(`{"jsonrpc":"2.0","id":1,"method":"test.hang"}`)); err != nil {
		t.Fatal(err)
	}
	<-s.entered
	s.stop()
	err := s.result(t, 5*time.Second)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fmt.Sprint(err), "cut off") || !strings.Contains(fmt.Sprint(err), s.addr) {
		t.Errorf("got %v", err)
	}
	if _, err := frames(ws); gorilla.IsCloseError(err, gorilla.CloseGoingAway) {
		t.Errorf("got %v, want a connection that was cut", err)
	}
	close(s.released)
}

func TestServeIsNotHeldUpByWhatIsNoWebSocket(t *testing.T) {
	for name, sent := range map[string]string{
		"nothing":            "",
		"half a request":     "GET / HTTP/1.1\r\nHost: x\r\n",
		"a body that lags":   "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
		"an idle keep-alive": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, transport.WithStopTimeout(patience))
			upgraded := s.dial(t)
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, sent); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(sent, "\r\n\r\n") { // answered at once
				c.SetReadDeadline(time.Now().Add(patience))
				if _, err := c.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			s.stop()
			if _, err := frames(upgraded); !gorilla.IsCloseError(err, gorilla.CloseGoingAway) {
				t.Errorf("got %v, want the close code 1001", err)
			}
			if err := s.result(t, patience); err != nil {
				t.Errorf("got %v, want a complete stop", err)
			}
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("stopped after %v", took)
			}
			c.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) {
				t.Error("the connection was left open")
			}
		})
	}
}

func TestServeEndsEverythingWhenTheListenerFails(t *testing.T) {
	s := serve(t)
	ws := s.dial(t)
	s.listener.Close()
	if _, err := frames(ws); !gorilla.IsCloseError(err, gorilla.CloseGoingAway) {
		t.Errorf("got %v, want the close code 1001", err)
	}
	if err := s.result(t, patience); !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), s.addr) {
		t.Errorf("got %v, want the listener's error", err)
	}
}

func TestServeWithAContextThatIsDone(t *testing.T) {
	h, err := hub.New("hub")
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := transport.New(h).Serve(ctx, l); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the listener is still open")
	}
}

func TestAPlainRequestIsAnsweredAtOnce(t *testing.T) {
	s := serve(t)
	response, err := (&http.Client{Timeout: patience}).Get("http://" + s.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("got %s", response.Status)
	}
}
