// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/plexus-go/plexus/internal/connect"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// DefaultRegistry is where hubs of the field look for the registry that they
// announce themselves to.
const DefaultRegistry = "ws://127.0.0.1:4444"

// RegistryURL returns where the environment says that the registry is:
// PLEXUS_REGISTRY_URL, or DefaultRegistry where that is not set. It is empty,
// for none, where PLEXUS_NO_REGISTRY is 1, true or yes, in any case. getenv is
// os.Getenv, but for tests.
func RegistryURL(getenv func(string) string) string {
	switch strings.ToLower(strings.TrimSpace(getenv("PLEXUS_NO_REGISTRY"))) {
	case "1", "true", "yes":
		return ""
	}
	return cmp.Or(strings.TrimSpace(getenv("PLEXUS_REGISTRY_URL")), DefaultRegistry)
}

// WithLogger sets where [Register] and a [Resolver] log each change of their
// state, once; the default is nowhere.
func WithLogger(log *slog.Logger) client.Option {
	return func(s *connect.Settings) {
		if log != nil {
			s.Log = log
		}
	}
}

// Backend is an entry of a registry. What the registry does not say is zero.
// Times are Unix seconds.
type Backend struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Host        string          `json:"host"` // IPv6 addresses without brackets
	Port        int             `json:"port"`
	Protocol    string          `json:"protocol"` // "ws" or "wss"
	Description string          `json:"description"`
	Namespace   string          `json:"namespace"`
	Version     string          `json:"version"`
	Metadata    json.RawMessage `json:"metadata"` // an object, or what other registries hold
	Source      string          `json:"source"`   // "auto", "file", "manual" or "env"
	Active      bool            `json:"is_active"`
	LastSeen    int64           `json:"last_seen"`
	UpdatedAt   int64           `json:"updated_at"`
	Health      string          `json:"health"`      // "passing", "warning", "critical" or "unknown"
	TTLSeconds  int64           `json:"ttl_seconds"` // of its lease, 0 for none
}

// URL returns the address to dial.
func (b Backend) URL() string {
	return cmp.Or(b.Protocol, "ws") + "://" + net.JoinHostPort(b.Host, strconv.Itoa(b.Port))
}

// usable tells that an entry says what is needed of it.
func (b *Backend) usable() bool {
	return b.Name != "" && b.Host != "" && b.Port > 0 && b.Port <= 65535
}

// Registries are asked by the times that hubs of the field have.
const (
	registryDialTime = 2 * time.Second
	registryCallTime = 5 * time.Second
)

// settings are the options of connections to one registry.
type settings struct{ connect.Settings }

// newSettings sets what options leave: a connection that is lost is noticed,
// and made again, within a few seconds.
func newSettings(options []client.Option) *settings {
	s := &settings{*connect.Defaults()}
	for _, option := range append([]client.Option{
		client.WithDialTimeout(registryDialTime),
		client.WithKeepAlive(time.Second, 3*time.Second),
		client.WithBackoff(250*time.Millisecond, 2*time.Second),
	}, options...) {
		option(&s.Settings)
	}
	// Whoever has registered, or watches, must know of every lost connection.
	s.Reconnect = false
	return s
}

func (s *settings) backoff() connect.Backoff { return connect.Backoff{Min: s.MinWait, Max: s.MaxWait} }

// registry is a connection to one.
type registry struct {
	*client.Client
	ended chan struct{} // closed when the connection was lost
	lost  error         // why, once ended
}

// dial connects to the registry. The end of abort, unless it is nil, closes
// the connection at once.
func (s *settings) dial(ctx, abort context.Context, url string) (*registry, error) {
	r := &registry{ended: make(chan struct{})}
	own := s.Settings
	own.Ended = func(err error) {
		r.lost = err
		close(r.ended)
	}
	if abort != nil {
		own.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.NetDial(ctx, network, address)
			if err == nil {
				context.AfterFunc(abort, func() { conn.Close() })
			}
			return conn, err
		}
	}
	var err error
	r.Client, err = client.Dial(ctx, url, func(s *connect.Settings) { *s = own })
	return r, err
}

// checkURL says what is wrong with an address, before it is tried again and
// again. The error is a [*client.DialError].
func checkURL(url string) error {
	if _, err := connect.ParseURL(url); err != nil {
		return &client.DialError{URL: connect.RedactURL(url), Step: client.StepURL, Err: err}
	}
	return nil
}

// answer is the content of whatever a registry answers with.
type answer struct {
	Type          string    `json:"type"`
	Name          string    `json:"name"`
	Message       string    `json:"message"`
	Success       bool      `json:"success"`
	Backend       *Backend  `json:"backend"`
	Backends      []Backend `json:"backends"`
	LeaseID       string    `json:"lease_id"`
	Revision      int64     `json:"revision"`
	UptimeSeconds int64     `json:"uptime_seconds"`
}

// readAnswer reads what it can: a field of another type is as good as none.
func readAnswer(content []byte) (answer, error) {
	var a answer
	var mistyped *json.UnmarshalTypeError
	if err := json.Unmarshal(content, &a); err != nil && !errors.As(err, &mistyped) || a.Type == "" {
		return a, protocolError("the registry answers %.64q", content)
	}
	return a, nil
}

// refusal is an error that the registry answered as data.
type refusal struct{ method, message string }

func (r *refusal) Error() string { return r.method + ": " + r.message }

// askRegistry calls a method that answers once, and checks the type of the
// answer.
func (r *registry) ask(ctx context.Context, method string, params any, want string, options ...client.CallOption) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, registryCallTime)
	defer cancel()
	method = "registry." + method
	content, err := client.CallOne[json.RawMessage](ctx, r.Client, method, params, options...)
	if err != nil {
		return answer{}, err
	}
	a, err := readAnswer(content)
	switch {
	case err != nil:
		return a, fmt.Errorf("%s: %w", method, err)
	case a.Type == "error":
		return a, &refusal{method, a.Message}
	case a.Type != want:
		return a, fmt.Errorf("%s: %w", method, protocolError("the registry answers with %.64q, and not %q", a.Type, want))
	}
	return a, nil
}

// entry returns the entry of that name as the registry has it now; nil for
// none.
func (r *registry) entry(ctx context.Context, name string) (*Backend, error) {
	a, err := r.ask(ctx, "get", map[string]any{"name": name}, "backend", client.Idempotent())
	if err != nil {
		return nil, err
	}
	if a.Backend != nil && (a.Backend.Name != name || !a.Backend.usable()) {
		return nil, protocolError("the registry's entry of %q makes no sense", name)
	}
	return a.Backend, nil
}

// refused tells that the registry was reached, and said no.
func refused(err error) bool {
	var answered *client.Error
	var told *refusal
	return errors.As(err, &answered) || errors.As(err, &told)
}

// unknownMethod tells that the registry said no because it knows no such
// method.
func unknownMethod(err error) bool {
	var e *client.Error
	return errors.As(err, &e) &&
		(e.ErrorCode() == plugin.CodeMethodNotFound || strings.HasPrefix(e.Message, "Method not found"))
}

// protocolError is a client.ErrProtocol with its reason.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", client.ErrProtocol, fmt.Sprintf(format, args...))
}
