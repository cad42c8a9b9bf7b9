// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// ping measures how fast a hub answers.
func (c *command) ping(ctx context.Context, words []string) error {
	if len(words) != 1 {
		return usagef("ping takes one name").withHint("plexus ping NAME")
	}
	first, err := c.hubs.registry(ctx)
	if err != nil {
		return err
	}
	c.hubs.noCommand = true
	found, err := c.hubs.reach(ctx, first, words[0])
	if unknown, ok := errors.AsType[*usageError](err); ok {
		unknown.status = failed // whether it is there was the question
	}
	if err != nil {
		return err
	}
	asked, cancel := c.hubs.bounded(ctx)
	defer cancel()
	began := time.Now()
	if _, err := found.Info(asked); err != nil {
		return err
	}
	answered := time.Since(began)
	if c.printer.mode() != modePretty {
		return c.printer.json(newObject("name", found.called, "url", found.url,
			"connect_ms", json.Number(milliseconds(found.took)), "info_ms", json.Number(milliseconds(answered))))
	}
	return c.printer.text(found.called + " at " + found.url + ": connected in " + milliseconds(found.took) +
		" ms, answered in " + milliseconds(answered) + " ms\n")
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 2, 64)
}
