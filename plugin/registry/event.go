// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
)

// event is what every method of the registry answers with.
type event struct {
	plugin.Union `discriminator:"type" title:"RegistryEvent" description:"Events emitted by registry methods"`

	Registered   *backendEvent  `tag:"backend_registered" description:"Backend was registered"`
	Updated      *backendEvent  `tag:"backend_updated" description:"Backend was updated"`
	Deleted      *nameEvent     `tag:"backend_deleted" description:"Backend was deleted"`
	Deregistered *nameEvent     `tag:"backend_deregistered" description:"Backend was deactivated, and is kept"`
	Backends     *backendsEvent `tag:"backends" description:"List of backends"`
	Backend      *lookupEvent   `tag:"backend" description:"Single backend info"`
	Ping         *pingEvent     `tag:"ping" description:"Ping response"`
	Reloaded     *reloadedEvent `tag:"reloaded" description:"Config reloaded"`
	Status       *statusEvent   `tag:"status" description:"State of the registry"`
	Error        *errorEvent    `tag:"error" description:"Error occurred"`
}

// backendEvent carries an entry.
type backendEvent struct {
	Backend  BackendInfo `json:"backend"`
	LeaseID  string      `json:"lease_id,omitzero" description:"Names this registration, to renew or end it and no other"`
	Revision int64       `json:"revision,omitzero" description:"Revision of the change, where changes are watched"`
	History  string      `json:"history,omitzero" description:"Identifies where the revision counts: give it back with after"`
}

// nameEvent names an entry.
type nameEvent struct {
	Name           string         `json:"name"`
	Revision       int64          `json:"revision,omitzero" description:"Revision of the change, where changes are watched"`
	History        string         `json:"history,omitzero" description:"Identifies where the revision counts: give it back with after"`
	InactiveReason InactiveReason `json:"inactive_reason,omitzero" description:"Why the backend is inactive now"`
	Left           bool           `json:"left,omitzero" description:"The backend is still there, but the filters of this watch don't let it through any more"`
}

// backendsEvent is a list, the newest entry first.
type backendsEvent struct {
	Backends []*BackendInfo `json:"backends"`
	Next     string         `json:"next,omitzero" description:"Where the next page begins: give it as after; absent on the last page"`
	Revision *int64         `json:"revision,omitzero" description:"Revision that the list is of, where changes are watched"`
	History  string         `json:"history,omitzero" description:"Identifies where the revision counts: give it back with after"`
}

// lookupEvent is the entry that was asked for, null if there is none.
type lookupEvent struct {
	Backend *BackendInfo `json:"backend"`
}

// pingEvent says whether there was a backend to ping.
type pingEvent struct {
	Name    string `json:"name"`
	Success bool   `json:"success"`
	Message string `json:"message"`

	activated bool // the entry was inactive
	unknown   bool // there is no entry
}

// reloadedEvent says how many backends a load added or changed.
type reloadedEvent struct {
	Count uint `json:"count"`
}

// errorEvent is a failure that the caller can understand, such as a name that
// is not there.
type errorEvent struct {
	Message string `json:"message"`
}

// AppendJSON writes entries as they were encoded when they changed. Cursors, leases
// and histories need no escapes.
func (e event) AppendJSON(dst []byte) ([]byte, error) {
	switch {
	case e.Backends != nil:
		dst = append(slices.Grow(dst, e.SizeJSON()), `{"type":"backends","backends":[`...)
		for i, b := range e.Backends.Backends {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, b.encoded...)
		}
		dst = appendText(append(dst, ']'), `,"next":"`, e.Backends.Next)
		if revision := e.Backends.Revision; revision != nil {
			dst = appendPosition(dst, *revision, e.Backends.History)
		}
		return append(dst, '}'), nil
	case e.Backend != nil && e.Backend.Backend != nil:
		return append(e.Backend.Backend.append(dst, "backend"), '}'), nil
	case e.Registered != nil:
		return e.Registered.append(dst, causeRegistered), nil
	case e.Updated != nil:
		return e.Updated.append(dst, causeUpdated), nil
	}
	type plain event // without this method
	return codec.AppendJSON(dst, plain(e))
}

