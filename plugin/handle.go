// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/internal/codec"
)

// Handle refers to something that an activation keeps. It can be resolved by
// every method of the hub, wherever the activation is mounted. As text it is
//
//	<plugin id>@<version>::<method>:<meta>:<meta>…
//
// and in JSON an object of these four, as clients of other hubs know it.
type Handle struct {
	PluginID uuid.UUID `json:"plugin_id"`
	// Version is the activation's when the handle was made.
	Version string `json:"version"`
	// Method says what kind of thing it is, or which method returns it.
	Method string `json:"method"`
	// Meta identifies it within the activation; nil for nothing.
	Meta []string `json:"meta,omitempty"`
}

// ErrNoHandle says that no activation resolves a handle.
var ErrNoHandle = errors.New("no activation resolves this handle")

// Handle makes a handle that the activation resolves. Its PluginID is the same
// for all versions with the same first number.
func (d Definition) Handle(method string, meta ...string) Handle {
	version := cmp.Or(d.Version, defaultVersion)
	major, _, _ := strings.Cut(version, ".")
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte(d.Namespace+"@"+major))
	return Handle{PluginID: id, Version: version, Method: method, Meta: meta}
}

// ParseHandle reads the text form.
func ParseHandle(text string) (Handle, error) {
	owner, rest, ok := strings.Cut(text, "::")
	id, version, versioned := strings.Cut(owner, "@")
	if !ok || !versioned {
		return Handle{}, fmt.Errorf("handle %q: expected <plugin id>@<version>::<method>", codec.Shorten(text))
	}
	plugin, err := uuid.Parse(id)
	if err != nil || len(id) != 36 {
		return Handle{}, fmt.Errorf("handle %q: %q is not a UUID", codec.Shorten(text), codec.Shorten(id))
	}
	parts := strings.Split(rest, ":")
	h := Handle{PluginID: plugin, Version: version, Method: parts[0]}
	if len(parts) > 1 {
		h.Meta = parts[1:]
	}
	return h, h.Validate()
}

// Validate reports a part that is missing or has no text form.
func (h Handle) Validate() error {
	switch {
	case h.PluginID == uuid.Nil:
		return errors.New("handle without the id of a plugin")
	case h.Version == "" || strings.Contains(h.Version, ":"):
		return fmt.Errorf("handle: version %q: expected one like \"1.0.0\"", codec.Shorten(h.Version))
	case h.Method == "" || strings.Contains(h.Method, ":"):
		return fmt.Errorf("handle: method %q: expected a name", codec.Shorten(h.Method))
	}
	return nil
}

// String returns the text form. Parts of Meta that hold colons are split when
// it is parsed: send such handles as JSON.
func (h Handle) String() string {
	return strings.Join(append([]string{h.PluginID.String() + "@" + h.Version + "::" + h.Method}, h.Meta...), ":")
}

var _ Schematic = Handle{}

// JSONSchema describes the object.
func (Handle) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"type": "object", "title": "Handle", "required": ["plugin_id", "version", "method"], "properties": {
		"plugin_id": {"type": "string", "format": "uuid"}, "version": {"type": "string"}, "method": {"type": "string"},
		"meta": {"type": "array", "items": {"type": "string"}}}}`)
}

// Resolve returns what a handle stands for: see Definition.Resolve. The error
// wraps [ErrNoHandle] if no activation of the hub owns the handle.
func Resolve[T any](ctx context.Context, h Handle) (T, error) {
	var value T
	s := scopeOf(ctx)
	if s == nil {
		return value, fmt.Errorf("%s: %w: outside of a hub", h, ErrNoHandle)
	}
	resolved, err := s.Resolve(ctx, h)
	if err != nil {
		return value, err
	}
	return contentAs[T](h.String(), resolved)
}
