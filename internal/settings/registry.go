// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/plexus-go/plexus/config"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/auth"
	"github.com/plexus-go/plexus/transport/prober"
)

// Registry is how plexus-registry is to run.
type Registry struct {
	Port         int // 0 picks a free one
	Host         string
	ConfigPath   string // of backends.toml, which need not exist
	DBPath       string
	LogLevel     slog.Level
	HubNamespace string
	AutoRegister []registry.Address
	Health       registry.Health // without the prober
	Probe        prober.Credentials
	ForgetAfter  time.Duration // as registry.WithForgetAfter takes it
	Backends     *config.Env

	// Insecure allows serving other machines without TLS or authentication.
	Insecure       bool
	AllowedHosts   []string
	AllowedOrigins []string
	TrustedProxies []netip.Prefix
	TLS            transport.TLS
	Tokens         string // a file; empty for none
	JWT            auth.JWTConfig
	Anonymous      string // none, info, read or all

	Limits           transport.Limits
	MaxNameBytes     int
	MaxRegistrations int

	Table Table // which Read reads
}

// NewRegistry returns the defaults.
func NewRegistry() *Registry {
	none, _ := config.NewEnv("") // it is valid
	s := &Registry{
		Port: 4445, Host: "127.0.0.1", LogLevel: slog.LevelInfo, HubNamespace: "registry-hub",
		AutoRegister: []registry.Address{{Protocol: "ws", Host: "127.0.0.1", Port: 4444}},
		Health:       registry.Health{Interval: 30 * time.Second},
		Backends:     none,
		Limits:       transport.DefaultLimits(),
		MaxNameBytes: storage.MaxNameBytes, MaxRegistrations: registry.DefaultRegistrations,
	}
	s.Table = append(append(s.general(), s.access()...), s.limits()...)
	return s
}

// Read reads the settings, as [Table.Read] does, and checks them against each
// other.
func (s *Registry) Read(getenv func(string) string) error {
	if err := s.Table.Read(getenv); err != nil {
		return err
	}
	if err := errors.Join(s.finishHealth(), s.finishAccess()); err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return s.finishPaths(getenv)
}

