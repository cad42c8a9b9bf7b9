// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plexus-go/plexus/internal/helptext"
)

// root makes plexus itself and its commands.
func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use: "plexus", Short: "Call Plexus hubs", Long: helpBegin + helpMiddle + helpEnd,
		RunE: c.run(c.list), ValidArgsFunction: c.completeHubs,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetOut(c.printer)
	helptext.Install(root, writeHelp)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return flagError(err, func(name string) error { return unknownFlag(cmd, name) })
	})
	root.Flags().SortFlags = false
	root.Flags().AddFlagSet(c.options.connectionFlags())
	root.Flags().BoolVar(&c.options.version, "version", false, "Print the version")
	root.PersistentFlags().SortFlags = false
	root.PersistentFlags().AddFlagSet(c.options.commonFlags())
	for _, file := range []string{"ca", "cert", "key"} {
		_ = root.MarkFlagFilename(file) // the flags are there
	}
	root.AddGroup(&cobra.Group{ID: "commands", Title: "Commands:"})
	for _, cmd := range append(c.commands(), c.bench()) {
		cmd.GroupID = "commands"
		root.AddCommand(cmd)
	}
	root.SetHelpCommandGroupID("commands")
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		cmd.DisableFlagsInUseLine = true
		c.hubs.commands = append(c.hubs.commands, cmd.Name())
	}
	return root
}

// run is a RunE that ends when the time of --timeout is over.
func (c *command) run(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, cancel := c.deadline(cmd.Context())
		defer cancel()
		return do(ctx, args)
	}
}

// commands are those of plexus itself. Where one of their names comes first, it
// is not the name of a backend.
func (c *command) commands() []*cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return []*cobra.Command{{
		Use: "watch [NAME]", Short: "Print what happens in the registry, a line for each event",
		Long: "Prints all present backends, or the one of that name, then every change, until Ctrl-C. If the connection to the registry is lost, watch connects again. In a pipe, each line is an event as JSON.",
		RunE: c.run(c.watch), ValidArgsFunction: c.completeHubs,
	}, {
		Use: "ping NAME", Short: "Measure how fast a hub answers",
		Long: "Finds the hub by its name, connects, and asks for _info once more. The first time is for the whole connection, the second for that one call.",
		RunE: c.run(c.ping), ValidArgsFunction: c.completeHubs,
	}, {
		Use: "doctor URL", Short: "Find out why a hub can't be reached",
		Long: "Goes step by step: the host's name, TCP, TLS, the upgrade to WebSocket, _info and the schema. Each step is printed with its time; for the one that fails, doctor says what can be done.",
		RunE: c.run(c.doctor),
	}, {
		Use: "completion " + strings.Join(shells, "|"), Short: "Print a script that completes commands in a shell",
		Long:      "Names of backends, children, methods, parameters and their values are completed from what the hubs say. To have it in every shell: in ~/.bashrc, source <(plexus completion bash); in ~/.zshrc, after compinit, source <(plexus completion zsh); in ~/.config/fish/config.fish, plexus completion fish | source; in $PROFILE, plexus completion powershell | Out-String | Invoke-Expression.",
		ValidArgs: shells,
		RunE:      completion,
	}, {
		Use: "call NAME [PATH] [flags]", Short: "Call the backend of that name, even if it is named like a command",
		Long: "The same as plexus -- NAME.",
		RunE: c.run(func(context.Context, []string) error {
			return usagef("call needs a name").withHint("plexus call NAME [PATH] [flags]")
		}),
	}, {
		Use: "version", Short: "Print the version",
		Long: "Prints the version of the module that this was built from.",
		RunE: c.run(c.version),
	}}
}

// line is a command line, split as far as that is possible without asking a
// hub.
type line struct {
	words []string // a command of plexus, or a path: a backend, children of its hub, a method
	rest  []string // what follows, and begins with a flag
	path  bool
}

