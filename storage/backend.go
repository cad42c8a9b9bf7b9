// SPDX-License-Identifier: AGPL-3.0-only

package storage

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Source tells where the present form of a backend comes from.
type Source string

// The sources, as clients know them.
const (
	SourceAuto   Source = "auto"   // a hub announced itself, or was found
	SourceFile   Source = "file"   // backends.toml
	SourceManual Source = "manual" // somebody registered it
	SourceEnv    Source = "env"    // REGISTRY_BACKENDS
)

// Reason tells why a backend is inactive.
type Reason string

// The reasons.
const (
	ReasonDeregistered Reason = "deregistered" // it said goodbye, or somebody for it
	ReasonDropped      Reason = "dropped"      // its source no longer lists it
	ReasonExpired      Reason = "expired"      // its lease was not renewed
	ReasonUnhealthy    Reason = "unhealthy"    // it did not answer, or under another name
)

// The bounds of what a backend may hold, in bytes.
const (
	MaxNameBytes        = 255
	MaxDescriptionBytes = 4 << 10
	MaxMetadataBytes    = 16 << 10
	MaxMetadataDepth    = 64 // levels, not bytes: clients read it within a list
	MaxNamespaceBytes   = 255
	MaxVersionBytes     = 255
)

// Backend is one entry of a registry: a hub, where it is reached, and what is
// known about it. Times are Unix seconds.
type Backend struct {
	ID       string // a UUID, given once
	Name     string // unique in a store
	Host     string // host name, IPv4 or IPv6 address, without brackets
	Port     int
	Protocol string // "ws" or "wss"

	// Nil means that it was never given; that differs from an empty string.
	Description *string
	Namespace   *string
	Version     *string
	// Metadata is a JSON object as it was given; nil for none. Databases of
	// other registries may hold text here that is not JSON.
	Metadata json.RawMessage

	Source Source
	// Runtime tells that the present form comes from a call of register or
	// update, in this run or an earlier one, and not from a source (file,
	// environment, discovery) that is read anew at each start.
	Runtime bool
	// Adopted tells that the entry was left by another program, and that the
	// source which it names was not seen to list it: that it is not listed
	// says nothing then.
	Adopted bool
	Active  bool
	// Reason tells why a backend that is not active is so; empty where that is
	// not known, and for one that is.
	Reason Reason

	RegisteredAt int64 // when its address was last registered
	LastSeen     int64 // when it last answered or reported; 0 for never
	CreatedAt    int64
	UpdatedAt    int64

	// LeaseID names the registration that must be renewed within
	// LeaseSeconds; empty and 0 for one that needs no renewal.
	LeaseID      string
	LeaseSeconds int64

	// Revision is that of the last change, above zero once stored.
	Revision int64
}

// FieldError says which field of a backend breaks which rule.
type FieldError struct {
	Field string // as in JSON: "name", "host", …
	Value string // the refused value, shortened where it is long
	Rule  string // "is not a whole number from 1 to 65535"
}

func (e *FieldError) Error() string {
	return e.Field + " " + e.Value + " " + e.Rule
}

// refuse quotes value so that control characters show, and shortens it so
// that an error stays readable.
func refuse(field, value, rule string) *FieldError {
	const most = 64
	if len(value) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut] + "…"
	}
	return &FieldError{Field: field, Value: fmt.Sprintf("%q", value), Rule: rule}
}

// Normalize brings what may be written in several ways into the one that is
// stored: a protocol in lower case, "ws" where none is given.
func (b *Backend) Normalize() {
	if b.Protocol == "" {
		b.Protocol = "ws"
	}
	b.Protocol = strings.ToLower(b.Protocol)
}

