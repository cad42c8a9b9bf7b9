// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Entry is a token as the token file lists it.
type Entry struct {
	// Name is the caller's: up to 256 bytes, printable.
	Name string
	// Hash is "sha256:" and the SHA-256 of the token in 64 hexadecimal digits.
	Hash string
	// Scopes are what the caller may do, as in [plugin.Caller]. With nil it can
	// do what needs no scope.
	Scopes []string
	// Expires is the time from which on the token is refused; zero is never.
	Expires time.Time
	// Description is for whoever reads the file.
	Description string
}

// NewToken makes a token, and its entry for [AddToken]. The token can't be shown
// again. If expires is zero, it never expires. The error says what is wrong with
// the name, a scope or the time.
func NewToken(name string, scopes []string, expires time.Time) (token string, entry Entry, err error) {
	token, hash := randomToken()
	if !expires.IsZero() {
		expires = expires.UTC().Truncate(time.Second)
	}
	entry = Entry{Name: name, Hash: hash.String(), Scopes: scopes, Expires: expires}
	if _, wrong := entry.check(); wrong != nil {
		return "", Entry{}, wrong
	}
	return token, entry, nil
}

// entryError says what is wrong with a field of an entry, by its key in the file.
type entryError struct {
	key string
	err error
}

func (e *entryError) Error() string { return e.key + " " + e.err.Error() }

var errExpires = &entryError{"expires", errors.New("is not within the years 1970 to 9999")}

// check returns the digest of a valid entry.
func (e Entry) check() (digest, *entryError) {
	if wrong := checkEntry(e.Name, e.Scopes); wrong != nil {
		return digest{}, wrong
	}
	hash, err := parseDigest(e.Hash)
	if err != nil {
		return digest{}, &entryError{"hash", err}
	}
	if year := e.Expires.Year(); !e.Expires.IsZero() && (year < 1970 || year > 9999) {
		return digest{}, errExpires
	}
	return hash, nil
}

// checkEntry checks what tokens and certificates have in common.
func checkEntry(name string, scopes []string) *entryError {
	if err := checkName(name); err != nil {
		return &entryError{"name", err}
	}
	for _, scope := range scopes {
		if err := checkScope(scope); err != nil {
			return &entryError{"scopes", fmt.Errorf("has %.64q, which %w", scope, err)}
		}
	}
	return nil
}

const (
	maxNameBytes  = 256
	maxScopeBytes = 512
)

// checkName returns what is wrong with a caller's name.
func checkName(name string) error { return checkText(name, maxNameBytes) }

// checkScope returns what is wrong with a scope as [plugin.Caller] has them.
func checkScope(scope string) error {
	if err := checkText(scope, maxScopeBytes); err != nil {
		return err
	}
	switch {
	case slices.Contains(strings.Split(scope, ":"), ""):
		return errors.New("has an empty word beside a colon")
	case strings.Contains(scope[:len(scope)-1], "*"):
		return errors.New("has a star that is not at its end")
	}
	return nil
}

// checkText returns what is wrong with a text that logs and lists show, so that
// it has no invisible characters.
func checkText(text string, maxBytes int) error {
	switch {
	case text == "":
		return errors.New("is empty")
	case len(text) > maxBytes:
		return fmt.Errorf("is longer than %d bytes", maxBytes)
	case !utf8.ValidString(text):
		return errors.New("is not valid UTF-8")
	case strings.TrimSpace(text) != text:
		return errors.New("begins or ends with space")
	case strings.ContainsFunc(text, unprintable):
		return errors.New("contains a character that is not printable")
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