// SizeJSON returns about how long a list is. Nothing else is large.
func (e event) SizeJSON() (size int) {
	if e.Backends != nil {
		size = 128
		for _, b := range e.Backends.Backends {
			size += len(b.encoded) + 1
		}
	}
	return size
}

func (e *backendEvent) append(dst []byte, tag string) []byte {
	dst = appendText(e.Backend.append(dst, tag), `,"lease_id":"`, e.LeaseID)
	if e.Revision != 0 {
		dst = appendPosition(dst, e.Revision, e.History)
	}
	return append(dst, '}')
}

// append begins the object of an event with the entry.
func (b *BackendInfo) append(dst []byte, tag string) []byte {
	dst = append(append(dst, `{"type":"`...), tag...)
	dst = append(dst, `","backend":`...)
	return append(dst, b.encoded...)
}

func appendText(dst []byte, member, text string) []byte {
	if text == "" {
		return dst
	}
	return append(append(append(dst, member...), text...), '"')
}

func appendPosition(dst []byte, revision int64, history string) []byte {
	return appendText(strconv.AppendInt(append(dst, `,"revision":`...), revision, 10), `,"history":"`, history)
}

// BackendInfo is an entry as clients see it.
type BackendInfo struct {
	_            struct{}      `description:"Backend connection information"`
	ID           string        `json:"id" description:"Unique identifier (UUID)"`
	Name         string        `json:"name" description:"Human-readable name (unique)"`
	Host         string        `json:"host" description:"Host address"`
	Port         uint16        `json:"port" description:"Port number"`
	Protocol     string        `json:"protocol" description:"Protocol (ws or wss)"`
	Description  *string       `json:"description,omitzero" description:"Optional description"`
	Namespace    *string       `json:"namespace,omitzero" description:"Optional routing namespace"`
	Version      *string       `json:"version,omitzero" description:"Plexus version (from hash)"`
	Metadata     anyMetadata   `json:"metadata,omitzero" description:"JSON metadata (extensibility)"`
	Source       BackendSource `json:"source" description:"Source of registration"`
	IsActive     bool          `json:"is_active" description:"Whether this backend is active"`
	RegisteredAt int64         `json:"registered_at" description:"Timestamp when registered (Unix seconds)"`
	LastSeen     *int64        `json:"last_seen,omitzero" description:"Timestamp when last seen (Unix seconds, for health checks)"`
	CreatedAt    int64         `json:"created_at" description:"Timestamp when created (Unix seconds)"`
	UpdatedAt    int64         `json:"updated_at" description:"Timestamp when last updated (Unix seconds)"`

	Health          HealthStatus `json:"health,omitzero" description:"How it was when it was last probed"`
	HealthError     string       `json:"health_error,omitzero" description:"Why the last probe failed"`
	HealthLatencyMS float64      `json:"health_latency_ms,omitzero" description:"How long the last probe took, in milliseconds"`
	Flapping        bool         `json:"flapping,omitzero" description:"Whether it changes between good and bad too often to be trusted"`
	TTLSeconds      int64        `json:"ttl_seconds,omitzero" description:"How long its lease lasts from one renewal to the next"`

	InactiveReason InactiveReason `json:"inactive_reason,omitzero" description:"Why it is inactive; absent where it is active"`
	AnswersAs      string         `json:"answers_as,omitzero" description:"Name of the hub that the entry is an alias of; absent where that has the entry's own name"`

	encoded []byte // the JSON of all that, made by newInfo
}

// newInfo makes what clients see of b in the condition c, nil before it was
// probed.
func newInfo(b storage.Backend, c *condition) *BackendInfo {
	info := &BackendInfo{
		ID:           b.ID,
		Name:         b.Name,
		Host:         b.Host,
		Port:         shownPort(b.Port),
		Protocol:     b.Protocol,
		Description:  b.Description,
		Namespace:    b.Namespace,
		Version:      b.Version,
		Metadata:     anyMetadata(b.Metadata),
		Source:       BackendSource(b.Source),
		IsActive:     b.Active(),
		RegisteredAt: b.RegisteredAt,
		CreatedAt:    b.CreatedAt,
		UpdatedAt:    b.UpdatedAt,
		Health:       statusUnknown,
		TTLSeconds:   b.LeaseSeconds,

		InactiveReason: InactiveReason(b.Inactive.First()),
	}
	if b.AnswersAs != b.Name {
		info.AnswersAs = b.AnswersAs
	}
	if b.Inactive.Has(storage.ReasonUnhealthy) { // found by an earlier run
		info.Health = statusCritical
	}
	seen := b.LastSeen
	if c != nil {
		info.Health, info.HealthError, info.Flapping = c.status, c.reason, c.flapping()
		info.HealthLatencyMS = float64(c.latency.Microseconds()) / 1000
		seen = max(seen, c.seen)
	}
	if seen != 0 {
		info.LastSeen = &seen
	}
	// A database that another program wrote may hold text that is not UTF-8.
	// Nothing else can fail.
	info.encoded, _ = jsonv2.Marshal(info, jsontext.AllowInvalidUTF8(true))
	return info
}

