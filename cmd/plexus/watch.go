// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/plexus-go/plexus/plugin"
)

// watch prints what happens in the registry, until it is interrupted.
func (c *command) watch(ctx context.Context, words []string) error {
	if len(words) > 1 {
		return usagef("watch takes at most one name").withHint("plexus watch [NAME]")
	}
	first, err := c.hubs.registry(ctx)
	if err != nil {
		return err
	}
	var params any
	if len(words) == 1 {
		params = map[string]string{"name": words[0]}
	}
	show := c.printer.item
	if c.printer.mode() == modePretty {
		show = func(item *plugin.Item) error {
			if item.Kind != plugin.KindData || problem(dataOf(item)) != "" {
				return nil
			}
			return c.printer.text(eventLines(dataOf(item)))
		}
	}
	return c.call(ctx, first, "registry.watch", params, show)
}

// eventLines words an event of the registry, a line for each backend.
func eventLines(content []byte) string {
	event := parseObject(content)
	revision := ""
	if number, ok := event.get("revision").(json.Number); ok {
		revision = "  revision " + number.String()
	}
	kind := strings.TrimPrefix(event.text("type"), "backend_")
	line := func(kind string, b *backend) string {
		return fmt.Sprintf("%-13s %-19s  %s %s%s\n", oneLine(kind), oneLine(b.name()), oneLine(b.url()), oneLine(b.status()), revision)
	}
	if event.get("backends") != nil {
		var text strings.Builder
		for _, entry := range event.list("backends") {
			if b := readBackend(entry); b != nil {
				text.WriteString(line("there is", b))
			}
		}
		return text.String()
	}
	if b := readBackend(event.get("backend")); b != nil {
		return line(kind, b)
	}
	return strings.TrimRight(fmt.Sprintf("%-13s %-19s %s", oneLine(kind), oneLine(event.text("name")), revision), " ") + "\n"
}
