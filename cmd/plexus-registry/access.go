// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"log/slog"
	"net"

	"github.com/plexus-go/plexus/internal/settings"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/auth"
)

// access is access control, as the settings ask for it.
type access struct {
	options  []transport.Option
	insecure []string        // why serving is unsafe, if it is
	problems func() []string // with credentials, at the moment
}

// openAccess reads the files that the settings name. It refuses to serve other
// machines without protection, unless the settings insist.
func openAccess(s *settings.Registry, at net.Addr, log *slog.Logger) (*access, error) {
	a := &access{problems: func() []string { return nil }}
	if s.Encrypts() {
		tls, run, err := transport.NewTLSConfig(s.TLS, log)
		if err != nil {
			return nil, err
		}
		a.options = append(a.options, transport.WithTLS(tls, run))
	}
	if err := a.authenticate(s, log); err != nil {
		return nil, err
	}
	switch s.Anonymous {
	case "all":
		a.options = append(a.options, transport.WithAnonymous("*"))
	case "info": // what needs no scope
		a.options = append(a.options, transport.WithAnonymous())
	case "read":
		a.options = append(a.options, transport.WithAnonymous(registry.ScopeRead))
	}
	err := transport.CheckExposure(at, s.Encrypts(), s.Authenticates() && s.Anonymous != "all", s.TrustedProxies...)
	if err != nil {
		if !s.Insecure {
			return nil, fmt.Errorf("%w (give --tls-cert, --tls-key and --tokens, without --anonymous=all, or --insecure if that is meant)", err)
		}
		a.insecure = []string{err.Error()}
		log.Warn("insecure", "reason", err)
	}
	if s.Insecure {
		a.options = append(a.options, transport.WithInsecure())
	}
	a.options = append(a.options,
		transport.WithLogger(log),
		transport.WithAllowedHosts(s.AllowedHosts...),
		transport.WithAllowedOrigins(s.AllowedOrigins...),
		transport.WithTrustedProxies(s.TrustedProxies...),
		transport.WithLimits(s.Limits),
	)
	return a, nil
}

// authenticate opens all ways to authenticate.
func (a *access) authenticate(s *settings.Registry, log *slog.Logger) error {
	if s.Tokens == "" && s.JWT.JWKS == "" {
		return nil
	}
	all, err := auth.New(auth.Config{Tokens: s.Tokens, Certificates: s.TLS.ClientCAFile != "", JWT: s.JWT, Log: log})
	if err != nil {
		return err
	}
	a.problems = all.Warnings
	a.options = append(a.options, all.Option())
	return nil
}

// counters are those that registry.status shows.
func counters(s transport.Stats, logDropped int64) map[string]int64 {
	c := s.WebSocket
	all := map[string]int64{
		"connections":    s.Connections,
		"pending":        s.Pending,
		"accepted":       s.Accepted,
		"refused_large":  c.Large,
		"refused_deep":   c.Deep,
		"refused_calls":  c.Busy,
		"refused_memory": c.Refused,
		"slowed":         c.Slowed,
		"closed_stalled": c.Stalled,
		"closed_idle":    c.Idle,
		"memory":         c.Held,
		"log_dropped":    logDropped,
	}
	for reason, n := range s.Refused {
		all["refused_"+reason] = n
	}
	return all
}
