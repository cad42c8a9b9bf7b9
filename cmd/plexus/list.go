// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/plexus-go/plexus/plugin/registry"
)

// list lists the backends of the registry.
func (c *command) list(ctx context.Context) error {
	first, err := c.hubs.registry(ctx)
	if err != nil {
		return err
	}
	if c.printer.mode() == modeRaw {
		return c.call(ctx, &spot{hub: first, words: []string{registry.Namespace, "list"}, untold: -1}, map[string]bool{"active_only": false}, c.printer.item)
	}
	all, err := c.hubs.backends(ctx, first)
	switch {
	case notFound(err):
		// A hub of its own: it is what there is.
		return c.alone(first)
	case err != nil:
		return err
	}
	slices.SortFunc(all, func(a, b *backend) int { return strings.Compare(a.Name, b.Name) })
	if c.printer.mode() != modePretty {
		for _, b := range all {
			if err := c.printer.line(b.text); err != nil {
				return err
			}
		}
		return nil
	}
	text := "There are no backends yet.\n"
	if len(all) > 0 {
		text = backendTable(all)
	}
	return c.printer.text(text + "\nRegistry: " + first.Hub() + " at " + first.url + "; plexus NAME shows what a hub offers.\n")
}

// alone lists a hub that has no registry.
func (c *command) alone(first *hub) error {
	c.printer.note("%s, at %s, has no registry: it is the only hub that can be reached through it", first.Hub(), first.url)
	if c.printer.mode() != modePretty {
		text, err := json.Marshal(map[string]string{"name": first.Hub(), "url": first.url})
		if err != nil {
			return err
		}
		return c.printer.line(text)
	}
	return c.printer.text(table("", []string{"NAME", "ADDRESS"}, [][]string{{first.Hub(), first.url}}, math.MaxInt))
}

// mostDescription bounds what is shown of a description, in characters.
const mostDescription = 60

func backendTable(all []*backend) string {
	var rows [][]string
	for _, b := range all {
		about := oneLine(b.Description)
		if b.HealthError != "" {
			about = oneLine(b.HealthError)
		}
		if runes := []rune(about); len(runes) > mostDescription {
			about = string(runes[:mostDescription-1]) + "…"
		}
		rows = append(rows, []string{oneLine(b.Name), oneLine(b.URL()), b.status(), oneLine(b.Version), about})
	}
	return table("", []string{"NAME", "ADDRESS", "STATUS", "VERSION", "ABOUT"}, rows, math.MaxInt)
}
