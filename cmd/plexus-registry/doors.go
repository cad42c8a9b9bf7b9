// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/plexus-go/plexus/config"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/auth"
	"github.com/plexus-go/plexus/transport/websocket"
)

// doors is who may come in, and how.
type doors struct {
	tls        *tls.Config // nil for none
	mechanisms []string    // for _info
	warning    string      // empty where nothing is unsafe
	options    []transport.Option

	tokens *auth.Tokens // nil for none
	jwt    *auth.JWT    // nil for none
}

// openDoors reads what the settings name, and refuses to serve other machines
// without protection unless that was said aloud.
func openDoors(ctx context.Context, settings config.Settings, at net.Addr, log *slog.Logger) (*doors, error) {
	d := &doors{}
	if settings.Encrypts() {
		var err error
		d.tls, err = transport.NewTLSConfig(ctx, transport.TLS{
			CertFile: settings.TLSCert, KeyFile: settings.TLSKey,
			ClientCAFile: settings.TLSClientCA, ClientCertOptional: settings.TLSClientCA != "",
			ACME: transport.ACME{Names: settings.ACMENames, Cache: settings.ACMECache, Directory: settings.ACMEDirectory, Email: settings.ACMEEmail},
		}, log)
		if err != nil {
			return nil, err
		}
		d.options = append(d.options, transport.WithTLS(d.tls))
	}
	authenticator, err := d.authenticator(settings.Doors, log)
	if err != nil {
		return nil, err
	}
	if authenticator != nil {
		d.options = append(d.options, transport.WithAuthentication(authenticator))
	}
	switch settings.Anonymous {
	case "all":
		d.options = append(d.options, transport.WithAnonymous("*"))
	case "read":
		d.options = append(d.options, transport.WithAnonymous(registry.ScopeRead))
	}
	if settings.Anonymous != "none" {
		d.mechanisms = append([]string{"anonymous"}, d.mechanisms...)
	}
	protected := settings.Authenticates() && settings.Anonymous != "all"
	err = transport.CheckExposure(at, settings.Encrypts(), protected)
	if err == nil && len(settings.TrustedProxies) > 0 && !protected {
		// The TLS is the proxy's, but it asks nobody who they are.
		err = fmt.Errorf("serving %s through a proxy: other machines can reach it, and there is no authentication", at)
	}
	if err != nil {
		if !settings.Insecure {
			return nil, fmt.Errorf("%w (give --tls-cert, --tls-key and --tokens, without --anonymous=all, or --insecure if that is meant)", err)
		}
		d.warning = err.Error()
		log.Warn("insecure", "reason", d.warning)
	}
	d.options = append(d.options,
		transport.WithLogger(log),
		transport.WithAllowedHosts(settings.AllowedHosts...),
		transport.WithAllowedOrigins(settings.AllowedOrigins...),
		transport.WithTrustedProxies(settings.TrustedProxies...),
		transport.WithLimits(limits(settings.Limits)),
	)
	return d, nil
}

// authenticator joins all ways to prove who one is; nil for none.
func (d *doors) authenticator(settings config.Doors, log *slog.Logger) (transport.Authenticate, error) {
	var all []transport.Authenticate
	var err error
	if settings.Tokens != "" {
		if d.tokens, err = auth.OpenTokens(settings.Tokens, log); err != nil {
			return nil, err
		}
		all = append(all, d.tokens.Authenticate)
	}
	if settings.JWTKeys != "" {
		d.jwt, err = auth.NewJWT(auth.JWTConfig{
			JWKS: settings.JWTKeys, Issuer: settings.JWTIssuer, Audience: settings.JWTAudience,
			ScopePrefix: registry.Namespace + ":", Log: log,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, d.jwt.Authenticate)
	}
	if len(all) > 0 {
		d.mechanisms = auth.SecretKinds()
	}
	if settings.TLSClientCA != "" {
		d.mechanisms = append(d.mechanisms, "certificate")
		all = append(all, d.tokens.AuthenticateCertificate) // the settings see to it that there are some
	}
	if len(all) == 0 {
		return nil, nil
	}
	return auth.Any(all...), nil
}

// recheck is how often callers are asked about again whose credentials may have
// expired.
const recheck = 30 * time.Second

// watch keeps tokens and keys as their files say, and out of the server whom they
// let in no more, until ctx is done.
func (d *doors) watch(ctx context.Context, server *transport.Server) {
	var running sync.WaitGroup
	defer running.Wait()
	if d.tokens != nil || d.jwt != nil {
		running.Go(func() {
			for ctx.Err() == nil {
				var changed <-chan struct{}
				if d.tokens != nil {
					changed = d.tokens.Changed()
				}
				server.Recheck()
				select {
				case <-ctx.Done():
				case <-changed:
				case <-time.After(recheck):
				}
			}
		})
	}
	if d.tokens != nil {
		running.Go(func() { d.tokens.Run(ctx) })
	}
	if d.jwt != nil {
		running.Go(func() { d.jwt.Run(ctx) })
	}
}

func limits(l config.Limits) transport.Limits {
	return transport.Limits{
		MaxConnections:           l.MaxConnections,
		MaxConnectionsPerAddress: l.MaxConnectionsPerAddress,
		MaxRequestRate:           float64(l.MaxUpgradeRate),
		MaxRequestBurst:          10 * l.MaxUpgradeRate,
		MaxHeaderBytes:           l.MaxHeader,
		HeaderTimeout:            l.HeaderTimeout,
		HandshakeTimeout:         l.HandshakeTimeout,
		Limits: websocket.Limits{
			MaxMessageBytes:   int64(l.MaxMessage),
			MaxDepth:          l.MaxDepth,
			MaxCallsPerSecond: l.MaxCallRate,
			MaxCalls:          l.MaxCalls,
			MaxQueueBytes:     l.MaxQueue,
			MaxQueueFrames:    l.MaxQueuedItems,
			MaxMemoryBytes:    int64(l.MaxMemory),
			IdleTimeout:       l.IdleTimeout,
		},
	}
}

// counters are those that registry.status shows.
func counters(s transport.Stats) map[string]int64 {
	c := s.WebSocket
	return map[string]int64{
		"connections":         s.Connections,
		"pending":             s.Pending,
		"accepted":            s.Accepted,
		"refused_malformed":   s.RefusedMalformed,
		"refused_host":        s.RefusedHost,
		"refused_origin":      s.RefusedOrigin,
		"refused_credentials": s.RefusedCredentials,
		"refused_rate":        s.RefusedRate,
		"refused_address":     s.RefusedAddress,
		"refused_limit":       s.RefusedLimit,
		"refused_late":        s.RefusedLate,
		"refused_large":       c.Large,
		"refused_deep":        c.Deep,
		"refused_calls":       c.Busy,
		"refused_memory":      c.Refused,
		"slowed":              c.Slowed,
		"closed_stalled":      c.Stalled,
		"closed_idle":         c.Idle,
		"memory":              c.Held,
	}
}
