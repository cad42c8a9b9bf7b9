// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/storage"
)

// Env is the value of a variable, such as REGISTRY_BACKENDS, as a source of
// backends. It never changes.
type Env struct {
	backends []storage.Backend
}

// NewEnv reads the value: entries name=URL, separated by commas, the last of which
// may be followed by one, such as
//
//	prod=wss://plexus.example.com:4444,dev=ws://127.0.0.1:4446
//
// A name may not have "=" or "," in it; no two may be the same. Without a port, it
// is 80 for ws and 443 for wss. The error names the entry that is wrong.
func NewEnv(value string) (*Env, error) {
	entries := strings.Split(value, ",")
	if last := len(entries) - 1; strings.TrimSpace(entries[last]) == "" {
		entries = entries[:last]
	}
	env := &Env{}
	position := make(map[string]int, len(entries)) // of each name, from 1
	for i, entry := range entries {
		entry = strings.TrimSpace(entry)
		backend, err := parseEntry(entry)
		if err == nil && position[backend.Name] > 0 {
			err = fmt.Errorf("the name is already used by entry %d", position[backend.Name])
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d %.64q: %w", i+1, entry, err)
		}
		position[backend.Name] = i + 1
		env.backends = append(env.backends, backend)
	}
	return env, nil
}

func parseEntry(entry string) (storage.Backend, error) {
	name, url, found := strings.Cut(entry, "=")
	if !found {
		return storage.Backend{}, errors.New("must be name=URL")
	}
	protocol, host, port, err := address.Split(url)
	if err != nil {
		return storage.Backend{}, fmt.Errorf("the URL %w", err)
	}
	backend := storage.Backend{Name: name, Protocol: protocol, Host: host, Port: port, Source: storage.SourceEnv}
	backend.Normalize()
	return backend, backend.Validate()
}

// Source returns storage.SourceEnv.
func (e *Env) Source() storage.Source { return storage.SourceEnv }

// Load returns the backends in the order of the variable, and no error.
func (e *Env) Load(context.Context) ([]storage.Backend, error) {
	return slices.Clone(e.backends), nil
}

// Changes yields nothing, and ends with ctx.
func (e *Env) Changes(ctx context.Context) iter.Seq[struct{}] {
	return func(func(struct{}) bool) { <-ctx.Done() }
}
