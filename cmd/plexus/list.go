// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
)

// list lists the backends of the registry.
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

// alone lists a hub that has no registry.
func (c *command) alone(first *hub) error {
	c.printer.note("%s, at %s, has no registry: it is the only hub that can be reached through it", first.name, first.url)
	if c.printer.mode() != modePretty {
		return c.printer.json(newObject("name", first.name, "url", first.url))
	}
	return c.printer.text(hubTable([]string{"NAME", "ADDRESS"}, [][]string{{first.name, first.url}}))
}

// maxAbout bounds what is shown of a description, in characters.
const maxAbout = 60

func backendTable(all []*backend) string {
	var rows [][]string
	for _, b := range all {
		about := oneLine(cmp.Or(b.text("health_error"), b.text("description")))
		if runes := []rune(about); len(runes) > maxAbout {
			about = string(runes[:maxAbout-1]) + "…"
		}
		rows = append(rows, []string{oneLine(b.name()), oneLine(b.url()), oneLine(b.status()), oneLine(b.text("version")), about})
	}
	return hubTable([]string{"NAME", "ADDRESS", "STATUS", "VERSION", "ABOUT"}, rows)
}

// hubTable is a table of any width.
func hubTable(head []string, rows [][]string) string {
	return strings.Join(table(head, rows, math.MaxInt), "\n") + "\n"
}
