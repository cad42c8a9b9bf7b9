// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/transport/client"
)

// Registration describes a hub to a registry.
type Registration struct {
	Name string // the hub's namespace
	// Host and Port are where clients reach it, an IPv6 address without brackets.
	// Where they are empty, they are those of the Listener. One that listens on all
	// interfaces is reached at the address from which this machine reaches the
	// registry, or at 127.0.0.1 where the registry is on this machine.
	Host     string
	Port     int
	Protocol string // "ws", also where it is empty, or "wss"

	Description string // empty for none
	Namespace   string // for routing; empty for none
	Version     string // of the hub; empty for none
	// SchemaHash returns the hub's hash, for the metadata; nil for none. It is
	// called whenever the registration is renewed, and a hash that has changed
	// is announced then.
	SchemaHash func() string
	// Metadata are further members of the metadata, which has the process's
	// "pid" and the "schema_hash" in any case. Don't change it later.
	Metadata map[string]any

	// Listener is where the hub listens: a registry is not looked for there.
	// Nil stands for Host and Port.
	Listener   net.Addr
	everywhere bool // it is reached at the address from which the registry is

	// TTL is how long the registry keeps the hub active after it was last
	// heard from, in whole seconds from 5 seconds to a day. 0 stands for 30 seconds;
	// below zero, there is no lease, and the entry stays active.
	TTL time.Duration
}

// The bounds of leases.
const (
	defaultTTL = 30 * time.Second
	minTTL     = 5 * time.Second
	maxTTL     = 24 * time.Hour
)

// check completes a registration, or says what is wrong with it.
func (g *Registration) check() error {
	g.Protocol = cmp.Or(g.Protocol, "ws")
	g.TTL = cmp.Or(g.TTL, defaultTTL)
	_, err := codec.AppendJSON(nil, g.Metadata)
	g.Name = norm.NFC.String(g.Name) // as registries keep it
	hostErr := g.checkHost()
	switch {
	case g.Name == "":
		return errors.New("the name is empty")
	case hostErr != nil:
		return hostErr
	case g.Port < 1 || g.Port > 65535:
		return fmt.Errorf("port %d is not 1–65535", g.Port)
	case g.Protocol != "ws" && g.Protocol != "wss":
		return fmt.Errorf("protocol %q is neither ws nor wss", g.Protocol)
	case g.TTL > 0 && (g.TTL < minTTL || g.TTL > maxTTL || g.TTL%time.Second != 0):
		return fmt.Errorf("ttl %v is not in whole seconds from %v to %v", g.TTL, minTTL, maxTTL)
	case err != nil:
		return fmt.Errorf("metadata: %w", err)
	}
	return nil
}

// params are the parameters of register.
func (g *Registration) params(hash string) map[string]any {
	metadata := map[string]any{}
	maps.Copy(metadata, g.Metadata)
	metadata["pid"] = os.Getpid()
	if hash != "" {
		metadata["schema_hash"] = hash
	}
	params := map[string]any{
		"name": g.Name, "host": g.Host, "port": g.Port, "protocol": g.Protocol,
		"metadata": metadata, "source": "auto",
	}
	for key, text := range map[string]string{"description": g.Description, "namespace": g.Namespace, "version": g.Version} {
		if text != "" {
			params[key] = text
		}
	}
	return params
}

// hash returns the hub's hash as it is now; empty for none.
func (g *Registration) hash() string {
	if g.SchemaHash == nil {
		return ""
	}
	return g.SchemaHash()
}

// Registrar keeps one hub registered. Make it with [Register].
type Registrar struct {
	locator      *locator
	registration Registration

	cancel context.CancelFunc
	ended  chan struct{} // closed when no goroutine is left
	held   held          // of the goroutine that keeps it
	left   error         // why it could not deregister, once ended

	mu      sync.Mutex
	state   registrarState
	err     error         // why it is in that state
	changed chan struct{} // closed, and replaced, when the state changes
}

