// SPDX-License-Identifier: AGPL-3.0-only

package transport

import (
	"cmp"
	"context"
	"net"
	"os"

	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// registration is how the hub is kept registered.
type registration struct {
	registry string
	hub      registryclient.Registration
	options  []client.Option
}

// WithRegistration keeps the hub registered in a registry while Serve runs:
//
//	transport.New(h, transport.WithRegistration("", registryclient.Registration{}))
//
// If registryURL is empty, the registry is looked for as by
// [registryclient.Register]: at PLEXUS_REGISTRY_URL, or at ws://127.0.0.1:4445,
// then ws://127.0.0.1:4444, but not at the hub's own address.
// PLEXUS_NO_REGISTRY (1, true or yes) turns registration off, even with a URL.
//
// The empty fields of r are filled in: name, version and hash are the hub's; host
// and port are those of the listener, and where that listens on all interfaces, the
// address from which the registry is reached; the protocol is wss with TLS. Behind
// a proxy, set Host, Port and Protocol.
//
// The hub serves with or without a registry; see [registryclient.Register] for the
// options and how a lost registry is found again. A graceful stop deregisters the
// hub first, which takes up to a second.
func WithRegistration(registryURL string, r registryclient.Registration, options ...client.Option) Option {
	return func(s *Server) {
		s.registration = &registration{registry: registryURL, hub: r, options: options}
	}
}

// register starts to keep the hub registered, at the listener's address. stop
// deregisters it.
func (s *Server) register(ctx context.Context, at net.Addr) (stop func()) {
	stop = func() {}
	if s.registration == nil || registryclient.URLs(os.Getenv) == nil {
		return stop
	}
	schema := s.hub.Schema()
	r := s.registration.hub
	r.Name = cmp.Or(r.Name, s.hub.Namespace())
	if r.Protocol == "" && s.tls != nil {
		r.Protocol = "wss"
	}
	r.Listener = at
	r.Version = cmp.Or(r.Version, schema.Version)
	if r.SchemaHash == nil {
		r.SchemaHash = s.hub.Hash
	}
	options := append([]client.Option{registryclient.WithLogger(s.log)}, s.registration.options...)
	// It ends with stop rather than with ctx, so that it can deregister.
	registrar, err := registryclient.Register(context.WithoutCancel(ctx), s.registration.registry, r, options...)
	if err != nil {
		s.log.Error("the hub can't be registered", "error", err)
		return stop
	}
	return func() { _ = registrar.Close() } // which logs what fails
}
