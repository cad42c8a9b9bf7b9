// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
)

// ping tells how fast a hub answers.
func (c *command) ping(ctx context.Context, words []string) error {
	if len(words) != 1 {
		return usagef("ping takes one name").withHint("plexus ping NAME")
	}
	found, err := c.hubs.named(ctx, words[0])
	if err != nil {
		return err
	}
	asked, cancel := c.hubs.bounded(ctx)
	defer cancel()
	answered, err := timed(func() error { _, err := found.Info(asked); return err })
	if err != nil {
		return err
	}
	if c.printer.mode() != modePretty {
		o := newObject()
		o.set("name", found.Hub())
		o.set("url", found.url)
		o.set("connect_ms", json.Number(milliseconds(found.took)))
		o.set("info_ms", json.Number(milliseconds(answered)))
		text, err := o.MarshalJSON()
		if err != nil {
			return err
		}
		return c.printer.line(text)
	}
	return c.printer.text(found.Hub() + " at " + found.url + ": connected in " + milliseconds(found.took) +
		" ms, answered in " + milliseconds(answered) + " ms\n")
}

// timed runs f and tells how long it took.
func timed(f func() error) (time.Duration, error) {
	began := time.Now()
	err := f()
	return time.Since(began), err
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 2, 64)
}
