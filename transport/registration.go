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
// An empty registryURL stands for [registryclient.URLs] of the environment,
// without the hub's own address: PLEXUS_REGISTRY_URL, or ws://127.0.0.1:4445,
// then ws://127.0.0.1:4444. PLEXUS_NO_REGISTRY (1, true or yes) turns
// registration off, whatever is given here. What r leaves empty is taken from the hub, its
// namespace, version and hash, and from the listener: its address, or
// 127.0.0.1 where it listens on all, and the protocol, wss with TLS. To be
// reached from elsewhere, or through a proxy, give Host, Port and Protocol.
//
// The hub serves whether or not there is a registry; see [registryclient.Register] for
// how it is found again, and for the options. A graceful stop deregisters the
// hub first, for which it waits a second at most.
func WithRegistration(registryURL string, r registryclient.Registration, options ...client.Option) Option {
	return func(s *Server) {
		s.registration = &registration{registry: registryURL, hub: r, options: options}
	}
}

// register begins to keep the hub registered, at the listener's address. stop
// deregisters it.
func (s *Server) register(ctx context.Context, at net.Addr) (stop func()) {
	stop = func() {}
	if s.registration == nil || registryclient.URLs(os.Getenv) == nil {
		return stop
	}
	schema := s.hub.Schema()
	r := s.registration.hub
	r.Name = cmp.Or(r.Name, s.hub.Namespace())
	if address := LocalAddress(at); address.IsValid() {
		r.Host = cmp.Or(r.Host, address.Addr().String())
		r.Port = cmp.Or(r.Port, int(address.Port()))
	}
	if r.Protocol == "" && s.tls != nil {
		r.Protocol = "wss"
	}
	r.Listener = at
	r.Version = cmp.Or(r.Version, schema.Version)
	if r.SchemaHash == nil {
		r.SchemaHash = s.hub.Hash
	}
	options := append([]client.Option{registryclient.WithLogger(s.log)}, s.registration.options...)
	// Not ended by ctx, but by the stop, which waits for it.
	registrar, err := registryclient.Register(context.WithoutCancel(ctx), s.registration.registry, r, options...)
	if err != nil {
		s.log.Error("the hub can't be registered", "error", err)
		return stop
	}
	return func() { _ = registrar.Close() } // which logs what fails
}
