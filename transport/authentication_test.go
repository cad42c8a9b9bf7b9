// SPDX-License-Identifier: AGPL-3.0-only

package transport_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// TestRecheck: a connection with credentials is closed once they allow something
// else.
func TestRecheck(t *testing.T) {
	var mu sync.Mutex
	callers := map[string]plugin.Caller{}
	set := func(name string, scopes ...string) {
		mu.Lock()
		defer mu.Unlock()
		callers[name] = plugin.Caller{Name: name, Means: "token", Scopes: scopes}
		if name == "nameless" { // a key that only opens
			callers[name] = plugin.Caller{Scopes: scopes}
		}
	}
	changed := make(chan struct{})
	s := serve(t, transport.WithAnonymous("c"), transport.WithAuthentication(func(r *http.Request) (plugin.Caller, error) {
		name := r.Header.Get("Authorization")
		if name == "" {
			return plugin.Caller{}, transport.ErrNoCredentials
		}
		mu.Lock()
		defer mu.Unlock()
		caller, known := callers[name]
		if !known {
			return plugin.Caller{}, errors.New("nobody's credentials")
		}
		return caller, nil
	}, func(ctx context.Context, report func()) {
		for {
			select {
			case <-ctx.Done():
				return
			case changed <- struct{}{}:
				report()
			}
		}
	}))
	all := map[string]*testkit.Conn{}
	for _, name := range []string{"removed", "narrowed", "nameless", "same", ""} {
		set(name, "a", "b")
		ws, _, err := testkit.DialWith(t, new(gorilla.Dialer), s.url, http.Header{"Authorization": {name}})
		must(t, err)
		ws.Quiet() // it is served
		all[name] = ws
	}
	<-changed
	mu.Lock()
	delete(callers, "removed")
	delete(callers, "nameless")
	mu.Unlock()
	set("narrowed", "a")
	<-changed
	for _, name := range []string{"removed", "narrowed", "nameless"} {
		if code := all[name].Closed(); code != gorilla.ClosePolicyViolation {
			t.Errorf("%s: closed with %d", name, code)
		}
	}
	for _, name := range []string{"same", ""} {
		all[name].Quiet() // it is still served
	}
}

// TestInfoSaysHowCallersAuthenticate, without being told twice.
func TestInfoSaysHowCallersAuthenticate(t *testing.T) {
	nobody := func(*http.Request) (plugin.Caller, error) { return plugin.Caller{}, transport.ErrNoCredentials }
	for _, test := range []struct {
		options []transport.Option
		want    []string
	}{
		{nil, []string{"anonymous"}},
		{[]transport.Option{transport.WithAuthentication(nobody), transport.WithMechanisms("bearer")}, []string{"bearer"}},
		// Those with fields that a hub does not know are not listed.
		{[]transport.Option{transport.WithMechanisms("cookie", "certificate", "bearer", "api_key", "")}, []string{"bearer"}},
		{[]transport.Option{transport.WithMechanisms("bearer"), transport.WithAnonymous(), transport.WithAuthentication(nobody)},
			[]string{"anonymous", "bearer"}},
	} {
		h, err := hub.New("hub")
		must(t, err)
		transport.New(h, test.options...)
		call, err := h.Info().Bind(nil)
		must(t, err)
		var info struct {
			Auth struct {
				Mechanisms []struct {
					Kind string `json:"kind"`
				} `json:"mechanisms"`
			} `json:"auth_capabilities"`
		}
		for item := range call.Items(t.Context()) {
			if item.Kind == plugin.KindData {
				must(t, item.Decode(&info))
			}
		}
		var kinds []string
		for _, m := range info.Auth.Mechanisms {
			kinds = append(kinds, m.Kind)
		}
		if !slices.Equal(kinds, test.want) {
			t.Errorf("_info lists %q, want %q", kinds, test.want)
		}
	}
}

func TestCallersAreAuthenticatedAgainEvery30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begin time.Time
		pipes := testkit.NewPipes()
		s := serveOn(t, pipes, transport.WithAuthentication(func(*http.Request) (plugin.Caller, error) {
			if time.Since(begin) > 40*time.Second {
				return plugin.Caller{}, errors.New("expired")
			}
			return plugin.Caller{Name: "ann", Means: "token"}, nil
		}))
		begin = time.Now()
		ws, _, err := testkit.DialWith(t, &gorilla.Dialer{NetDialContext: pipes.Dial}, "ws://localhost", nil)
		must(t, err)
		ws.SetReadDeadline(time.Time{})
		if _, _, err := ws.ReadMessage(); !gorilla.IsCloseError(err, gorilla.ClosePolicyViolation) || time.Since(begin) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		s.stop()
		if err := s.result(t); err != nil {
			t.Error(err)
		}
	})
}
