// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// Table is one table of an array. Its methods that return a value return the zero
// value where the key is missing or has another type; [Table.Err] reports the
// latter, and every key that none of them was called for.
type Table struct {
	document *Document
	array    string
	title    string // for errors
	position tablePosition
	values   map[string]any

	asked   []string
	wrong   *Error // on the first line; nil for nothing
	missing *Error
}

// Has reports whether the key is there.
func (t *Table) Has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// Line returns the line of a key, or that of the table for one that is not there.
// It is 0 where that is not known.
func (t *Table) Line(key string) int {
	if line, ok := t.position.keys[key]; ok {
		return line
	}
	return t.position.line
}

// String returns a string.
func (t *Table) String(key string) string { return get[string](t, key, "a string") }

// Int returns an integer.
func (t *Table) Int(key string) int {
	value := get[int64](t, key, "an integer")
	if int64(int(value)) != value { // where int has 32 bits
		t.refuse(key, fmt.Errorf("%s %d is out of range", key, value))
	}
	return int(value)
}

// Strings returns an array of strings.
func (t *Table) Strings(key string) []string {
	var all []string
	for _, value := range get[[]any](t, key, "an array of strings") {
		text, ok := value.(string)
		if !ok {
			t.refuse(key, fmt.Errorf("%s has %s in it, and may only have strings", key, kind(value)))
			return nil
		}
		all = append(all, text)
	}
	return all
}

// Time returns a date and time that has an offset.
func (t *Table) Time(key string) time.Time {
	at := get[time.Time](t, key, "a date and time")
	// The library marks by the location what was written without an offset.
	if strings.HasSuffix(at.Location().String(), "-local") {
		t.refuse(key, fmt.Errorf("%s is not a date and time with an offset, as in 2030-01-31T12:00:00Z", key))
		return time.Time{}
	}
	return at
}

func get[T any](t *Table, key, want string) (value T) {
	t.asked = append(t.asked, key)
	found, ok := t.values[key]
	if !ok {
		return value
	}
	if value, ok = found.(T); !ok {
		t.refuse(key, fmt.Errorf("%s is %s, not %s", key, kind(found), want))
	}
	return value
}

// Require makes it an error that one of the keys is missing.
func (t *Table) Require(keys ...string) {
	for _, key := range keys {
		if !t.Has(key) && t.missing == nil {
			t.missing = t.Fail(key, errors.New(key+" is missing"))
		}
	}
}

// Unique makes it an error that an earlier table of the array, on which Unique was
// called too, has the same string, however its characters are composed.
func (t *Table) Unique(key string) {
	value, ok := t.values[key].(string)
	if !ok {
		return
	}
	id := [3]string{t.array, key, norm.NFC.String(value)}
	if line, used := t.document.used[id]; used {
		t.refuse(key, fmt.Errorf("%s is already used on line %d", key, line))
		return
	}
	t.document.used[id] = t.Line(key)
}

func (t *Table) refuse(key string, err error) {
	if t.wrong == nil || t.Line(key) < t.wrong.Line {
		t.wrong = t.Fail(key, err)
	}
}

// Fail returns err as one about a key of the table.
func (t *Table) Fail(key string, err error) *Error {
	return &Error{Path: t.document.path, Line: t.Line(key), Table: t.title, Err: err}
}

// Err returns the first thing that is wrong with the table, of type [*Error], or
// nil.
func (t *Table) Err() error {
	for _, key := range byLine(t.values, t.Line) {
		if !slices.Contains(t.asked, key) {
			t.refuse(key, fmt.Errorf("unknown key %.64q: there may be %s", key, listed(t.asked)))
			break
		}
	}
	if wrong := cmp.Or(t.wrong, t.missing); wrong != nil {
		return wrong
	}
	return nil
}

// listed writes "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
