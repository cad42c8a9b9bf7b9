// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"path/filepath"
	"time"
)

// Token is what the commands below plexus-registry token are to do: token new is
// to make what the first three fields say.
type Token struct {
	Scopes      []string      // one at least
	Lifetime    time.Duration // 0 is for ever
	Description string
	Path        string // of the file of tokens

	Table Table // which Read reads
}

// NewTokenFile returns the defaults of a command that needs only the file.
func NewTokenFile() *Token {
	s := &Token{}
	s.Table = Table{
		{Name: "tokens", Variable: "REGISTRY_TOKENS", Kind: "file", Value: one(&s.Path, parseFile),
			Default: "tokens.toml beside the default backends.toml",
			Help:    "File that keeps the hashes of tokens: the one of plexus-registry --tokens."},
	}
	return s
}

// NewToken returns the defaults of token new, which creates the file if there is
// none.
func NewToken() *Token {
	s := NewTokenFile()
	s.Table = append(Table{
		{Name: "scope", Kind: "scope", Value: scopes(&s.Scopes), Required: true, Default: "none; there must be one",
			Help: "What it allows: registry:read, registry:write, registry:admin, or registry:write:team-a-* for the names that begin with team-a-; or any scope that other activations need, such as notes:write. Give the flag again for more."},
		{Name: "expires", Kind: "duration", Value: one(&s.Lifetime, parseLifetime), Default: "never",
			Help: "How long it is valid, such as 720h."},
		{Name: "description", Kind: "text", Value: one(&s.Description, parseText), Default: "none",
			Help: "A note for whoever reads the file."},
	}, s.Table...)
	return s
}

// Read reads the settings, as [Table.Read] does.
func (s *Token) Read(getenv func(string) string) error {
	if err := s.Table.Read(getenv); err != nil || s.Path != "" {
		return err
	}
	folder, err := configFolder(getenv)
	s.Path = filepath.Join(folder, "tokens.toml")
	return err
}
