// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/transport/client"
)

// follow follows a path and does what its end, and the flags behind it, ask
// for.
func (c *command) follow(ctx context.Context, a *arguments) error {
	at, err := c.hubs.named(ctx, a.words[0])
	if err != nil {
		return err
	}
	s, err := c.hubs.find(ctx, at, a.words[1:])
	if err != nil {
		return err
	}
	p := newParameters(s.method, s.command(), c.stdin, &a.options)
	p.level = !s.isCall()
	if err := p.read(a.rest); err != nil {
		return err
	}
	ctx, cancel := c.deadline(ctx) // --timeout may stand behind the path
	defer cancel()
	switch {
	case s.untold >= 0 && (a.help || a.schema):
		return s.wrongWord()
	case a.schema:
		return c.printer.schema(s)
	case a.help || !s.isCall():
		return c.showSpot(s)
	}
	if s.method != nil && s.method.deprecation != "" {
		c.printer.note("%s: %s", s.path(), s.method.deprecation)
	}
	params, err := p.finish(ctx)
	if err != nil {
		return err
	}
	if a.dryRun {
		return c.dryRun(s, params)
	}
	err = c.call(ctx, s, params, c.printer.item)
	if s.untold >= 0 && notFound(err) {
		return s.wrongWord()
	}
	return err
}

// dryRun prints the request of a call.
func (c *command) dryRun(s *spot, params any) (err error) {
	var text []byte
	if params != nil {
		if text, err = encode(params); err != nil {
			return err
		}
	}
	return c.printer.line(wire.AppendCall(nil, 1, s.Hub(), s.path(), text))
}

// call calls a method and shows the items as they come.
func (c *command) call(ctx context.Context, s *spot, params any, show func(*client.Item) error) error {
	if params != nil {
		text, err := encode(params)
		if err != nil {
			return err
		}
		params = json.RawMessage(text)
	}
	defer c.asker.surplus()
	var failure error
	began := false
	for item, err := range s.Call(ctx, s.path(), params) {
		var stream *client.StreamError
		switch {
		case errors.As(err, &stream) && stream.Recoverable:
			c.printer.failure(err)
			failure = errReported
			continue
		case err != nil:
			c.printer.progress.clear()
			if began && errors.Is(err, client.ErrTimeout) {
				return fmt.Errorf("%s did not end in time: it was ended after --timeout %v", s.path(), c.options.timeout)
			}
			return err
		}
		began = true
		if err := show(&item); err != nil {
			return err
		}
		if item.Type != client.Data {
			continue
		}
		if message := problem(item.Content); message != "" {
			c.printer.failure(fmt.Errorf("%s: %s", s.path(), message))
			failure = errReported
		}
	}
	c.printer.progress.clear()
	return failure
}