func (s *Registry) general() Table {
	return Table{
		{Name: "port", Short: "p", Variable: "REGISTRY_PORT", Kind: "port", Value: one(&s.Port, parsePort),
			Help: "Port to listen on; 0 picks a free one."},
		{Name: "host", Variable: "REGISTRY_HOST", Kind: "host", Value: one(&s.Host, parseHost),
			Help: "Host name or address to listen on."},
		{Name: "config", Short: "c", Variable: "REGISTRY_CONFIG", Kind: "file", Value: one(&s.ConfigPath, parseFile),
			Default: "$XDG_CONFIG_HOME/plexus/backends.toml, or ~/.config/plexus/backends.toml",
			Help:    "File that lists backends; it need not exist. It is read again when it changes."},
		{Name: "db-path", Variable: "REGISTRY_DB_PATH", Kind: "file", Value: one(&s.DBPath, parseFile),
			Default: "registry.db in the folder of the file that lists backends",
			Help:    "Database file; created if it does not exist."},
		{Name: "log-level", Variable: "RUST_LOG", Kind: "level", Value: written(&s.LogLevel, parseLevel, formatLevel), Lenient: true,
			Help: "What to log: off, error, warn, info, debug or trace, or directives such as plexus=debug,info. A variable without a level counts as not set."},
		{Name: "hub-namespace", Variable: "REGISTRY_HUB_NAMESPACE", Kind: "name", Value: one(&s.HubNamespace, parseNamespace),
			Help: "Name of the hub that serves the registry."},
		{Name: "auto-register", Variable: "REGISTRY_AUTO_REGISTER", Kind: "url", Value: hubs(&s.AutoRegister),
			Help: "Where to look for hubs to register: ws:// or wss:// URLs, separated by commas or in several flags; off for none."},
		{Name: "health-interval", Variable: "REGISTRY_HEALTH_INTERVAL", Kind: "duration", Value: one(&s.Health.Interval, zeroOr(durationFrom(time.Second))),
			Help: "Time between two health checks of a backend, at least 1s; 0 for no checks."},
		{Name: "health-timeout", Variable: "REGISTRY_HEALTH_TIMEOUT", Kind: "duration", Value: one(&s.Health.Timeout, durationFrom(time.Millisecond)),
			Default: "2s, or half of the interval if that is shorter",
			Help:    "Time that a backend has to answer a health check, shorter than the interval."},
		{Name: "probe-ca", Variable: "REGISTRY_PROBE_CA", Kind: "file", Value: one(&s.Probe.CAFile, parseFile), Default: "none",
			Help: "Certificate authorities, as PEM, that health checks trust in addition to those of the system. This file and the next three are read again when they change."},
		{Name: "probe-cert", Variable: "REGISTRY_PROBE_CERT", Kind: "file", Value: one(&s.Probe.CertFile, parseFile), Default: "none",
			Help: "Certificate, as PEM, that health checks show to backends that ask for one."},
		{Name: "probe-key", Variable: "REGISTRY_PROBE_KEY", Kind: "file", Value: one(&s.Probe.KeyFile, parseFile), Default: "none",
			Help: "Private key of that certificate, as PEM."},
		{Name: "probe-token-file", Variable: "REGISTRY_PROBE_TOKEN_FILE", Kind: "file", Value: one(&s.Probe.TokenFile, parseFile), Default: "none",
			Help: "File with the token that health checks send to backends of this machine, and to those of --probe-token-host."},
		{Name: "probe-token-host", Variable: "REGISTRY_PROBE_TOKEN_HOSTS", Kind: "name", Value: listOf(&s.Probe.TokenHosts, parseTokenHost), Default: "this machine",
			Help: "Hosts, such as hub.example.com or .example.com for every name below, whose backends get the token as well, over wss only. Whoever may register a backend there can read it. Separated by commas or in several flags."},
		{Name: "forget-after", Variable: "REGISTRY_FORGET_AFTER", Kind: "duration", Value: limit(&s.ForgetAfter, zeroOr(durationBetween(time.Second, "87600h")), time.Duration.String),
			Default: "720h, which is 30 days",
			Help:    "Time after which an inactive entry is deleted if its hub gave no sign of life; 0 for never."},
		{Variable: "REGISTRY_BACKENDS", Value: one(&s.Backends, config.NewEnv), Default: "none",
			Help: "Backends to list, in addition to those of the file: name=URL, separated by commas, such as prod=wss://plexus.example.com:4444,dev=ws://127.0.0.1:4446."},
	}
}

