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

// remote returns keys that are fetched from a site.
func remote(t *testing.T, s *site, log *slog.Logger) *keyURL {
	t.Helper()
	k, err := newKeyURL("https://issuer.example/keys", log)
	must(t, err)
	k.client.Transport = s
	return k
}

// finds checks whether a key is found.
func finds(t *testing.T, k *keyURL, id string, want bool) {
	t.Helper()
	key, err := k.find(t.Context(), id, jose.RS256)
	if !want && !errors.Is(err, errUnknownKey) || want && (err != nil || key == nil) {
		t.Errorf("%s: got %T, %v", id, key, err)
	}
}

func TestUnknownKeysAreFetchedAtABoundedRate(t *testing.T) {
	signer := newIssuer(t)
	text := jwks(t, signer.public()...)
	synctest.Test(t, func(t *testing.T) {
		s := &site{status: http.StatusOK, body: text}
		k := remote(t, s, slog.New(slog.DiscardHandler))
		finds(t, k, "rsa", true) // fetched now, since run is not called
		for range 1000 {
			finds(t, k, "other", false)
		}
		if s.count() != 1 {
			t.Errorf("%d fetches, want 1", s.count())
		}
		// A new key is found when the keys may be fetched again.
		s.set(http.StatusOK, strings.Replace(text, `"kid":"rsa"`, `"kid":"new"`, 1))
		finds(t, k, "new", false)
		time.Sleep(refetch)
		finds(t, k, "new", true)
		finds(t, k, "rsa", false)
		// Requests at the same time share one fetch.
		s.takes = time.Second
		time.Sleep(refetch)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { finds(t, k, "other", false) })
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
		finds(t, k, "rsa", true)
		time.Sleep(refetch)
		s.takes = time.Hour
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		took := make(chan time.Duration, 1)
		go func() {
			_, _ = k.find(ctx, "other", jose.RS256)
			took <- time.Since(begin)
		}()
		synctest.Wait()
		cancel() // the fetch goes on, for other requests
		waiting, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := k.find(waiting, "another", jose.RS256); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		finds(t, k, "rsa", true)
		if time.Since(begin) != time.Second {
			t.Errorf("it took %v", time.Since(begin))
		}
		if took := <-took; took != fetchTimeout {
			t.Errorf("the fetch took %v", took)
		}
		finds(t, k, "rsa", true)
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
		finds(t, k, "rsa", false)
		if s.count() != 1 || !strings.Contains(log.String(), "status 502") {
			t.Errorf("%d fetches: %s", s.count(), log.String())
		}
		s.set(http.StatusOK, text)
		time.Sleep(retry)
		synctest.Wait()
		finds(t, k, "rsa", true)
		if s.count() != 2 {
			t.Errorf("%d fetches, want 2", s.count())
		}
		time.Sleep(4*refresh - time.Second)
		synctest.Wait()
		if s.count() != 5 {
			t.Errorf("%d fetches, want 5", s.count())
		}
		// Keys that can't be fetched again are used for a day.
		s.set(http.StatusOK, "{}")
		time.Sleep(stale - refresh)
		finds(t, k, "rsa", true)
		time.Sleep(refresh)
		finds(t, k, "rsa", false)
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
		finds(t, k, "rsa", false)
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
		j, err := New(Config{JWT: JWTConfig{JWKS: server.URL + path, Audience: "plexus"}})
		must(t, err)
		if _, err := j.Authenticate(bearing(signer.sign(t, nil))); (err == nil) != good {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
