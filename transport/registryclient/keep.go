// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"time"

	"github.com/plexus-go/plexus/transport/client"
)

// closeTimeout is how long in-flight calls, and deregister, may take once the
// Registrar is closed.
const closeTimeout = time.Second

// held is what a Registrar believes that the registry has of the hub.
type held struct {
	url      string        // of the registry
	sent     bool          // register was sent, so there may be an entry
	answered bool          // register was answered once: any entry from before is replaced
	lease    string        // its lease; empty for none, or one that is gone
	term     time.Duration // of the lease, renewed after a third of it
	unleased bool          // register was answered without a lease on this connection
	host     string        // as it was announced
	hash     string        // the hub's, as it was announced
}

// run keeps the hub registered until ctx is done, and deregisters it then.
func (r *Registrar) run(ctx context.Context) {
	defer close(r.ended)
	defer r.cancel()
	// A register that is in flight when ctx ends must not be abandoned: it might
	// arrive after the deregister. So the calls end a moment later.
	calls, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(closeTimeout, abort) })()

	r.locator.Repeat(ctx, func() (connected, last bool) {
		connected, err := r.session(ctx, calls)
		switch {
		case ctx.Err() != nil:
		case refused(err):
			r.note(stateRefused, err)
		default:
			r.note(stateUnreachable, err)
		}
		return connected, false
	})
	if r.held.sent {
		_, r.left = r.session(ctx, calls)
	}
	r.note(stateClosed, client.ErrClosed)
}

// session keeps the hub registered through one connection until that is lost,
// or something fails; or until ctx is done, when it deregisters.
func (r *Registrar) session(ctx, calls context.Context) (connected bool, err error) {
	dialing := ctx
	if r.held.sent {
		dialing = calls
	}
	calls, release := context.WithCancel(calls)
	defer release()
	c, err := r.locator.connect(dialing, calls)
	if err != nil {
		return false, err
	}
	if c.url != r.held.url { // another registry knows nothing of this hub
		r.held = held{url: c.url}
	}
	defer c.Close()
	r.registration.reachedFrom(c.local)
	r.held.unleased = false
	for {
		if ctx.Err() != nil {
			if err = r.deregister(calls, c); err == nil {
				r.held.sent, r.held.lease = false, ""
			}
			return true, err
		}
		if err := r.keep(calls, c); err != nil {
			return true, err
		}
		select {
		case <-ctx.Done():
		case <-c.lost:
			return true, c.err
		case <-time.After(r.held.term/3 - rand.N(r.held.term/12)): // #nosec G404 -- it spreads renewals, and is no secret
		}
	}
}

// keep renews the registration, or makes it.
func (r *Registrar) keep(ctx context.Context, c *registry) error {
	h := &r.held
	hash := r.registration.hash()
	if h.lease != "" && hash == h.hash && r.registration.Host == h.host {
		if there, err := r.ping(ctx, c); there || err != nil {
			return err
		}
	}
	if h.sent {
		b, err := c.entry(ctx, r.registration.Name)
		switch {
		case err != nil && !answered(err):
			return err
		case b != nil && b.Active && !r.registration.at(b, h.host) && h.answered:
			h.lease = ""
			r.note(stateTaken, fmt.Errorf("the entry is for %s", b.URL()))
			return nil
		case b != nil && b.Active && h.unleased && hash == h.hash:
			if there, err := r.ping(ctx, c); there || err != nil {
				return err
			}
		}
	}
	return r.announce(ctx, c, hash)
}

// ping renews the registration, if it is there still.
func (r *Registrar) ping(ctx context.Context, c *registry) (there bool, err error) {
	a, err := c.ask(ctx, "ping", r.named(), "ping")
	switch {
	case unknownMethod(err):
		a.Success = true // this registry needs no pings
	case err != nil:
		return false, err
	}
	if a.Success {
		r.note(stateRegistered, nil)
	}
	return a.Success, nil
}

// named are the parameters that name the hub, and its lease if it has one.
func (r *Registrar) named() map[string]any {
	params := map[string]any{"name": r.registration.Name}
	if r.held.lease != "" {
		params["lease_id"] = r.held.lease
	}
	return params
}

// announce registers the hub.
func (r *Registrar) announce(ctx context.Context, c *registry, hash string) error {
	h := &r.held
	params := r.registration.params(hash)
	if r.registration.TTL > 0 && !h.unleased {
		params["ttl_seconds"] = int64(r.registration.TTL / time.Second)
	}
	h.sent, h.lease = true, ""
	h.term = r.registration.TTL
	if h.term < 0 {
		h.term = defaultTTL // the entry is checked all the same
	}
	a, err := c.ask(ctx, "register", params, "backend_registered")
	if params["ttl_seconds"] != nil && refused(err) && !unknownMethod(err) && !nameTaken(err) {
		delete(params, "ttl_seconds") // perhaps it does not know that parameter
		a, err = c.ask(ctx, "register", params, "backend_registered")
	}
	if nameTaken(err) {
		a, err = r.update(ctx, c, params)
	}
	if err != nil {
		return err
	}
	h.answered, h.lease, h.unleased, h.host, h.hash = true, a.LeaseID, a.LeaseID == "", r.registration.Host, hash
	if b := a.Backend; b != nil && b.TTLSeconds > 0 && b.TTLSeconds < int64(h.term/time.Second) {
		h.term = time.Duration(b.TTLSeconds) * time.Second
	}
	r.note(stateRegistered, nil)
	return nil
}

// nameTaken reports whether a registry can't register a name that it has already.
func nameTaken(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && isTaken.MatchString(e.Error()) // with its data
}

var isTaken = regexp.MustCompile(`(?i)unique constraint|duplicate (key|name)|already (exists|registered|taken|in use)`)

// update gives the entry of the name the hub's address, and activates it. It keeps
// its version and metadata.
func (r *Registrar) update(ctx context.Context, c *registry, params map[string]any) (answer, error) {
	for _, key := range []string{"version", "metadata", "source", "ttl_seconds"} {
		delete(params, key)
	}
	a, err := c.ask(ctx, "update", params, "backend_updated")
	if err == nil && (a.Backend == nil || !a.Backend.Active) {
		_, err = r.ping(ctx, c)
	}
	return a, err
}

// deregister deregisters the hub, but not another one that has its name.
func (r *Registrar) deregister(ctx context.Context, c *registry) error {
	if r.held.lease != "" {
		_, err := c.ask(ctx, "deregister", r.named(), "backend_deregistered")
		if !refused(err) {
			return err
		}
		// The lease was replaced by another registration: perhaps by a client that
		// has registered this hub.
		r.held.lease = ""
	}
	if !r.held.sent {
		return nil
	}
	b, err := c.entry(ctx, r.registration.Name)
	switch {
	case err != nil && !answered(err):
		return err
	case err == nil && (b == nil || !b.Active || !r.registration.at(b, r.held.host) || !sameProcess(b)):
		return nil
	}
	_, err = c.ask(ctx, "deregister", r.named(), "backend_deregistered")
	if unknownMethod(err) {
		return nil // this registry has no deregister
	}
	return err
}

// answered reports whether the registry did answer, though perhaps with
// nonsense, which says nothing about the entry.
func answered(err error) bool { return refused(err) || errors.Is(err, client.ErrProtocol) }

// sameProcess reports whether an entry is not known to be another process's.
func sameProcess(b *Backend) bool {
	var fields struct {
		PID int `json:"pid"`
	}
	return json.Unmarshal(b.Metadata, &fields) != nil || fields.PID == 0 || fields.PID == os.Getpid()
}
