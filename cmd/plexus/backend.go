// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net"
)

// backend is an entry of a registry, read as far as it makes sense.
type backend struct{ *object }

// readBackend reads an entry; nil where there is none.
func readBackend(value any) *backend {
	o, _ := value.(*object)
	if o.text("name") == "" {
		return nil
	}
	return &backend{o}
}

func (b *backend) name() string { return b.text("name") }

func (b *backend) port() string {
	port, _ := b.get("port").(json.Number)
	return cmp.Or(port.String(), "0")
}

// url is the address to dial.
func (b *backend) url() string {
	protocol := "ws"
	if b.text("protocol") == "wss" {
		protocol = "wss"
	}
	return protocol + "://" + net.JoinHostPort(b.text("host"), b.port())
}

// status words how the backend is, in a few words.
func (b *backend) status() string {
	health := b.text("health")
	switch {
	case !b.is("is_active"):
		return "inactive"
	case health == "":
		return "active" // older registries know no more
	case b.is("flapping"):
		return health + ", flapping"
	}
	return health
}

// maxPages bounds how many pages of a list are asked for.
const maxPages = 1000

// backends lists the backends of a registry, the inactive ones included. Those
// that filter, which may be nil, leaves out may be among them.
func (h *hubs) backends(ctx context.Context, from *hub, filter map[string]any) (all []*backend, err error) {
	params := map[string]any{"active_only": false}
	maps.Copy(params, filter)
	for range maxPages {
		page, err := h.ask(ctx, from, "registry.list", params)
		if err != nil {
			return nil, err
		}
		for _, value := range page.list("backends") {
			if b := readBackend(value); b != nil {
				all = append(all, b)
			}
		}
		next := page.text("next")
		if next == "" || next == params["after"] {
			break
		}
		params["after"] = next
	}
	return all, nil
}
