// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/storage"
)

// registerParams are the parameters of register.
type registerParams struct {
	Name        string   `json:"name" description:"The hub's own name, which is unique in the registry"`
	Host        string   `json:"host" description:"The host name or IP address at which clients reach the hub, without scheme and port"`
	Port        uint16   `json:"port" description:"The TCP port at which clients reach the hub"`
	Protocol    *string  `json:"protocol" description:"\"wss\" for a hub with TLS, else \"ws\", which is the default"`
	Description *string  `json:"description" description:"What the hub is for; where absent, an earlier description stays"`
	Namespace   *string  `json:"namespace" description:"The group of hubs that it belongs to, by which lists can be filtered"`
	Version     *string  `json:"version" description:"The version of the hub"`
	Metadata    metadata `json:"metadata,omitzero" description:"Any JSON object, or a string that holds one, up to 16 KiB; it is returned as an object"`
	Source      *string  `json:"source" description:"Who registers: \"auto\" for a hub that announces itself, else \"manual\""`
	TTLSeconds  *uint32  `json:"ttl_seconds" description:"Deactivate the backend unless it is pinged or registered again within so many seconds (5 to 86400)"`
}

// accepted says in JSON Schema what the rules of storage accept, by the names of
// parameters. A length is in characters there, in bytes here. The port is
// known to clients with a minimum of 0.
var accepted = map[string]string{
	"name":        `{"minLength": 1, "maxLength": 255}`,
	"host":        `{"minLength": 1, "maxLength": 255}`,
	"port":        `{"exclusiveMinimum": 0}`,
	"protocol":    `{"enum": ["ws", "wss", null]}`,
	"description": `{"maxLength": 4096}`,
	"namespace":   `{"maxLength": 255}`,
}

// SchemaDetails says what Validate accepts.
func (registerParams) SchemaDetails() map[string]string {
	details := maps.Clone(accepted)
	details["version"] = `{"maxLength": 255}`
	details["source"] = `{"enum": ["auto", "manual", null]}`
	details["ttl_seconds"] = fmt.Sprintf(`{"minimum": %d, "maximum": %d}`, minTTL, maxTTL)
	return details
}

// The bounds of a lease, in seconds.
const minTTL, maxTTL = 5, 86_400

// maxFilterBytes bounds the filters of a watch, which are kept as long as it
// lasts. Names that another program has left may be longer than ours.
const maxFilterBytes = 4 << 10

// invalid is the error of a parameter with a value that breaks a rule.
func invalid(field string, value any, rule string) error {
	if text, ok := value.(string); ok {
		value = fmt.Sprintf("%.64q", text)
	}
	return &storage.FieldError{Field: field, Value: fmt.Sprint(value), Rule: rule}
}

// backend is the entry that the parameters make of old, the zero Backend where
// there is none.
func (p *registerParams) backend(old storage.Backend) storage.Backend {
	b := old
	b.Name, b.Host, b.Port, b.Protocol = p.Name, p.Host, int(p.Port), valueOr(p.Protocol, "")
	b.Description = cmp.Or(p.Description, old.Description)
	b.Namespace = cmp.Or(p.Namespace, old.Namespace)
	b.Version = cmp.Or(p.Version, old.Version)
	if p.Metadata != nil {
		b.Metadata = json.RawMessage(p.Metadata)
	}
	b.Source = storage.Source(valueOr(p.Source, string(storage.SourceManual)))
	b.Runtime, b.Adopted = true, false
	b.Inactive &= storage.ReasonUnhealthy
	b.LeaseID, b.LeaseSeconds = "", 0
	if p.TTLSeconds != nil {
		b.LeaseID, b.LeaseSeconds = uuid.NewString(), int64(*p.TTLSeconds)
	}
	b.Normalize()
	return b
}

// Validate checks the parameters by the rules for backends. As those of every other
// method, it gives the name its one form, before anything reads it.
func (p *registerParams) Validate() error {
	p.Name = storage.NormalizeName(p.Name)
	if p.Source != nil && *p.Source != string(storage.SourceAuto) && *p.Source != string(storage.SourceManual) {
		return invalid("source", *p.Source, `is neither "auto" nor "manual"`)
	}
	if p.TTLSeconds != nil && (*p.TTLSeconds < minTTL || *p.TTLSeconds > maxTTL) {
		return invalid("ttl_seconds", *p.TTLSeconds, fmt.Sprintf("is not %d–%d", minTTL, maxTTL))
	}
	return validate(p.backend(storage.Backend{}), p.Protocol)
}

// validate checks a backend that was made of parameters. Normalize takes an empty
// protocol for one that is not given; here it was.
func validate(b storage.Backend, protocol *string) error {
	if protocol != nil && *protocol == "" {
		b.Protocol = ""
	}
	return b.Validate()
}

// updateParams are the parameters of update.
type updateParams struct {
	Name        string  `json:"name" description:"The name of the backend to change"`
	Host        *string `json:"host" description:"Its new host name or IP address, without scheme and port"`
	Port        *uint16 `json:"port" description:"Its new TCP port"`
	Protocol    *string `json:"protocol" description:"Its new protocol: \"ws\", or \"wss\" for TLS"`
	Description *string `json:"description" description:"Its new description"`
	Namespace   *string `json:"namespace" description:"The new group of hubs that it belongs to"`
}

