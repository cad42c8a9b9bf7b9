// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plexus-go/plexus/internal/address"
)

const (
	// refresh is the time between fetches in the background, and retry the time
	// after one that failed.
	refresh = 15 * time.Minute
	retry   = time.Minute
	// refetch is the minimum between two fetches for unknown keys: anybody can
	// send tokens with keys that don't exist, and the issuer must not suffer.
	refetch = 30 * time.Second
	// fetchTimeout bounds a fetch, and so how long a request may wait for one.
	fetchTimeout = 5 * time.Second
	// stale is how long keys are used that can't be fetched again: an issuer may
	// have withdrawn one of them.
	stale = 24 * time.Hour
)

// keyURL is a JWKS that is fetched, by run and when a key is unknown.
type keyURL struct {
	url     string
	client  *http.Client
	log     *slog.Logger
	fetched atomic.Pointer[fetchedKeys] // nil before the first fetch that succeeds
	failed  atomic.Pointer[error]       // of the last fetch; nil if it succeeded

	fetching chan struct{} // of capacity 1: a lock that honours a context
	tried    time.Time     // the last fetch, whether or not it failed; guarded by the lock
}

type fetchedKeys struct {
	keySet
	at time.Time
}

// newKeyURL takes an https URL, or an http one of this machine.
func newKeyURL(text string, log *slog.Logger) (*keyURL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the URL of the JWKS can't be parsed") // err would quote it
	case u.User != nil:
		return nil, errors.New("the URL of the JWKS has a user or password in it")
	case u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !address.IsLoopback(u.Hostname())):
		return nil, fmt.Errorf("the URL of the JWKS, %s, is not https, nor http on this machine", u.Redacted())
	}
	return &keyURL{
		url: text,
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DisableKeepAlives:      true, // the next request is minutes away
				MaxResponseHeaderBytes: 64 << 10,
			},
			Timeout: fetchTimeout,
			// It could lead anywhere, to http for example.
			CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("redirects are not followed") },
		},
		log:      log,
		fetching: make(chan struct{}, 1),
	}, nil
}

// find fetches the keys if it doesn't know the one, but not within 30 seconds.
func (k *keyURL) find(ctx context.Context, id string, algorithm jose.SignatureAlgorithm) (any, error) {
	key, err := k.known(id, algorithm)
	if !errors.Is(err, errUnknownKey) {
		return key, err
	}
	select { // every fetch that this waits for is bounded
	case k.fetching <- struct{}{}:
		defer func() { <-k.fetching }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// Another request may have fetched it.
	key, err = k.known(id, algorithm)
	if !errors.Is(err, errUnknownKey) || time.Since(k.tried) < refetch {
		return key, err
	}
	// The fetch is for all requests, so it goes on if this one is cancelled.
	k.fetch(context.WithoutCancel(ctx))
	return k.known(id, algorithm)
}

func (k *keyURL) known(id string, algorithm jose.SignatureAlgorithm) (any, error) {
	fetched := k.fetched.Load()
	switch {
	case fetched == nil:
		return nil, fmt.Errorf("%w: none has been fetched", errUnknownKey)
	case time.Since(fetched.at) > stale:
		return nil, fmt.Errorf("%w: they were fetched too long ago", errUnknownKey)
	}
	return fetched.find(id, algorithm)
}

func (k *keyURL) run(ctx context.Context, changed func()) {
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		select {
		case k.fetching <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wait = retry
		good := k.fetch(ctx)
		<-k.fetching
		if good {
			wait = refresh
			changed()
		}
	}
}

func (k *keyURL) problem() error {
	if err := k.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// fetch gets the keys. The caller holds the lock.
func (k *keyURL) fetch(ctx context.Context) bool {
	set, ignored, err := k.get(ctx)
	k.tried = time.Now()
	if err != nil {
		if ctx.Err() == nil {
			k.log.Error("signing keys could not be fetched", "url", k.url, "error", err)
			err = fmt.Errorf("%s: %w", k.url, err)
			k.failed.Store(&err)
		}
		return false
	}
	k.fetched.Store(&fetchedKeys{set, k.tried})
	k.failed.Store(nil)
	k.log.Debug("signing keys were fetched", "url", k.url, "keys", len(set), "ignored", ignored)
	return true
}

func (k *keyURL) get(ctx context.Context) (set keySet, ignored int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil) // #nosec G704 -- the URL is the operator's
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := k.client.Do(r) // #nosec G704 -- the same
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }() // it was read
	if response.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("status %d", response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, 0, err
	case len(data) > maxFileBytes:
		return nil, 0, fmt.Errorf("larger than %d MiB", maxFileBytes>>20)
	}
	return parseKeys(data)
}