// Validate checks every rule for what may be stored, whichever way it comes
// in, and returns the first that is broken as a [*FieldError]. It expects a
// normalized backend.
func (b *Backend) Validate() error {
	for _, err := range []*FieldError{
		ValidateName(b.Name),
		validateHost(b.Host),
		validatePort(b.Port),
		validateProtocol(b.Protocol),
		validateText("description", b.Description, MaxDescriptionBytes),
		validateText("namespace", b.Namespace, MaxNamespaceBytes),
		validateText("version", b.Version, MaxVersionBytes),
		validateMetadata(b.Metadata),
		validateSource(b.Source),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// ValidateName checks the rules for a backend's name alone. Nil means that it
// may be used.
func ValidateName(name string) *FieldError {
	switch {
	case name == "":
		return refuse("name", name, "is empty")
	case len(name) > MaxNameBytes:
		return refuse("name", name, fmt.Sprintf("is longer than %d bytes", MaxNameBytes))
	case !utf8.ValidString(name):
		return refuse("name", name, "is not valid UTF-8")
	case strings.TrimSpace(name) != name:
		return refuse("name", name, "begins or ends with space")
	case strings.ContainsFunc(name, unicode.IsControl):
		return refuse("name", name, "contains a control character")
	}
	if at := strings.IndexFunc(name, isInvisible); at >= 0 {
		r, _ := utf8.DecodeRuneInString(name[at:])
		return refuse("name", name, fmt.Sprintf("contains the invisible character U+%04X", r))
	}
	return nil
}

// isInvisible tells what shows nothing, or turns around what stands beside it:
// two names that differ by it look alike. Spaces are not meant.
func isInvisible(r rune) bool {
	return r == '\u2800' || // a Braille pattern without a dot
		unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// validateHost takes a host name as DNS and host files know it (letters,
// digits, hyphens and underscores in labels of up to 63 bytes), or an IP
// address, an IPv6 one without brackets and with or without a zone.
func validateHost(host string) *FieldError {
	if host == "" {
		return refuse("host", host, "is empty")
	}
	// A zone may be anything to netip, which refuses only an empty one.
	if addr, err := netip.ParseAddr(host); err == nil && !strings.ContainsFunc(addr.Zone(), notInZone) {
		return nil
	}
	const rule = "is not a host name, IPv4 or IPv6 address (no scheme, path or port)"
	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > 253 {
		return refuse("host", host, rule)
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return refuse("host", host, rule)
		}
		for _, r := range label {
			if !isOfHost(r) {
				return refuse("host", host, rule)
			}
		}
	}
	// A last label of digits only is an IPv4 address that is written wrongly.
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return refuse("host", host, "is not an IPv4 address")
	}
	return nil
}

// isOfHost tells what a label may hold. Some letters are invisible.
func isOfHost(r rune) bool {
	return r == '-' || r == '_' || unicode.IsDigit(r) || unicode.IsLetter(r) && !isInvisible(r)
}

// notInZone tells what can't be part of an interface's name or number.
func notInZone(r rune) bool { return r != '.' && !isOfHost(r) }

func validatePort(port int) *FieldError {
	if port < 1 || port > 65535 {
		return &FieldError{Field: "port", Value: fmt.Sprint(port), Rule: "is not 1–65535"}
	}
	return nil
}

func validateProtocol(protocol string) *FieldError {
	if protocol != "ws" && protocol != "wss" {
		return refuse("protocol", protocol, `is neither "ws" nor "wss"`)
	}
	return nil
}

func validateText(field string, text *string, most int) *FieldError {
	switch {
	case text == nil:
		return nil
	case len(*text) > most:
		return refuse(field, *text, fmt.Sprintf("is longer than %d bytes", most))
	case !utf8.ValidString(*text):
		return refuse(field, *text, "is not valid UTF-8")
	}
	return nil
}

func validateMetadata(metadata json.RawMessage) *FieldError {
	switch {
	case metadata == nil:
		return nil
	case len(metadata) > MaxMetadataBytes:
		return refuse("metadata", string(metadata), fmt.Sprintf("is longer than %d bytes", MaxMetadataBytes))
	case len(metadata) == 0 || metadata[0] != '{' || !json.Valid(metadata):
		return refuse("metadata", string(metadata), "is not a JSON object")
	case depth(metadata) > MaxMetadataDepth:
		return refuse("metadata", string(metadata), fmt.Sprintf("is nested deeper than %d", MaxMetadataDepth))
	}
	if number := beyondDouble(metadata); number != "" {
		return refuse("metadata", number, "is a number too large for a double")
	}
	return nil
}

// beyondDouble finds a number in valid JSON that most clients could not read:
// one that is infinite to them. "" tells that there is none.
func beyondDouble(text []byte) string {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '-' || '0' <= c && c <= '9':
			begin := i
			for i++; i < len(text) && strings.IndexByte("+-.eE0123456789", text[i]) >= 0; i++ {
			}
			number := string(text[begin:i])
			i--
			if _, err := strconv.ParseFloat(number, 64); err != nil {
				return number
			}
		}
	}
	return ""
}

// depth tells how deep valid JSON is nested.
func depth(text []byte) (deepest int) {
	open, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

func validateSource(source Source) *FieldError {
	switch source {
	case SourceAuto, SourceFile, SourceManual, SourceEnv:
		return nil
	}
	return refuse("source", string(source), "is not one of auto, file, manual, env")
}