// SchemaDetails says what Validate accepts. Names that another program has left
// may break our rules.
func (updateParams) SchemaDetails() map[string]string {
	details := maps.Clone(accepted)
	delete(details, "name")
	return details
}

// apply changes what is given of b.
func (p *updateParams) apply(b *storage.Backend) {
	if p.Host != nil {
		b.Host, _ = storage.NormalizeHost(*p.Host)
	}
	if p.Port != nil {
		b.Port = int(*p.Port)
	}
	if p.Protocol != nil {
		b.Protocol = strings.ToLower(*p.Protocol)
	}
	b.Description = cmp.Or(p.Description, b.Description)
	b.Namespace = cmp.Or(p.Namespace, b.Namespace)
}

// Validate checks what is given, and no more: an entry that breaks today's rules
// elsewhere can still be fixed piece by piece.
func (p *updateParams) Validate() error {
	p.Name = storage.NormalizeName(p.Name)
	normalize(&p.Namespace)
	b := storage.Backend{Name: "any", Host: "any", Port: 1, Protocol: "ws", Source: storage.SourceManual}
	p.apply(&b)
	return validate(b, p.Protocol)
}

// listParams are the parameters of list.
type listParams struct {
	ActiveOnly *bool   `json:"active_only" description:"False to list inactive backends, too; true where absent"`
	Namespace  *string `json:"namespace" description:"Only backends of this routing namespace"`
	Source     *string `json:"source" description:"Only backends from this source: auto, file, manual or env"`
	Limit      *uint32 `json:"limit" description:"At most so many backends; all where absent"`
	After      *string `json:"after" description:"Go on after the page that gave this as next"`
}

// SchemaDetails says what Validate accepts.
func (listParams) SchemaDetails() map[string]string {
	return map[string]string{"source": `{"enum": ["auto", "file", "manual", "env", null]}`, "limit": `{"minimum": 1}`}
}

// Validate checks the parameters that not every value makes sense for.
func (p *listParams) Validate() error {
	normalize(&p.Namespace)
	if p.Source != nil && rank(storage.Source(*p.Source)) < 0 && *p.Source != string(storage.SourceManual) {
		return invalid("source", *p.Source, "is not one of auto, file, manual, env")
	}
	if p.Limit != nil && *p.Limit == 0 {
		return invalid("limit", 0, "is not above 0")
	}
	if p.After != nil {
		if _, ok := parseCursor(*p.After); !ok {
			return invalid("after", *p.After, "is not what a page gave as next")
		}
	}
	return nil
}

// nameParams are the parameters of get.
type nameParams struct {
	Name string `json:"name" description:"The name of the backend"`
}

// Validate gives the name its one form.
func (p *nameParams) Validate() error {
	p.Name = storage.NormalizeName(p.Name)
	return nil
}

// leaseParams are the parameters of the methods that concern one registration.
type leaseParams struct {
	Name    string  `json:"name" description:"The name of the backend"`
	LeaseID *string `json:"lease_id" description:"Only if this registration is still the present one"`
}

func (p leaseParams) name() string { return p.Name }

// Validate gives the name its one form.
func (p *leaseParams) Validate() error {
	p.Name = storage.NormalizeName(p.Name)
	return nil
}

// check fails where the entry does not exist, or its present registration is not
// the one that is meant.
func (p *leaseParams) check(old *storage.Backend) error {
	switch {
	case old == nil:
		return notFound(p.Name)
	case p.LeaseID != nil && *p.LeaseID != old.LeaseID:
		return refusal(fmt.Sprintf("Lease %s is not the present one of backend %s", shorten(*p.LeaseID), shorten(p.Name)))
	}
	return nil
}

// watchParams are the parameters of watch.
type watchParams struct {
	Name      *string `json:"name" description:"Only the backend of this name"`
	Namespace *string `json:"namespace" description:"Only backends of this routing namespace"`
	After     *int64  `json:"after" description:"Go on after this revision, without the list that a watch begins with"`
	History   *string `json:"history" description:"The history that came with the revision: another one can't be resumed"`
}

// SchemaDetails says what Validate accepts.
func (watchParams) SchemaDetails() map[string]string {
	length := fmt.Sprintf(`{"maxLength": %d}`, maxFilterBytes)
	return map[string]string{"name": length, "namespace": length, "history": length}
}

// Validate checks how long the texts are.
func (p *watchParams) Validate() error {
	normalize(&p.Name)
	normalize(&p.Namespace)
	for field, filter := range map[string]*string{"name": p.Name, "namespace": p.Namespace, "history": p.History} {
		if len(valueOr(filter, "")) > maxFilterBytes {
			return invalid(field, *filter, fmt.Sprintf("is longer than %d bytes", maxFilterBytes))
		}
	}
	return nil
}

// normalize gives a text that is compared its one form; nil stays nil.
func normalize(text **string) {
	if *text != nil {
		*text = new(storage.NormalizeName(**text))
	}
}

func valueOr[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}