// split reads the flags before the first word, and finds out what the words
// are.
func (c *command) split(root *cobra.Command, args []string) (l line, err error) {
	flags := root.Flags()
	flags.AddFlagSet(root.PersistentFlags())
	flags.SetInterspersed(false)
	defer flags.SetInterspersed(true)
	if err := flags.Parse(args); err != nil {
		return l, root.FlagErrorFunc()(root, err)
	}
	args = flags.Args()
	named := flags.ArgsLenAtDash() == 0
	if !named && len(args) > 2 && (args[0] == "call" || args[0] == "help") && args[1] == "--" {
		c.options.help = args[0] == "help"
		args, named = args[2:], true
	}
	end := 0
	for end < len(args) && (!isFlag(args[end]) || named && end == 0) { // after "--", the first word is a backend
		end++
	}
	if end < len(args) && args[end] == "-" { // which pflag takes for a word
		return l, usagef("unknown flag -").withHint("See plexus --help.")
	}
	l = line{words: slices.Clip(args[:end]), rest: args[end:], path: end > 0}
	if c.hubs.noCommand = named; end == 0 || named {
		return l, nil
	}
	switch first := l.words[0]; {
	case first == "call" && end > 1:
		l.words, c.hubs.noCommand = l.words[1:], true
	case first == "help" && end > 1 && !slices.Contains(c.hubs.commands, l.words[1]):
		l.words, c.options.help = l.words[1:], true
	default:
		l.path = true
		for _, cmd := range root.Commands() {
			if cmd.Name() == first { // which takes the flags of the connection as well
				l.path = false
				cmd.Flags().AddFlagSet(flags)
			}
		}
	}
	return l, nil
}

// isFlag reports whether an argument is a flag and not a word. A lone dash is
// neither, but can't be a name.
func isFlag(arg string) bool { return strings.HasPrefix(arg, "-") }

// flagError words an error of pflag; unknown that of a flag that is not there.
func flagError(err error, unknown func(name string) error) error {
	var usage *usageError
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var absent *pflag.NotExistError
	switch {
	case errors.As(err, &usage):
		return usage
	case errors.As(err, &invalid):
		why := invalid.Unwrap()
		switch invalid.GetFlag().Value.Type() {
		case "int", "float64":
			why = errors.New("must be a number")
		case "duration":
			why = errors.New("must be a time such as 500ms, 10s or 2m")
		case "boolfunc", "bool":
			return usagef("--%s takes no value", invalid.GetFlag().Name)
		}
		return usagef("invalid value for --%s: %s (%v)", invalid.GetFlag().Name, quoted(invalid.GetValue()), why)
	case errors.As(err, &missing):
		value, _ := pflag.UnquoteUsage(missing.GetFlag())
		return usagef("--%s needs a value: --%[1]s %s", missing.GetFlag().Name, value)
	case errors.As(err, &absent) && absent.GetSpecifiedShortnames() != "":
		return unknown("-" + absent.GetSpecifiedName())
	case errors.As(err, &absent):
		return unknown("--" + absent.GetSpecifiedName())
	}
	return usagef("%v", err)
}

// unknownFlag is the error of a flag that a command does not have.
func unknownFlag(cmd *cobra.Command, name string) error {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return usagef("unknown flag %s", name).withHint(didYouMean(name, names), "See "+cmd.CommandPath()+" --help.")
}

// didYouMean proposes names that are like word, and not word itself; empty where
// there is none.
func didYouMean(word string, names []string) string {
	const maxName, maxNames = 100, 3
	if word == "" { // which every name begins with
		return ""
	}
	parent := &cobra.Command{}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if !sameName(name, word) && len(name) <= maxName && !strings.ContainsAny(name, " \t\n") {
			parent.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
		}
	}
	for parent.SuggestionsMinimumDistance = 1; parent.SuggestionsMinimumDistance <= 2 && len(word) <= maxName; parent.SuggestionsMinimumDistance++ {
		if near := parent.SuggestionsFor(word); len(near) > 0 {
			near = near[:min(len(near), maxNames)]
			for i, name := range near {
				near[i] = shellWord(name)
			}
			return "Did you mean " + orList(near) + "?"
		}
	}
	return ""
}

// orList joins words: "a", "a or b", "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// version prints that of the module, as it was built.
func (c *command) version(context.Context, []string) error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = cmp.Or(info.Main.Version, version)
	}
	return c.printer.text(fmt.Sprintln("plexus", version))
}
