// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// backend is an entry of a registry, of which as much is read as makes sense.
type backend struct {
	registryclient.Backend
	HealthError string `json:"health_error"`
	Flapping    bool   `json:"flapping"`
	text        json.RawMessage
}

// readBackend reads an entry; nil where there is none.
func readBackend(text json.RawMessage) *backend {
	b := &backend{text: text}
	// What is of another type is absent.
	_ = json.Unmarshal(text, b)
	if b.Name == "" {
		return nil
	}
	if b.Protocol != "wss" {
		b.Protocol = "ws"
	}
	return b
}

// status words how the backend is, in a few words.
func (b *backend) status() string {
	switch {
	case !b.Active:
		return "inactive"
	case b.Health == "":
		return "active" // older registries know no more
	case b.Flapping:
		return b.Health + ", flapping"
	}
	return b.Health
}

// mostPages bounds how many pages of a list are asked for.
const mostPages = 1000

// backends lists the backends of a registry, the inactive ones included.
func (h *hubs) backends(ctx context.Context, from *hub) (all []*backend, err error) {
	const list = registry.Namespace + ".list"
	params := map[string]any{"active_only": false}
	for range mostPages {
		content, err := h.one(ctx, from, list, params)
		if err != nil {
			return nil, err
		}
		if message := problem(content); message != "" {
			return nil, fmt.Errorf("%s: %s", list, message)
		}
		told := members(content)
		for _, text := range elements(told["backends"]) {
			if b := readBackend(text); b != nil {
				all = append(all, b)
			}
		}
		next := textOf(told["next"])
		if next == "" || next == params["after"] {
			break
		}
		params["after"] = next
	}
	return all, nil
}
