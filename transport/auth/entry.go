// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"fmt"
	"time"
)

// Entry is what a file of tokens says about one of them.
type Entry struct {
	// Name is that of the caller: up to 256 bytes, printable.
	Name string
	// Hash is "sha256:" and the SHA-256 of the token in 64 hexadecimal digits.
	Hash string
	// Scopes are what the caller may do, as in [plugin.Caller]. Nil is nothing
	// that needs a scope.
	Scopes []string
	// Expires is from when on the token is refused; zero for never.
	Expires time.Time
	// Description is for whoever reads the file.
	Description string
}

// NewToken makes a token, which is told only here, and its entry for
// [AddToken]. A zero time never comes. The error says what is wrong with the
// name, a scope or the time.
func NewToken(name string, scopes []string, expires time.Time) (token string, entry Entry, err error) {
	token = mint()
	hash, err := digestOf(token)
	if err != nil {
		return "", Entry{}, err
	}
	if !expires.IsZero() {
		expires = expires.UTC().Truncate(time.Second)
	}
	entry = Entry{Name: name, Hash: hash.String(), Scopes: scopes, Expires: expires}
	if _, err := entry.check(); err != nil {
		return "", Entry{}, err
	}
	return token, entry, nil
}

// keyError says what is wrong with the value of a key in a table.
type keyError struct {
	key  string
	rule string
}

func (e *keyError) Error() string { return fmt.Sprintf("%.64s %s", printable(e.key), e.rule) }

// check returns the digest of an entry that may be used. Errors are of type
// [*keyError].
func (e Entry) check() (digest, error) {
	if err := checkTable(e.Name, e.Scopes); err != nil {
		return digest{}, err
	}
	hash, err := parseDigest(e.Hash)
	if err != nil {
		return digest{}, &keyError{"hash", err.Error()}
	}
	if year := e.Expires.Year(); !e.Expires.IsZero() && (year < 1970 || year > 9999) {
		return digest{}, &keyError{"expires", "is not within the years 1970 to 9999"}
	}
	return hash, nil
}

// checkTable checks what tokens and certificates have in common.
func checkTable(name string, scopes []string) error {
	if err := checkName(name); err != nil {
		return &keyError{"name", err.Error()}
	}
	for _, scope := range scopes {
		if err := checkScope(scope); err != nil {
			return &keyError{"scopes", fmt.Sprintf("has %.64q, which %v", scope, err)}
		}
	}
	return nil
}
