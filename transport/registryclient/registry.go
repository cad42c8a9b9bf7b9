// SPDX-License-Identifier: AGPL-3.0-only

package registryclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/text/unicode/norm"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/transport/client"
)

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
	Health      string          `json:"health"` // "passing", "warning", "critical" or "unknown"

	InactiveReason string `json:"inactive_reason"` // "unhealthy", for example; empty for an active one
	AnswersAs      string `json:"answers_as"`      // see HubName
	TTLSeconds     int64  `json:"ttl_seconds"`     // of its lease, 0 for none
}

// HubName returns the name of the hub there, which its methods begin with: the entry's
// own, unless that is an alias.
func (b Backend) HubName() string { return cmp.Or(b.AnswersAs, b.Name) }

// URL returns the address to dial.
func (b Backend) URL() string {
	return address.URL(cmp.Or(b.Protocol, "ws"), b.Host, b.Port)
}

// usable reports whether an entry has what is needed to dial it.
func (b *Backend) usable() bool {
	return b.Name != "" && b.Host != "" && b.Port > 0 && b.Port <= 65535
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
	Reason        string    `json:"inactive_reason"` // of a deregistration
	History       string    `json:"history"`
	UptimeSeconds int64     `json:"uptime_seconds"`
}

// readAnswer decodes what it can: a field of another type counts as absent. Names
// are in Unicode's NFC, the form in which ours are.
func readAnswer(method string, content json.RawMessage) (answer, error) {
	var a answer
	var mistyped *json.UnmarshalTypeError
	switch err := json.Unmarshal(content, &a); {
	case err != nil && !errors.As(err, &mistyped) || a.Type == "":
		return a, protocolError("%s: the registry answers %.64q", method, content)
	case a.Type == "error":
		return a, &client.Error{Method: method, Message: a.Message}
	}
	a.Name = norm.NFC.String(a.Name)
	if a.Backend != nil {
		a.Backend.Name = norm.NFC.String(a.Backend.Name)
	}
	for i := range a.Backends {
		a.Backends[i].Name = norm.NFC.String(a.Backends[i].Name)
	}
	return a, nil
}

// ask calls a method of the registry that answers once, with an answer of the
// type want.
func (r *registry) ask(ctx context.Context, method string, params any, want string, options ...client.CallOption) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	method = "registry." + method
	content, err := client.CallOne[json.RawMessage](ctx, r.Client, method, params, options...)
	if err != nil {
		return answer{}, err
	}
	a, err := readAnswer(method, content)
	if err == nil && a.Type != want {
		err = protocolError("%s: the registry answers with %.64q, and not %q", method, a.Type, want)
	}
	return a, err
}

// entry returns the entry of that name as the registry has it now; nil for
// none.
func (r *registry) entry(ctx context.Context, name string) (*Backend, error) {
	a, err := r.ask(ctx, "get", map[string]any{"name": name}, "backend", client.Idempotent())
	if err != nil {
		return nil, err
	}
	if a.Backend != nil && (a.Backend.Name != name || !a.Backend.usable()) {
		return nil, protocolError("the registry's entry of %q is invalid", name)
	}
	return a.Backend, nil
}

// refused reports whether the registry was reached, and answered with an
// error.
func refused(err error) bool {
	_, ok := errors.AsType[*client.Error](err)
	return ok
}

// protocolError is a client.ErrProtocol with its reason.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", client.ErrProtocol, fmt.Sprintf(format, args...))
}
