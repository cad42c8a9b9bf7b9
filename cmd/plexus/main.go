// SPDX-License-Identifier: AGPL-3.0-only

// Command plexus is the command line of Plexus: it lists the hubs that a
// registry knows and calls their methods.
//
// A hub says itself what it offers, so nothing about any of them is built in.
// A command line is a path and flags: split (args.go) takes it apart as far as
// that goes without the hub, hubs (connect.go) finds the hub by its name, find
// (tree.go) follows the path through the schemas, parameters (params.go) makes
// typed parameters of the flags, and printer (print.go) prints what comes.
// Where the path ends early, help.go shows what is there. The commands that
// are not calls have a file each.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mattn/go-isatty"
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// command is one run of the command line.
type command struct {
	getenv  func(string) string
	stdin   *os.File
	options *options
	printer *printer
	hubs    *hubs
	asker   *asker
	late    *lastResort
	began   time.Time
}

func run(args []string, getenv func(string) string, stdin, stdout, stderr *os.File) int {
	began := time.Now()
	ctx, stop := untilSignal(context.Background())
	defer stop()
	late := &lastResort{stderr: stderr}
	defer late.after(ctx, func() error { return signalled(ctx) })()
	a, err := split(args)
	if err != nil {
		return status(ctx, err, stderr)
	}
	c := &command{getenv: getenv, stdin: stdin, options: &a.options, late: late, began: began}
	c.printer = &printer{out: stdout, err: stderr, options: c.options, outTTY: isatty.IsTerminal(stdout.Fd())}
	c.printer.progress = progress{
		err: stderr, terminal: isatty.IsTerminal(stderr.Fd()),
		verbose: func() bool { return c.options.verbose },
		width:   func() int { return columns(stderr) },
	}
	c.asker = &asker{options: c.options, printer: c.printer, stdin: stdin, began: began}
	c.hubs = &hubs{options: c.options, getenv: getenv, answers: c.asker.answer, note: c.printer.note}
	err = c.do(ctx, &a)
	c.hubs.close()
	return status(ctx, err, stderr)
}

// do runs the command that the arguments name.
func (c *command) do(ctx context.Context, a *arguments) error {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	if a.version {
		return c.version()
	}
	if !a.literal && len(a.words) > 0 {
		if done, err := c.own(ctx, a); done {
			return err
		}
	}
	if len(a.words) > 0 {
		return c.follow(ctx, a)
	}
	words, err := a.loose(a.rest)
	switch {
	case err != nil:
		return err
	case len(words) > 0:
		return usagef("%s is behind a flag that takes no value", quoted(words[0])).withHint(seeHelp)
	case a.help:
		return c.printer.text(bareUsage())
	case a.schema:
		first, err := c.hubs.registry(ctx)
		if err != nil {
			return err
		}
		s, err := c.hubs.find(ctx, first, nil)
		if err != nil {
			return err
		}
		return c.printer.schema(s)
	}
	return c.list(ctx)
}

// own runs one of our own commands, if the first word is one.
func (c *command) own(ctx context.Context, a *arguments) (done bool, err error) {
	name := a.words[0]
	rest := append(slices.Clone(a.words[1:]), a.rest...)
	all := ownCommands()
	i := slices.IndexFunc(all, func(own ownCommand) bool { return own.name == name })
	if name == "__complete" {
		return true, c.complete(ctx, rest)
	}
	if i < 0 {
		return false, nil
	}
	switch name {
	case "call":
		if len(a.words) > 1 {
			a.words = a.words[1:]
			return false, nil
		}
	case "help":
		if len(a.words) > 1 && !slices.ContainsFunc(all, func(own ownCommand) bool { return own.name == a.words[1] }) {
			a.words, a.help = a.words[1:], true
			return false, nil
		}
	case "bench":
		// Its flags are its own, and so is its end: it deletes what it made.
		c.late.off.Store(true)
		if status := bench(ctx, rest, *c.options, c.getenv, c.printer.out, c.printer.err); status != 0 {
			return true, exited(status)
		}
		return true, nil
	}
	words, err := a.loose(rest)
	if err != nil {
		return true, err
	}
	if a.help && name != "help" {
		return true, c.printer.text(commandUsage(all[i]))
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	switch name {
	case "call":
		return true, usagef("call needs a name").withHint("plexus call NAME [PATH] [flags]")
	case "help":
		return true, c.printer.text(c.helpOn(words))
	case "version":
		return true, c.version()
	case "watch":
		return true, c.watch(ctx, words)
	case "ping":
		return true, c.ping(ctx, words)
	case "doctor":
		return true, c.doctor(ctx, words)
	}
	return true, c.completion(words)
}

// helpOn is the help of a command of ours, or of plexus itself.
func (c *command) helpOn(words []string) string {
	for _, own := range ownCommands() {
		if len(words) > 0 && own.name == words[0] {
			return commandUsage(own)
		}
	}
	return bareUsage()
}

// deadline ends ctx when the time that --timeout gives is over, and the
// process soon after, if need be.
func (c *command) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	end := c.began.Add(c.options.timeout)
	if earlier, ok := ctx.Deadline(); c.options.timeout == 0 || ok && !end.Before(earlier) {
		return context.WithCancel(ctx)
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	stop := c.late.after(ctx, func() error { return overtime(ctx) })
	return ctx, func() {
		stop()
		cancel()
	}
}

// version prints that of the module, as it was built.
func (c *command) version() error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = cmp.Or(info.Main.Version, version)
	}
	return c.printer.text(fmt.Sprintln("plexus", version))
}
