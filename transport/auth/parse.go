// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"strings"

	"github.com/plexus-go/plexus/internal/tomlfile"
)

const maxFileBytes = 1 << 20

// The tables of a token file.
const (
	tableToken       = "token"
	tableCertificate = "certificate"
)

// entries are what a token file holds.
type entries struct {
	tokens       map[digest]Entry
	certificates map[string][]string // scopes by name
}

// parse reads a token file, whole or not at all. The error is one line that
// begins with path and line, and quotes no token.
func parse(path string, data []byte) (entries, error) {
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if holdsToken(line) {
			return entries{}, &tomlfile.Error{Path: path, Line: number, Err: errors.New(
				"a token is written here, and only its hash may be: whoever has seen the file knows the token, so make a new one")}
		}
	}
	document, err := tomlfile.Parse(path, data, tableToken, tableCertificate)
	if err != nil {
		return entries{}, err
	}
	e := entries{tokens: map[digest]Entry{}, certificates: map[string][]string{}}
	for _, t := range document.Tables(tableToken) {
		if err := e.addToken(t); err != nil {
			return entries{}, err
		}
	}
	for _, t := range document.Tables(tableCertificate) {
		if err := e.addCertificate(t); err != nil {
			return entries{}, err
		}
	}
	return e, nil
}

func (e entries) addToken(t *tomlfile.Table) error {
	entry := Entry{
		Name:        t.String("name"),
		Hash:        t.String("hash"),
		Scopes:      t.Strings("scopes"),
		Expires:     t.Time("expires"),
		Description: t.String("description"),
	}
	t.Require("name", "hash", "scopes")
	t.Unique("name")
	t.Unique("hash")
	if err := t.Err(); err != nil {
		return err
	}
	if t.Has("expires") && entry.Expires.IsZero() { // which would be never
		return t.Fail("expires", errExpires)
	}
	hash, wrong := entry.check()
	if wrong != nil {
		return t.Fail(wrong.key, wrong)
	}
	e.tokens[hash] = entry
	return nil
}

func (e entries) addCertificate(t *tomlfile.Table) error {
	name, scopes := t.String("name"), t.Strings("scopes")
	t.String("description")
	t.Require("name", "scopes")
	t.Unique("name")
	if err := t.Err(); err != nil {
		return err
	}
	if wrong := checkEntry(name, scopes); wrong != nil {
		return t.Fail(wrong.key, wrong)
	}
	e.certificates[name] = scopes
	return nil
}
