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
	for _, kind := range []string{tableToken, tableCertificate} {
		for _, t := range document.Tables(kind) {
			if err := e.add(kind, t); err != nil {
				return entries{}, err
			}
		}
	}
	return e, nil
}

// add adds what a table says.
func (e entries) add(kind string, t *tomlfile.Table) error {
	entry := Entry{Name: t.String("name")}
	t.Unique("name")
	t.Require("name")
	if kind == tableToken {
		entry.Hash, entry.Expires = t.String("hash"), t.Time("expires")
		t.Unique("hash")
		t.Require("hash")
	}
	entry.Scopes, entry.Description = t.Strings("scopes"), t.String("description")
	t.Require("scopes")
	if err := t.Err(); err != nil {
		return err
	}
	wrong := checkEntry(entry.Name, entry.Scopes)
	switch {
	case kind == tableCertificate:
		e.certificates[entry.Name] = entry.Scopes
	case t.Has("expires") && entry.Expires.IsZero(): // which would be never
		wrong = errExpires
	default:
		var hash digest
		hash, wrong = entry.check()
		e.tokens[hash] = entry
	}
	if wrong != nil {
		return t.Fail(wrong.key, wrong)
	}
	return nil
}
