// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/internal/helptext"
)

func (c *command) list(ctx context.Context, _ []string) error {
	first, err := c.hubs.registry(ctx)
	if err != nil {
		return err
	}
	switch {
	case c.options.schema:
		t, err := c.hubs.find(ctx, first, nil)
		if err != nil {
			return err
		}
		return c.printer.schema(t)
	case c.printer.mode() == modeRaw:
		return c.call(ctx, first, "registry.list", map[string]bool{"active_only": false}, c.printer.item)
	}
	all, err := c.hubs.backends(ctx, first, nil)
	switch {
	case notFound(err):
		// A hub of its own: it is what there is.
		return c.alone(first)
	case err != nil:
		return err
	}
	slices.SortFunc(all, func(a, b *backend) int { return strings.Compare(a.name(), b.name()) })
	if c.printer.mode() != modePretty {
		for _, b := range all {
			if err := c.printer.json(b.object); err != nil {
				return err
			}
		}
		return nil
	}
	text := "There are no backends yet.\n"
	if len(all) > 0 {
		text = backendTable(all)
	}
	return c.printer.text(text + "\nRegistry: " + first.name + " at " + first.url + "; plexus NAME shows what a hub offers.\n")
}

func (c *command) alone(first *hub) error {
	c.printer.note("%s, at %s, has no registry: it is the only hub that can be reached through it", first.name, first.url)
	if c.printer.mode() != modePretty {
		return c.printer.json(newObject("name", first.name, "url", first.url))
	}
	return c.printer.text(hubTable([]string{"NAME", "ADDRESS"}, [][]string{{first.name, first.url}}))
}

// maxAbout bounds what is shown of a description, in cells.
const maxAbout = 60

func backendTable(all []*backend) string {
	var rows [][]string
	for _, b := range all {
		about := helptext.Cut(oneLine(cmp.Or(b.text("health_error"), b.text("description"))), maxAbout)
		rows = append(rows, []string{oneLine(b.name()), oneLine(b.url()), oneLine(b.status()), oneLine(b.text("version")), about})
	}
	return hubTable([]string{"NAME", "ADDRESS", "STATUS", "VERSION", "ABOUT"}, rows)
}

// hubTable is a table of any width.
func hubTable(head []string, rows [][]string) string {
	return strings.Join(table(head, rows, math.MaxInt), "\n") + "\n"
}

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
	port, _ := strconv.Atoi(b.port())
	return address.URL(protocol, b.text("host"), port)
}

// status words how the backend is, in a few words.
func (b *backend) status() string {
	status, more := cmp.Or(b.text("health"), "active"), "" // older registries know no more
	switch {
	case !b.is("is_active"):
		status, more = "inactive", b.text("inactive_reason")
	case b.is("flapping"):
		more = "flapping"
	}
	if more != "" {
		status += ", " + more
	}
	if other := b.text("answers_as"); other != "" {
		status += ", answers as " + other
	}
	return status
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
