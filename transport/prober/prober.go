// SPDX-License-Identifier: AGPL-3.0-only

package prober

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/internal/filewatch"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/transport/client"
)

// Health returns the usual health of a registry: every 30 seconds, each backend is
// asked for its name, and has 2 seconds to answer. The options are those of each
// connection; it is direct, without a proxy, unless an option says otherwise.
func Health(options ...client.Option) registry.Health {
	direct := append([]client.Option{client.WithProxy(nil), withSessions(&tls.Config{MinVersion: tls.VersionTLS12})}, options...)
	return registry.Health{
		Interval: 30 * time.Second,
		Timeout:  2 * time.Second,
		Probe:    func(ctx context.Context, url string) (string, error) { return probe(ctx, url, direct) },
	}
}

// Credentials are the files that probes need in a network of one's own. An empty
// path is none.
type Credentials struct {
	CAFile            string // authorities, as PEM, that are trusted beside those of the system
	CertFile, KeyFile string // the certificate that hubs are shown which ask for one
	TokenFile         string // holds the token that hubs are sent
	// TokenHosts are the hosts whose hubs are sent the token, over wss: names and
	// addresses, or ".example.com" for every name below that. Those of this
	// machine always are. Whoever registers a hub elsewhere does not get it.
	TokenHosts []string
}

// credentials are what the files hold.
type credentials struct {
	tls   client.Option
	token string
}

// New returns a function for [registry.Health] that uses the credentials, and the
// one that watches their files until ctx is done: probes use what they hold within
// a second of a change, and what they held before if it is wrong.
func New(c Credentials, log *slog.Logger) (ask func(ctx context.Context, url string) (name string, err error), run func(ctx context.Context), err error) {
	loaded, err := filewatch.Load(c.load, 1<<20, c.paths()...)
	if err != nil {
		return nil, nil, fmt.Errorf("credentials of probes: %w", err)
	}
	ask = func(ctx context.Context, url string) (string, error) {
		now := loaded.Get()
		options := []client.Option{client.WithProxy(nil), now.tls}
		if now.token != "" && c.mayHaveToken(url) {
			options = append(options, client.WithToken(now.token))
		}
		return probe(ctx, url, options)
	}
	return ask, func(ctx context.Context) {
		loaded.Follow(ctx, log, "the credentials of probes have changed and are wrong: the former ones stay in use",
			func() { log.Info("the credentials of probes were reloaded") })
	}, nil
}

// paths are those of the files that are given, in the order that load needs.
func (c *Credentials) paths() []string {
	return slices.DeleteFunc([]string{c.CAFile, c.CertFile, c.KeyFile, c.TokenFile}, func(path string) bool { return path == "" })
}

func (c *Credentials) load(files []filewatch.File) (now credentials, err error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	next := func() []byte {
		data := files[0].Data
		files = files[1:]
		return data
	}
	if c.CAFile != "" {
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(next()) {
			return now, fmt.Errorf("%s: no certificate in it", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.X509KeyPair(next(), next())
		if err != nil {
			return now, fmt.Errorf("%s and %s: %w", c.CertFile, c.KeyFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if c.TokenFile != "" {
		now.token = strings.TrimSpace(string(next()))
		if now.token == "" || strings.ContainsFunc(now.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return now, fmt.Errorf("%s: must hold one token", c.TokenFile)
		}
	}
	now.tls = withSessions(config)
	return now, nil
}

// withSessions makes probes of the same hubs cheaper.
func withSessions(config *tls.Config) client.Option {
	const maxSessions = 16 << 10 // or backends that are probed in turn would drive each other out
	config.ClientSessionCache = tls.NewLRUClientSessionCache(maxSessions)
	return client.WithTLS(config)
}

// mayHaveToken reports whether the hub at a URL is sent the token.
func (c *Credentials) mayHaveToken(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	return address.IsLoopback(host) || u.Scheme == "wss" && slices.ContainsFunc(c.TokenHosts, func(allowed string) bool {
		name, domain := strings.CutPrefix(allowed, ".")
		name, _ = address.Host(strings.ToLower(strings.TrimSuffix(name, ".")))
		return !domain && host == name || domain && strings.HasSuffix(host, "."+name)
	})
}

// probe asks the hub at a URL for its name.
func probe(ctx context.Context, url string, options []client.Option) (name string, err error) {
	info, err := client.Info(ctx, url, options...)
	switch {
	case err == nil:
		return info.Name, nil
	case refusesUs(err):
		return "", fmt.Errorf("%w: %w", registry.ErrNotForUs, err)
	case isSilence(err):
		return "", fmt.Errorf("%w: %w", registry.ErrNoAnswer, err)
	}
	return "", err
}

// refusesUs reports whether a hub is there, and wants other credentials, another
// Host, or fewer requests.
func refusesUs(err error) bool {
	if failed, ok := errors.AsType[*client.DialError](err); ok && slices.Contains([]int{401, 403, 421, 429, 503}, failed.Status) {
		return true
	}
	answered, ok := errors.AsType[*client.Error](err)
	return ok && slices.Contains([]int{plugin.CodeUnauthenticated, plugin.CodeForbidden, plugin.CodeTooMany}, answered.ErrorCode())
}

// isSilence reports whether nothing was heard of a hub, nor of its machine: its name
// could not be looked up, or TCP did not connect and was not refused.
func isSilence(err error) bool {
	failed, ok := errors.AsType[*client.DialError](err)
	if !ok || failed.Step != client.StepConnect {
		return false // it has accepted the connection
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return !lookup.IsNotFound
	}
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		return true
	}
	return slices.ContainsFunc([]error{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.EPERM, syscall.EACCES},
		func(unreachable error) bool { return errors.Is(err, unreachable) })
}
