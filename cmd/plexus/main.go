// SPDX-License-Identifier: AGPL-3.0-only

// Command plexus is the command line of Plexus: it lists the hubs that a
// registry knows and calls their methods.
//
// A hub describes what it offers, so nothing about any hub is built in. The
// commands of plexus itself are cobra commands (root.go). Any other command
// line is a path and flags: hubs (connect.go) finds the hub by its name, find
// (target.go) follows the path through the schemas, and call.go makes a cobra
// command of what the path leads to, with a flag for each parameter
// (flags.go, parameters.go). Types of parameters are read from JSON Schemas
// (node.go, values.go). printer (print.go) prints the items of the stream.
package main

import (
	"cmp"
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func main() {
	cobra.EnableCommandSorting = false // hubs have an order of their own
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// command is one run of the command line.
type command struct {
	getenv   func(string) string
	stdin    *os.File
	options  *options
	printer  *printer
	hubs     *hubs
	prompter *prompter
	began    time.Time
	unforced atomic.Bool // it ends in its own time

	benchTimeout time.Duration // of calls of bench, in tests; 0 for the default
}

func run(args []string, getenv func(string) string, stdin, stdout, stderr *os.File) int {
	c := &command{getenv: getenv, stdin: stdin, options: &options{}, began: time.Now()}
	ctx, stop := untilSignal(context.Background())
	defer stop()
	out, problems := &output{Writer: stdout}, &output{Writer: stderr}
	c.printer = &printer{out: out, err: problems, options: c.options, outTTY: term.IsTerminal(int(stdout.Fd()))}
	defer c.forceExit(ctx)()
	if term.IsTerminal(int(stderr.Fd())) {
		c.printer.columns = func() int {
			width, _, _ := term.GetSize(int(stderr.Fd()))
			return width
		}
	}
	c.prompter = &prompter{options: c.options, printer: c.printer, stdin: stdin, began: c.began}
	c.hubs = &hubs{options: c.options, getenv: getenv, answers: c.prompter.answer, note: c.printer.note}
	err := c.do(ctx, args)
	c.hubs.close()
	return status(ctx, cmp.Or(err, out.lost, problems.lost), problems)
}

// do runs what the arguments name.
func (c *command) do(ctx context.Context, args []string) error {
	root := c.root()
	if len(args) > 1 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		return c.complete(ctx, root, args[0], args[1:])
	}
	l, err := c.split(root, args)
	switch {
	case err != nil:
		return err
	case c.options.version:
		return c.version(ctx, nil)
	case l.path:
		return c.follow(ctx, root, l)
	}
	root.SetArgs(append(l.words, l.rest...))
	return root.ExecuteContext(ctx)
}

// deadline ends ctx when the time of --timeout is over, and the process soon
// after, if need be.
func (c *command) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	end := c.began.Add(c.options.timeout)
	if earlier, ok := ctx.Deadline(); c.options.timeout == 0 || ok && !end.Before(earlier) {
		return context.WithCancel(ctx)
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	stop := c.forceExit(ctx)
	return ctx, func() {
		stop()
		cancel()
	}
}