var _ io.Closer = (*Registrar)(nil)

// registrarState is what is logged when it changes.
type registrarState string

const (
	stateStarted     registrarState = ""
	stateRegistered  registrarState = "the hub is registered"
	stateUnreachable registrarState = "the registry can't be reached; registration goes on trying"
	stateRefused     registrarState = "the registry refuses the hub; registration goes on trying"
	stateTaken       registrarState = "another hub is registered under the name; it is left alone until it is inactive"
	stateClosed      registrarState = "registration has ended"
)

// Register keeps a hub registered until ctx is done or the Registrar is closed.
// It returns at once, whether or not the registry is there. An empty
// registryURL stands for [URLs] of the environment, without the hub's own
// address: the first that has a registry is used. If PLEXUS_NO_REGISTRY is set,
// nothing is done.
//
// The hub is registered with a lease, if the registry gives one, which is
// renewed three times in its time. It is registered again when the connection
// was lost, when the registry was restarted, with its database or without,
// and when the entry or the lease is gone. Attempts are a quarter of a second
// apart at first and 2 seconds later, shortened at random; client.WithBackoff,
// client.WithDialTimeout (2 seconds here) and client.WithKeepAlive (1 and 3
// seconds) change that.
//
// One name has one entry. When another hub, at another address, registers
// under the name, this one waits until the other is inactive.
//
// The error says what is wrong with the arguments.
func Register(ctx context.Context, registryURL string, registration Registration, options ...client.Option) (*Registrar, error) {
	r := &Registrar{
		registration: registration, ended: make(chan struct{}), changed: make(chan struct{}),
	}
	var err error
	r.locator, err = newLocator(registryURL, os.Getenv, options)
	ctx, r.cancel = context.WithCancel(ctx)
	if err == ErrNoRegistry {
		r.note(stateClosed, err)
		close(r.ended)
		return r, nil
	}
	if err == nil {
		err = r.registration.check()
	}
	if err != nil {
		r.cancel()
		return nil, fmt.Errorf("registering %q: %w", registration.Name, err)
	}
	if port, local := r.registration.localPort(); local {
		r.locator.exclude(port)
	}
	go r.run(ctx)
	return r, nil
}

// Close deregisters the hub: its entry stays, inactive. When it returns, within
// about a second, no goroutine of the Registrar is left. The error says why the
// hub could not be deregistered; then the entry stays active until its lease
// ends.
func (r *Registrar) Close() error {
	r.cancel()
	<-r.ended
	return r.left
}

// Wait waits until the hub is registered. The error says why it is not: that
// of ctx with what has failed so far, client.ErrClosed, or ErrNoRegistry.
func (r *Registrar) Wait(ctx context.Context) error {
	for {
		r.mu.Lock()
		state, err, changed := r.state, r.err, r.changed
		r.mu.Unlock()
		switch state {
		case stateRegistered:
			return nil
		case stateClosed:
			return fmt.Errorf("registering %q: %w", r.registration.Name, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if err == nil {
				return fmt.Errorf("registering %q: %w", r.registration.Name, context.Cause(ctx))
			}
			return fmt.Errorf("registering %q: %w: %w", r.registration.Name, context.Cause(ctx), err)
		}
	}
}

// note enters a state. What is new is logged, and nothing else.
func (r *Registrar) note(state registrarState, err error) {
	r.mu.Lock()
	old := r.state
	r.state, r.err = state, err
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	if state == old {
		return
	}
	log := r.locator.logger().With("hub", r.registration.Name)
	switch {
	case state == stateRegistered:
		log.Info(string(state), "host", r.registration.Host, "port", r.registration.Port)
	case state != stateClosed:
		log.Warn(string(state), "error", err)
	case r.left != nil:
		log.Warn("the hub could not be deregistered; its lease will end, if it has one", "error", r.left)
	case errors.Is(err, ErrNoRegistry):
		log.Info("the hub is not registered", "reason", err)
	default:
		log.Info(string(state))
	}
}