// limits are set by variables with the names of the flags: REGISTRY_MAX_CALLS.
func (s *Registry) limits() Table {
	l := &s.Limits
	table := Table{
		{Group: "Limits (0 is no limit)",
			Name: "max-connections", Kind: "count", Value: countLimit(&l.MaxConnections),
			Help: "Connections in total."},
		{Name: "max-connections-per-address", Kind: "count", Value: countLimit(&l.MaxConnectionsPerAddress),
			Help: "Connections from one address."},
		{Name: "max-upgrade-rate", Kind: "count", Value: countLimit(&l.MaxRequestRate),
			Help: "Connections that one address may open per second, after a burst of ten times as many."},
		{Name: "max-call-rate", Kind: "count", Value: countLimit(&l.MaxCallsPerSecond),
			Help: "Calls that one connection may make per second; a client that makes more is slowed down."},
		{Name: "max-calls", Kind: "count", Value: countLimit(&l.MaxCalls), Help: "Calls of one connection that run at the same time."},
		{Name: "max-message", Kind: "size", Value: sizeLimit(&l.MaxMessageBytes), Help: "Size of a message from a client."},
		{Name: "max-header", Kind: "size", Value: sizeLimit(&l.MaxHeaderBytes),
			Help: "Size of the header of a request; without a limit, that of Go applies, 1MiB."},
		{Name: "max-depth", Kind: "count", Value: countLimit(&l.MaxDepth), Help: "How deep the JSON of a message may be nested."},
		{Name: "max-name", Kind: "count", Value: countLimit(&s.MaxNameBytes), Help: "Bytes of the name of a backend, never more than 255."},
		{Name: "max-registrations", Kind: "count", Value: countLimit(&s.MaxRegistrations), Help: "Backends that one caller may register."},
		{Name: "max-queue", Kind: "size", Value: sizeLimit(&l.MaxQueueBytes), Help: "Size of the send queue of a client that does not read."},
		{Name: "max-queued-items", Kind: "count", Value: countLimit(&l.MaxQueueFrames),
			Help: "Items in the send queue of a client that does not read."},
		{Name: "max-memory", Kind: "size", Value: sizeLimit(&l.MaxMemoryBytes),
			Help: "Approximate memory for all send queues and all messages that are being read."},
		{Name: "header-timeout", Kind: "duration", Value: timeLimit(&l.HeaderTimeout, time.Millisecond),
			Help: "Time for the header of a request."},
		{Name: "handshake-timeout", Kind: "duration", Value: timeLimit(&l.HandshakeTimeout, time.Millisecond),
			Help: "Time from the TCP connection to the end of the WebSocket handshake."},
		{Name: "idle-timeout", Kind: "duration", Value: timeLimit(&l.IdleTimeout, time.Second),
			Help: "Time that a connection may be open without a running call."},
	}
	for _, row := range table {
		row.Variable = "REGISTRY_" + strings.ToUpper(strings.ReplaceAll(row.Name, "-", "_"))
	}
	return table
}

// defaultHealthTimeout holds where the interval is longer.
const defaultHealthTimeout = 2 * time.Second

// finishHealth makes sure that a probe is over before the next one.
func (s *Registry) finishHealth() error {
	h, p := &s.Health, &s.Probe
	switch {
	case (p.CertFile == "") != (p.KeyFile == ""):
		return errors.New("--probe-cert needs --probe-key, and --probe-key needs --probe-cert")
	case len(p.TokenHosts) > 0 && p.TokenFile == "":
		return errors.New("--probe-token-host needs --probe-token-file")
	}
	if h.Timeout == 0 {
		h.Timeout = defaultHealthTimeout
		if h.Interval > 0 {
			h.Timeout = min(h.Timeout, h.Interval/2)
		}
	}
	if h.Interval == 0 || h.Timeout < h.Interval {
		return nil
	}
	return fmt.Errorf("the health timeout is %s (must be shorter than the health interval, %s)", h.Timeout, h.Interval)
}

// finishPaths sets the paths that were not given.
func (s *Registry) finishPaths(getenv func(string) string) error {
	if s.ConfigPath == "" {
		folder, err := configFolder(getenv)
		if err != nil {
			return err
		}
		s.ConfigPath = filepath.Join(folder, "backends.toml")
	}
	if s.DBPath == "" {
		s.DBPath = filepath.Join(filepath.Dir(s.ConfigPath), "registry.db")
	}
	if s.TLS.ACME.Cache == "" {
		s.TLS.ACME.Cache = filepath.Join(filepath.Dir(s.DBPath), "acme")
	}
	return nil
}

// configFolder is where the files of Plexus are by default. It follows the XDG
// rules on every system, macOS too.
func configFolder(getenv func(string) string) (string, error) {
	// A relative path is to be ignored, says the XDG specification.
	if folder := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "plexus"), nil
	}
	for _, variable := range []string{"HOME", "USERPROFILE"} {
		if home := getenv(variable); filepath.IsAbs(home) {
			return filepath.Join(home, ".config", "plexus"), nil
		}
	}
	return "", fmt.Errorf("invalid value for HOME: %s (must be an absolute path, unless --config or REGISTRY_CONFIG is given)", show(getenv("HOME")))
}
