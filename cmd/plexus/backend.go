// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/plexus-go/plexus/plugin/registry"
)

// backend is an entry of a registry, of which as much is read as makes sense.
type backend struct {
	name, host, protocol string
	port                 int
	version, description string
	active               bool
	health, healthError  string
	flapping             bool
	text                 json.RawMessage
}

// readBackend reads an entry; nil where there is none.
func readBackend(text json.RawMessage) *backend {
	told := members(text)
	b := &backend{
		name:        textOf(told["name"]),
		host:        textOf(told["host"]),
		protocol:    textOf(told["protocol"]),
		version:     textOf(told["version"]),
		description: textOf(told["description"]),
		health:      textOf(told["health"]),
		healthError: textOf(told["health_error"]),
		text:        text,
	}
	if b.name == "" {
		return nil
	}
	// What is of another type is absent.
	_ = json.Unmarshal(told["port"], &b.port)
	_ = json.Unmarshal(told["is_active"], &b.active)
	_ = json.Unmarshal(told["flapping"], &b.flapping)
	return b
}

func (b *backend) url() string {
	protocol := "ws"
	if b.protocol == "wss" {
		protocol = "wss"
	}
	return hubURL(protocol, b.host, b.port)
}

// status words how the backend is, in a few words.
func (b *backend) status() string {
	switch {
	case !b.active:
		return "inactive"
	case b.health == "":
		return "active" // older registries know no more
	case b.flapping:
		return b.health + ", flapping"
	}
	return b.health
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
