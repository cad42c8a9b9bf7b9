// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/storage"
)

// registerParams are the parameters of register.
type registerParams struct {
	Name        string   `json:"name" description:"The name parameter"`
	Host        string   `json:"host" description:"The host parameter"`
	Port        uint16   `json:"port" description:"The port parameter"`
	Protocol    *string  `json:"protocol" description:"The protocol parameter"`
	Description *string  `json:"description" description:"The description parameter"`
	Namespace   *string  `json:"namespace" description:"The namespace parameter"`
	Version     *string  `json:"version" description:"The version of the hub"`
	Metadata    metadata `json:"metadata,omitzero" description:"Any JSON object, up to 16 KiB; returned as it came"`
	Source      *string  `json:"source" description:"Who registers: \"auto\" for a hub that announces itself, else \"manual\""`
	TTLSeconds  *uint32  `json:"ttl_seconds" description:"Deactivate the backend unless it is pinged or registered again within so many seconds (5 to 86400)"`
}

// The bounds of a lease, in seconds.
const (
	leastTTL = 5
	mostTTL  = 86_400
)

// backend is what the parameters say, normalized; what they leave open is
// taken from old, the zero Backend where there is none.
func (p *registerParams) backend(old storage.Backend) storage.Backend {
	b := old
	b.Name, b.Host, b.Port = p.Name, p.Host, int(p.Port)
	b.Protocol = valueOr(p.Protocol, "")
	b.Description = firstOf(p.Description, old.Description)
	b.Namespace = firstOf(p.Namespace, old.Namespace)
	b.Version = firstOf(p.Version, old.Version)
	if p.Metadata != nil {
		b.Metadata = json.RawMessage(p.Metadata)
	}
	b.Source = storage.Source(valueOr(p.Source, string(storage.SourceManual)))
	b.Runtime, b.Adopted = true, false
	b.Active, b.Reason = true, ""
	b.LeaseID, b.LeaseSeconds = "", 0
	if p.TTLSeconds != nil {
		b.LeaseID, b.LeaseSeconds = uuid.NewString(), int64(*p.TTLSeconds)
	}
	b.Normalize()
	return b
}

// Validate checks what was given by the rules for backends.
func (p *registerParams) Validate() error {
	if p.Source != nil && *p.Source != string(storage.SourceAuto) && *p.Source != string(storage.SourceManual) {
		return &storage.FieldError{Field: "source", Value: fmt.Sprintf("%.64q", *p.Source), Rule: `is neither "auto" nor "manual"`}
	}
	if p.TTLSeconds != nil && (*p.TTLSeconds < leastTTL || *p.TTLSeconds > mostTTL) {
		return &storage.FieldError{Field: "ttl_seconds", Value: fmt.Sprint(*p.TTLSeconds),
			Rule: fmt.Sprintf("is not %d–%d", leastTTL, mostTTL)}
	}
	b := p.backend(storage.Backend{})
	if p.Protocol != nil && *p.Protocol == "" {
		b.Protocol = "" // Normalize takes it for absent
	}
	return b.Validate()
}

// listParams are the parameters of list.
type listParams struct {
	ActiveOnly *bool   `json:"active_only" description:"The active_only parameter"` // true where absent
	Namespace  *string `json:"namespace" description:"Only backends of this routing namespace"`
	Source     *string `json:"source" description:"Only backends from this source: auto, file, manual or env"`
	Limit      *uint32 `json:"limit" description:"At most so many backends; all where absent"`
	After      *string `json:"after" description:"Go on after the page that gave this as next"`
}

// Validate checks what only certain values make sense for.
func (p *listParams) Validate() error {
	if p.Source != nil && rank(storage.Source(*p.Source)) < 0 && *p.Source != string(storage.SourceManual) {
		return &storage.FieldError{Field: "source", Value: fmt.Sprintf("%.64q", *p.Source), Rule: "is not one of auto, file, manual, env"}
	}
	if p.Limit != nil && *p.Limit == 0 {
		return &storage.FieldError{Field: "limit", Value: "0", Rule: "is not above 0"}
	}
	if p.After != nil {
		if _, err := parseCursor(*p.After); err != nil {
			return &storage.FieldError{Field: "after", Value: fmt.Sprintf("%.64q", *p.After), Rule: "is not what a page gave as next"}
		}
	}
	return nil
}

// nameParams are the parameters of get.
type nameParams struct {
	Name string `json:"name" description:"The name parameter"`
}

// leaseParams are the parameters of what concerns one registration.
type leaseParams struct {
	Name    string  `json:"name" description:"The name parameter"`
	LeaseID *string `json:"lease_id" description:"Only if this registration is still the present one"`
}

func (p leaseParams) name() string { return p.Name }

// watchParams are the parameters of watch.
type watchParams struct {
	Name      *string `json:"name" description:"Only the backend of this name"`
	Namespace *string `json:"namespace" description:"Only backends of this routing namespace"`
	After     *int64  `json:"after" description:"Go on after this revision, without the list that a watch begins with"`
}

// updateParams are the parameters of update.
type updateParams struct {
	Name        string  `json:"name" description:"The name parameter"`
	Host        *string `json:"host" description:"The host parameter"`
	Port        *uint16 `json:"port" description:"The port parameter"`
	Protocol    *string `json:"protocol" description:"The protocol parameter"`
	Description *string `json:"description" description:"The description parameter"`
	Namespace   *string `json:"namespace" description:"The namespace parameter"`
}

// apply makes the changes to b.
func (p *updateParams) apply(b *storage.Backend) {
	b.Host = valueOr(p.Host, b.Host)
	if p.Port != nil {
		b.Port = int(*p.Port)
	}
	if p.Protocol != nil {
		b.Protocol = *p.Protocol
		b.Normalize()
	}
	b.Description = firstOf(p.Description, b.Description)
	b.Namespace = firstOf(p.Namespace, b.Namespace)
}

// Validate checks what was given, and only that: an entry that breaks today's
// rules elsewhere can still be mended piece by piece.
func (p *updateParams) Validate() error {
	b := storage.Backend{Name: "any", Host: "any", Port: 1, Protocol: "ws", Source: storage.SourceManual}
	p.apply(&b)
	if p.Protocol != nil && *p.Protocol == "" {
		b.Protocol = "" // Normalize takes it for absent
	}
	return b.Validate()
}

func valueOr[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

func firstOf[T any](p, fallback *T) *T {
	if p != nil {
		return p
	}
	return fallback
}

// Validate refuses filters that nothing can pass.
func (p *watchParams) Validate() error {
	if p.Name != nil && len(*p.Name) > mostFilter {
		return &storage.FieldError{Field: "name", Value: fmt.Sprintf("%.64q", *p.Name), Rule: fmt.Sprintf("is longer than %d bytes", mostFilter)}
	}
	if p.Namespace != nil && len(*p.Namespace) > mostFilter {
		return &storage.FieldError{Field: "namespace", Value: fmt.Sprintf("%.64q", *p.Namespace), Rule: fmt.Sprintf("is longer than %d bytes", mostFilter)}
	}
	return nil
}

// mostFilter bounds the filters of a watch, which are kept as long as it lasts.
// Names that another program has left may be longer than ours.
const mostFilter = 4 << 10
