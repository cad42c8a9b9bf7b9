// SPDX-License-Identifier: AGPL-3.0-only

package storage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Source is where the present form of a backend comes from.
type Source string

// The sources, as clients know them.
const (
	SourceAuto   Source = "auto"   // a hub announced itself, or was discovered
	SourceFile   Source = "file"   // backends.toml
	SourceManual Source = "manual" // a call registered it
	SourceEnv    Source = "env"    // REGISTRY_BACKENDS
)

// The bounds of a backend.
const (
	MaxNameBytes        = 255
	maxNamespaceBytes   = 255
	maxVersionBytes     = 255
	maxDescriptionBytes = 4 << 10
	maxMetadataBytes    = 16 << 10
	maxMetadataDepth    = 64 // clients read metadata as a part of a list
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
	// Runtime is set where the present form comes from a call of register or
	// update, in this run or an earlier one, and not from a source that is
	// loaded at each start (file, environment, discovery).
	Runtime bool
	// Adopted is set where another program has stored the entry, and its source
	// has not listed it since. Such a source has not dropped the entry.
	Adopted bool
	// Inactive is why the backend is inactive; 0 for an active one.
	Inactive Reasons
	// AnswersAs is the name that the hub at this address has answered under: its own,
	// or the one by which the backend is an alias of it. Empty before the first
	// answer.
	AnswersAs string

	RegisteredAt int64 // when its address was last registered
	LastSeen     int64 // when it last answered or reported; 0 for never
	CreatedAt    int64
	UpdatedAt    int64

	// LeaseID identifies the registration that must be renewed within
	// LeaseSeconds; empty and 0 for one that needs no renewal.
	LeaseID      string
	LeaseSeconds int64

	// Revision is that of the last change, above 0 once stored.
	Revision int64
}

// Active reports whether nothing says that the backend is inactive.
func (b *Backend) Active() bool { return b.Inactive == 0 }

// FieldError says which field of a backend breaks which rule.
type FieldError struct {
	Field string // as in JSON: "name", "host", …
	Value string // the invalid value, shortened where it is long
	Rule  string // "is not 1–65535"
}

// Error says it in one line: "port 0 is not 1–65535".
func (e *FieldError) Error() string {
	return e.Field + " " + e.Value + " " + e.Rule
}

// invalid quotes the value, so that control characters are visible, and shortens
// it, so that the error stays readable.
func invalid(field, value, rule string) *FieldError {
	if cut := 64; len(value) > cut {
		for cut > 0 && !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut] + "…"
	}
	return &FieldError{Field: field, Value: fmt.Sprintf("%q", value), Rule: rule}
}

// NormalizeName returns a name, or another text that is compared, in its one form,
// Unicode's NFC: "é" may be written as one character, or as a letter and a mark.
func NormalizeName(name string) string { return norm.NFC.String(name) }

// Normalize writes what may be written in several ways as it is stored: name and
// namespace as by [NormalizeName]; the protocol in lower case, and "ws" where it is
// empty; the host as by [NormalizeHost].
func (b *Backend) Normalize() {
	b.Name = NormalizeName(b.Name)
	if b.Namespace != nil {
		b.Namespace = new(NormalizeName(*b.Namespace))
	}
	b.Protocol = strings.ToLower(cmp.Or(b.Protocol, "ws"))
	b.Host, _ = NormalizeHost(b.Host)
}

// Validate checks a normalized backend by every rule for what may be registered
// or listed by a source. It returns the first broken rule as a [*FieldError].
func (b *Backend) Validate() error {
	_, host := NormalizeHost(b.Host)
	known := b.Source == SourceAuto || b.Source == SourceFile || b.Source == SourceManual || b.Source == SourceEnv
	if err := cmp.Or(
		ValidateName(b.Name),
		host,
		validatePort(b.Port),
		must(b.Protocol == "ws" || b.Protocol == "wss", "protocol", b.Protocol, `is neither "ws" nor "wss"`),
		validateText("description", b.Description, maxDescriptionBytes),
		validateText("namespace", b.Namespace, maxNamespaceBytes),
		validateText("version", b.Version, maxVersionBytes),
		validateMetadata(b.Metadata),
		must(known, "source", string(b.Source), "is not one of auto, file, manual, env"),
	); err != nil {
		return err
	}
	return nil
}

// must is the error of a value that is not ok.
func must(ok bool, field, value, rule string) *FieldError {
	if ok {
		return nil
	}
	return invalid(field, value, rule)
}

// ValidateName checks the name of a backend only. Nil means that it is valid.
func ValidateName(name string) *FieldError {
	switch {
	case name == "":
		return invalid("name", name, "is empty")
	case len(name) > MaxNameBytes:
		return invalid("name", name, fmt.Sprintf("is longer than %d bytes", MaxNameBytes))
	case !utf8.ValidString(name):
		return invalid("name", name, "is not valid UTF-8")
	case strings.TrimSpace(name) != name:
		return invalid("name", name, "begins or ends with space")
	case strings.ContainsFunc(name, unicode.IsControl):
		return invalid("name", name, "contains a control character")
	}
	if at := strings.IndexFunc(name, isInvisible); at >= 0 {
		r, _ := utf8.DecodeRuneInString(name[at:])
		return invalid("name", name, fmt.Sprintf("contains the invisible character U+%04X", r))
	}
	return nil
}

// isInvisible reports whether a character has no shape of its own, or changes
// the direction of the text: two names that differ by it look alike. Spaces are
// not meant.
func isInvisible(r rune) bool {
	return r == '\u2800' || // a Braille pattern without a dot
		unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

func validatePort(port int) *FieldError {
	if port < 1 || port > 65535 {
		return &FieldError{Field: "port", Value: fmt.Sprint(port), Rule: "is not 1–65535"}
	}
	return nil
}

func validateText(field string, text *string, maxBytes int) *FieldError {
	switch {
	case text == nil:
		return nil
	case len(*text) > maxBytes:
		return invalid(field, *text, fmt.Sprintf("is longer than %d bytes", maxBytes))
	case !utf8.ValidString(*text):
		return invalid(field, *text, "is not valid UTF-8")
	}
	return nil
}

func validateMetadata(metadata json.RawMessage) *FieldError {
	switch {
	case metadata == nil:
		return nil
	case len(metadata) > maxMetadataBytes:
		return invalid("metadata", string(metadata), fmt.Sprintf("is longer than %d bytes", maxMetadataBytes))
	case len(metadata) == 0 || metadata[0] != '{' || !json.Valid(metadata):
		return invalid("metadata", string(metadata), "is not a JSON object")
	}
	// Most clients read numbers as doubles.
	decoder := json.NewDecoder(bytes.NewReader(metadata))
	decoder.UseNumber()
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return nil // its end, as it is valid
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > maxMetadataDepth {
			return invalid("metadata", string(metadata), fmt.Sprintf("is nested deeper than %d", maxMetadataDepth))
		}
		if number, ok := token.(json.Number); ok {
			if _, err := number.Float64(); err != nil {
				return invalid("metadata", number.String(), "is a number too large for a double")
			}
		}
	}
}
