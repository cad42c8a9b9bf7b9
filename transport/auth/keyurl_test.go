// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plexus-go/plexus/internal/testkit"
)

// site answers fetches without a network.
type site struct {
	mu      sync.Mutex
	fetches []time.Time
	status  int
	body    string
	takes   time.Duration
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.fetches = append(s.fetches, time.Now())
	status, body, takes := s.status, s.body, s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	w := httptest.NewRecorder()
	if status == http.StatusFound {
		w.Header().Set("Location", "http://other.example/")
	}
	w.WriteHeader(status)
	_, _ = w.WriteString(body) // never fails
	return w.Result(), nil
}

func (s *site) set(status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body = status, body
}

func (s *site) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.fetches)
}

// remote has the keys of a site.
func remote(t *testing.T, s *site, log *slog.Logger) *keyURL {
	t.Helper()
	k, err := newKeyURL("https://issuer.example/keys", log)
	must(t, err)
	k.client.Transport = s
	return k
}

func lacks(t *testing.T, k *keyURL, id string, lacks bool) {
	t.Helper()
	key, err := k.find(t.Context(), id, jose.RS256)
	if lacks && !errors.Is(err, errUnknownKey) || !lacks && (err != nil || key == nil) {
		t.Errorf("%s: got %T, %v", id, key, err)
	}
}

func TestUnknownKeysAreFetchedAtABoundedRate(t *testing.T) {
	signer := newIssuer(t)
	text := jwks(t, signer.public()...)
	synctest.Test(t, func(t *testing.T) {
		s := &site{status: http.StatusOK, body: text}
		k := remote(t, s, slog.New(slog.DiscardHandler))
		lacks(t, k, "rsa", false) // nobody runs: it is fetched for the asking
		for range 1000 {
			lacks(t, k, "other", true)
		}
		if s.count() != 1 {
			t.Errorf("%d fetches, want 1", s.count())
		}
		// A new key is found as soon as it may be looked for.
		s.set(http.StatusOK, strings.Replace(text, `"kid":"rsa"`, `"kid":"new"`, 1))
		lacks(t, k, "new", true)
		time.Sleep(refetch)
		lacks(t, k, "new", false)
		lacks(t, k, "rsa", true)
		// At once, it is one fetch for all.
		s.takes = time.Second
		time.Sleep(refetch)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { lacks(t, k, "other", true) })
		}
		all.Wait()
		if s.count() != 3 {
			t.Errorf("%d fetches, want 3", s.count())
		}
	})
}

func TestKnownKeysDoNotWaitForAFetch(t *testing.T) {
	signer := newIssuer(t)
	text := jwks(t, signer.public()...)
	synctest.Test(t, func(t *testing.T) {
		s := &site{status: http.StatusOK, body: text}
		k := remote(t, s, slog.New(slog.DiscardHandler))
		lacks(t, k, "rsa", false)
		time.Sleep(refetch)
		s.takes = time.Hour
		begin := time.Now()
		var slow atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			// Who asks is gone soon, the fetch is for all.
			_, _ = k.find(ctx, "other", jose.RS256)
			slow.Store(int64(time.Since(begin)))
		}()
		synctest.Wait()
		cancel()
		waiting, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := k.find(waiting, "another", jose.RS256); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		lacks(t, k, "rsa", false)
		if time.Since(begin) != time.Second {
			t.Errorf("it took %v", time.Since(begin))
		}
		<-done
		if took := time.Duration(slow.Load()); took != fetchTimeout {
			t.Errorf("the fetch took %v", took)
		}
		lacks(t, k, "rsa", false)
	})
}

func TestKeysAreFetchedInTheBackground(t *testing.T) {
	signer := newIssuer(t)
	text := jwks(t, signer.public()...)
	synctest.Test(t, func(t *testing.T) {
		var log testkit.Log
		s := &site{status: http.StatusBadGateway}
		k := remote(t, s, log.Logger())
		follow(t, k.run)
		synctest.Wait()
		lacks(t, k, "rsa", true)
		if s.count() != 1 || !strings.Contains(log.String(), "status 502") {
			t.Errorf("%d fetches: %s", s.count(), log.String())
		}
		s.set(http.StatusOK, text)
		time.Sleep(retry)
		synctest.Wait()
		lacks(t, k, "rsa", false)
		if s.count() != 2 {
			t.Errorf("%d fetches, want 2", s.count())
		}
		time.Sleep(4*refresh - time.Second)
		synctest.Wait()
		if s.count() != 5 {
			t.Errorf("%d fetches, want 5", s.count())
		}
		// An issuer that is away for a while changes nothing, one that is
		// away for long does.
		s.set(http.StatusOK, "{}")
		time.Sleep(stale - refresh)
		lacks(t, k, "rsa", false)
		time.Sleep(refresh)
		lacks(t, k, "rsa", true)
	})
}

func TestWrongAnswersOfAnIssuer(t *testing.T) {
	signer := newIssuer(t)
	text := jwks(t, signer.public()...)
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"an error":         {http.StatusNotFound, text, "status 404"},
		"no content":       {http.StatusNoContent, "", "status 204"},
		"a redirect":       {http.StatusFound, text, "redirects are not followed"},
		"something huge":   {http.StatusOK, text + strings.Repeat(" ", maxFileBytes), "larger than 1 MiB"},
		"something else":   {http.StatusOK, "<html>", "not a JWKS"},
		"keys of no use":   {http.StatusOK, `{"keys":[]}`, "none of its 0 keys"},
		"keys of a secret": {http.StatusOK, `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"rsa"}]}`, "is secret"},
	} {
		var log testkit.Log
		s := &site{status: c.status, body: c.body}
		k := remote(t, s, log.Logger())
		lacks(t, k, "rsa", true)
		if !strings.Contains(log.String(), c.want) {
			t.Errorf("%s: logged %q, want %q", name, log.String(), c.want)
		}
	}
}

// With a real server, on this machine.
func TestJWTWithAURL(t *testing.T) {
	signer := newIssuer(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_, _ = w.Write([]byte(jwks(t, signer.public()...)))
		}
	}))
	defer server.Close()
	for path, good := range map[string]bool{"/keys": true, "/other": false} {
		j, err := NewJWT(JWTConfig{JWKS: server.URL + path, Audience: "plexus"})
		must(t, err)
		if _, err := j.Authenticate(bearing(signer.sign(t, nil))); (err == nil) != good {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
