// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/transport/client"
)

// watch prints what happens in the registry, until it is interrupted.
func (c *command) watch(ctx context.Context, words []string) error {
	if len(words) > 1 {
		return usagef("watch takes one name at most").withHint("plexus watch [NAME]")
	}
	first, err := c.hubs.registry(ctx)
	if err != nil {
		return err
	}
	s := &spot{hub: first, words: []string{registry.Namespace, "watch"}, untold: -1}
	var params any
	if len(words) == 1 {
		params = map[string]string{"name": words[0]}
	}
	show := c.printer.item
	if c.printer.mode() == modePretty {
		show = func(item *client.Item) error {
			if item.Type != client.Data || problem(item.Content) != "" {
				return nil
			}
			return c.printer.text(eventLines(item.Content))
		}
	}
	return c.call(ctx, s, params, show)
}

// eventLines words an event of the registry, a line for each backend.
func eventLines(content json.RawMessage) string {
	told := members(content)
	revision := ""
	if told["revision"] != nil {
		revision = "  revision " + string(told["revision"])
	}
	kind := strings.TrimPrefix(textOf(told["type"]), "backend_")
	line := func(kind string, b *backend) string {
		return pad(oneLine(kind), 14) + pad(oneLine(b.Name), 20) + " " + oneLine(b.URL()) + " " + b.status() + revision + "\n"
	}
	if all := elements(told["backends"]); all != nil {
		var text strings.Builder
		for _, entry := range all {
			if b := readBackend(entry); b != nil {
				text.WriteString(line("there is", b))
			}
		}
		return text.String()
	}
	if b := readBackend(told["backend"]); b != nil {
		return line(kind, b)
	}
	return strings.TrimRight(pad(oneLine(kind), 14)+pad(oneLine(textOf(told["name"])), 20)+revision, " ") + "\n"
}

// pad fills text up with spaces.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(1, width-len([]rune(text))))
}
