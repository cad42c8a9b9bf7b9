// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/plexus-go/plexus/storage"
)

// envVariable is what the environment lists backends in.
const envVariable = "REGISTRY_BACKENDS"

// Env is the variable REGISTRY_BACKENDS as a source of backends. It stays what
// it was when the program was started.
type Env struct {
	backends []storage.Backend
}

// NewEnv makes a source of the variable's value, as [ParseEnv] reads it.
func NewEnv(value string) (*Env, error) {
	backends, err := ParseEnv(value)
	if err != nil {
		return nil, err
	}
	return &Env{backends: backends}, nil
}

// Source tells that the backends come from the environment.
func (e *Env) Source() storage.Source { return storage.SourceEnv }

// Load returns the backends in the order of the variable, and no error.
func (e *Env) Load(context.Context) ([]storage.Backend, error) {
	return slices.Clone(e.backends), nil
}

// Changes yields nothing, and ends with ctx.
func (e *Env) Changes(ctx context.Context) iter.Seq[struct{}] {
	return func(func(struct{}) bool) { <-ctx.Done() }
}

// ParseEnv reads the value of REGISTRY_BACKENDS: entries name=URL, separated by
// commas, the last of which may be followed by one. A name may hold neither of
// "=" and ","; the URL is as [ParseAddress] says. What is wrong comes back as a
// [*UsageError] that names the variable, the entry and the rule.
//
// The backends come in the order of the value, valid, with storage.SourceEnv
// and active, without id, times and revision, and no two with one name.
func ParseEnv(value string) ([]storage.Backend, error) {
	entries := strings.Split(value, ",")
	if last := len(entries) - 1; strings.TrimSpace(entries[last]) == "" {
		entries = entries[:last]
	}
	var backends []storage.Backend
	position := make(map[string]int, len(entries)) // of each name, from 1
	for i, entry := range entries {
		entry = strings.TrimSpace(entry)
		backend, err := parseEnvEntry(entry)
		if err == nil {
			if first, again := position[backend.Name]; again {
				err = fmt.Errorf("the name is already used by entry %d", first)
			}
		}
		if err != nil {
			return nil, &UsageError{Name: envVariable, Rule: fmt.Sprintf("entry %d %s: %v", i+1, quote(entry), err)}
		}
		position[backend.Name] = i + 1
		backends = append(backends, backend)
	}
	return backends, nil
}

func parseEnvEntry(entry string) (storage.Backend, error) {
	name, text, found := strings.Cut(entry, "=")
	if !found {
		return storage.Backend{}, errors.New("is not name=URL")
	}
	address, err := ParseAddress(text)
	if err != nil {
		return storage.Backend{}, fmt.Errorf("the URL %w", err)
	}
	backend := storage.Backend{Name: name, Source: storage.SourceEnv, Active: true}
	address.of(&backend)
	return backend, backend.Validate()
}
