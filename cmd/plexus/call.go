// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

func (c *command) target(ctx context.Context, words []string) (*target, error) {
	at, err := c.hubs.named(ctx, words[0])
	if err != nil {
		return nil, err
	}
	return c.hubs.find(ctx, at, words[1:])
}

// hubCommand stands for the name of the hub, which may be like a flag.
const hubCommand = "hub"

// add makes cobra commands of a path, and of what is below it, in place of
// those of plexus. It returns the last one, and the parameters that its flags
// set.
func (c *command) add(root *cobra.Command, t *target) (*cobra.Command, *parameters) {
	root.ResetCommands()
	below := func(parent *cobra.Command, name, about, group string) *cobra.Command {
		cmd := &cobra.Command{Use: name, Short: about, GroupID: group, Hidden: !isPlain(name), Run: func(*cobra.Command, []string) {}}
		parent.AddCommand(cmd)
		return cmd
	}
	cmd := below(root, hubCommand, "", "")
	for _, word := range t.words {
		cmd = below(cmd, word, "", "")
	}
	p := newParameters(t, c.stdin, c.options)
	if t.isCall() {
		p.define(cmd)
	} else {
		for i, child := range t.schema.shownChildren() {
			if i == 0 {
				cmd.AddGroup(&cobra.Group{ID: "child", Title: "Children:"})
			}
			below(cmd, child.name, child.description, "child")
		}
		for i, m := range t.schema.shownMethods() {
			if i == 0 {
				cmd.AddGroup(&cobra.Group{ID: "method", Title: "Methods:"})
			}
			below(cmd, m.name, m.text("description"), "method")
		}
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return flagError(err, p.unknown)
	})
	return cmd, p
}

// follow follows a path and does what its end, and the flags behind it, ask
// for.
func (c *command) follow(ctx context.Context, root *cobra.Command, l line) error {
	before, cancel := c.deadline(ctx)
	defer cancel()
	t, err := c.target(before, l.words)
	if err != nil {
		return err
	}
	cmd, p := c.add(root, t)
	if err := p.read(cmd, l.rest); err != nil {
		return err
	}
	ctx, cancel = c.deadline(ctx) // --timeout may stand behind the path
	defer cancel()
	switch {
	case t.unknown >= 0 && (c.options.help || c.options.schema):
		return t.notThere()
	case c.options.schema:
		return c.printer.schema(t)
	case c.options.help || !t.isCall():
		return c.printer.text(t.help(cmd))
	}
	if t.method != nil && t.method.deprecation() != "" {
		c.printer.note("%s: %s", t.path(), t.method.deprecation())
	}
	params, err := p.finish(ctx)
	if err != nil {
		return err
	}
	if c.options.dryRun {
		text, _ := params.(json.RawMessage)
		return c.printer.line(wire.AppendCall(nil, 1, t.name, t.path(), text))
	}
	err = c.call(ctx, t.hub, t.path(), params, c.printer.item)
	if t.unknown >= 0 && notFound(err) {
		return t.notThere()
	}
	return err
}

// timedOut is the error of a call that --timeout has ended.
func (c *command) timedOut(method string) error {
	return fmt.Errorf("%s timed out: it was ended after --timeout %v", method, c.options.timeout)
}

// call calls a method and shows the items as they come.
func (c *command) call(ctx context.Context, at *hub, method string, params any, show func(*plugin.Item) error) error {
	defer c.prompter.surplus()
	var failure error
	began := false
	for item, err := range at.Call(ctx, method, params) {
		switch {
		case isRecoverable(err):
			c.printer.failure(err)
			failure = errReported
			continue
		case err != nil:
			c.printer.clear()
			if began && errors.Is(err, context.DeadlineExceeded) {
				return c.timedOut(method)
			}
			return err
		}
		began = true
		if err := show(&item); err != nil {
			return err
		}
		if item.Kind != plugin.KindData {
			continue
		}
		if message := cmp.Or(problem(dataOf(&item)), unsuccessful(dataOf(&item))); message != "" {
			c.printer.failure(fmt.Errorf("%s: %s", method, message))
			failure = errReported
		}
	}
	c.printer.clear()
	return failure
}