// shownPort returns the port as clients can read it; 0 for what is not a port.
func shownPort(port int) uint16 {
	if port < 0 || port > math.MaxUint16 {
		return 0
	}
	return uint16(port)
}

// BackendSource is where an entry's present form comes from.
type BackendSource string

var _ plugin.Enumerated = BackendSource("")

// Enum lists the sources, as clients know them.
func (BackendSource) Enum() []plugin.Choice {
	return []plugin.Choice{
		{Value: string(storage.SourceAuto), Description: "Automatically registered (self-registration at startup)"},
		{Value: string(storage.SourceFile), Description: "Loaded from config file"},
		{Value: string(storage.SourceManual), Description: "Manually registered via RPC"},
		{Value: string(storage.SourceEnv), Description: "Loaded from environment variable"},
	}
}

// EnumDescription says what the enumeration is.
func (BackendSource) EnumDescription() string { return "Source of a backend registration" }

// InactiveReason is why an entry is inactive: where there are several reasons, the
// first of them in the order of Enum.
type InactiveReason string

var _ plugin.Enumerated = InactiveReason("")

// Enum lists the reasons.
func (InactiveReason) Enum() []plugin.Choice {
	described := func(reason storage.Reasons, text string) plugin.Choice {
		return plugin.Choice{Value: reason.String(), Description: text}
	}
	return []plugin.Choice{
		described(storage.ReasonDeregistered, "It deregistered, or somebody deregistered it"),
		described(storage.ReasonDropped, "The file or the environment no longer lists it"),
		described(storage.ReasonExpired, "Its lease was not renewed in time"),
		described(storage.ReasonUnhealthy, "Its health is critical"),
		described(storage.ReasonUnknown, "Another program has stored it as inactive"),
	}
}

// EnumDescription says what the enumeration is.
func (InactiveReason) EnumDescription() string { return "Why a backend is inactive" }

// metadata is a JSON object, kept as it came, or taken from a string that holds it.
// That it is one is checked where the parameters are validated.
type metadata json.RawMessage

var (
	_ json.Unmarshaler = (*metadata)(nil)
	_ plugin.Schematic = metadata(nil)
)

// UnmarshalJSON keeps the text, or that of the object in a string.
func (m *metadata) UnmarshalJSON(text []byte) error {
	*m = append((*m)[:0], text...)
	var held string
	if text[0] != '"' || json.Unmarshal(text, &held) != nil {
		return nil
	}
	if object := jsontext.Value(strings.Trim(held, " \t\r\n")); object.Kind() == '{' && object.IsValid() {
		*m = metadata(object)
	}
	return nil
}

// JSONSchema allows any object, and a string that holds one.
func (metadata) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"type": ["object", "string"]}`)
}

// anyMetadata is metadata as the store holds it: an object, or text that
// another registry left there.
type anyMetadata json.RawMessage

var (
	_ json.Marshaler   = anyMetadata(nil)
	_ plugin.Schematic = anyMetadata(nil)
)

// MarshalJSON writes an object as it is and anything else as a string, also
// one that names a member twice.
func (m anyMetadata) MarshalJSON() ([]byte, error) {
	if len(m) > 0 && m[0] == '{' && jsontext.Value(m).IsValid() {
		return m, nil
	}
	return jsonv2.Marshal(string(m), jsontext.AllowInvalidUTF8(true))
}

// JSONSchema allows a string as well: older clients know no other form.
func (anyMetadata) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"type": ["string", "object"]}`)
}
