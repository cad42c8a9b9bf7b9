// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plexus-go/plexus/internal/helptext"
)

const helpBegin = `plexus calls methods of Plexus hubs. Each hub describes what it offers.

Usage:
  plexus                           list the backends of the registry
  plexus HUB                       show what a hub offers
  plexus HUB PATH METHOD [flags]   call a method
  plexus COMMAND [flags]           run one of the commands below

The path leads from the hub through its children to a method, at any depth.
If it ends before a method, plexus shows what is below it.
`

const helpMiddle = `
A backend that is named like a command is reached as plexus call NAME, or as
plexus -- NAME; one whose name begins with a dash as plexus -- NAME, and behind
commands, too: plexus ping -- NAME.

Parameters of a method are flags after its name:
  --name VALUE, --name=VALUE   a parameter; "-" stands for "_"
  --flag                       a boolean one that is true
  --a.b VALUE                  a property b of the parameter a
  --tag x --tag y              a list; --tag '["x","y"]' is the same
  --name @FILE, --name @-      the value from a file, or from standard input;
                               @@ for a value that begins with @ itself
  --name null                  null, where it is allowed
`

const helpConnection = `
These flags must stand before the path:
`

const helpCommon = `
These flags may stand before the path or after it. After it, a parameter of the
method with the same name takes precedence. After "--" all flags are parameters:
`

const helpEnd = `
On a terminal results are printed for people, elsewhere as lines of JSON.
Results go to standard output, errors and everything else to standard error. The
exit status is 0, 1 for an error of the hub or of its method, 2 for wrong usage,
and 130 after Ctrl-C, which ends the stream at the hub.

Examples:
  plexus -H 192.0.2.7 -P 4445
      List what the registry at that address knows.
  plexus registry-hub registry get --name my-hub
      Call registry.get of the hub named registry-hub.
  plexus my-hub echo repeat --message hi --count 2 --json
      Print each item as a line of JSON.
`

// writeHelp writes the help of plexus, or of one of its commands.
func writeHelp(text *helptext.Text, cmd *cobra.Command) {
	if !cmd.HasParent() {
		text.WriteString(helpBegin)
		writeCommands(text, cmd)
		text.WriteString(helpMiddle + helpConnection)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if cmd.PersistentFlags().Lookup(f.Name) == nil {
				text.Flag(f)
			}
		})
		text.WriteString(helpCommon)
		cmd.PersistentFlags().VisitAll(text.Flag)
		text.WriteString(helpEnd)
		return
	}
	text.Paragraphs("", cmd.Short+".\n\nUsage: "+cmd.UseLine()+"\n\n"+cmd.Long)
	title, root := "\nFlags:\n", cmd.Root()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if root.Flags().Lookup(f.Name) == nil && root.PersistentFlags().Lookup(f.Name) == nil {
			text.WriteString(title)
			title = ""
			text.Flag(f)
		}
	})
	text.WriteString("\nplexus --help lists the flags that all commands have.\n")
}

// help shows what a path leads to. What the hub says may hold anything.
func (t *target) help(cmd *cobra.Command) string {
	var text helptext.Text
	if t.method != nil {
		t.writeMethod(&text, cmd)
		return text.String()
	}
	text.Paragraphs("", t.title()+" "+t.schema.text("version"))
	text.Paragraphs("", paragraphs(t.schema.description()))
	writeCommands(&text, cmd)
	var next []string
	for _, group := range cmd.Groups() {
		next = append(next, strings.ToUpper(group.ID))
	}
	text.WriteString("\n")
	if next == nil {
		text.WriteString("There are no children and no methods.\n")
	} else {
		text.Paragraphs("", t.command()+" "+strings.Join(next, "|")+" --help shows more.")
	}
	return text.String()
}

// writeMethod shows the parameters of a method, and what it answers with.
func (t *target) writeMethod(text *helptext.Text, cmd *cobra.Command) {
	m, usage := t.method, t.command()
	var flags helptext.Text
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		p, ok := f.Value.(*parameter)
		if !ok {
			return
		}
		head, fallback := "  --"+oneLine(f.Name), ""
		if p.required && len(p.keys) == 1 {
			usage += " " + shellWord("--"+oneLine(f.Name)) + " …"
		}
		if !p.rules().isSwitch() {
			head += " " + oneLine(p.describe())
		}
		if p.required {
			head += " (required)"
		}
		if f.DefValue != "" {
			fallback = "Default: " + oneLine(f.DefValue)
		}
		flags.Setting(head, paragraphs(f.Usage), fallback)
	})
	if flags.Len() > 0 || !m.takesNothing() {
		usage += " [flags]"
	}
	text.Paragraphs("", t.title())
	text.Paragraphs("", paragraphs(m.text("description")))
	if m.deprecation() != "" {
		text.WriteString("\n")
		text.Paragraphs("", "Deprecated: "+oneLine(m.deprecation()))
	}
	text.WriteString("\n")
	text.Paragraphs("", "Usage: "+usage)
	switch {
	case flags.Len() > 0:
		text.WriteString("\nParameters:\n" + flags.String())
	case m.takesNothing():
		text.WriteString("\nThere are no parameters.\n")
	default:
		text.WriteString("\nThe schema does not list the parameters: any are taken.\n")
	}
	also := ""
	if m.is("streaming") {
		also += " It streams: items come as they arise."
	}
	if m.is("bidirectional") {
		also += " It may ask questions: see --yes and --answer."
	}
	if title := m.object.object("returns").text("title"); title != "" {
		also += " It answers with " + oneLine(title) + ", which --schema shows."
	}
	if also != "" {
		text.WriteString("\n")
		text.Paragraphs("", also)
	}
}

// writeCommands writes the commands below one, by groups.
func writeCommands(text *helptext.Text, cmd *cobra.Command) {
	for _, group := range cmd.Groups() {
		text.WriteString("\n" + group.Title + "\n")
		var rows [][2]string
		for _, below := range cmd.Commands() {
			if below.GroupID == group.ID {
				rows = append(rows, [2]string{oneLine(below.Name()), firstLine(below.Short)})
			}
		}
		text.Columns(rows)
	}
}

// paragraphs is a description, whose empty lines are kept.
func paragraphs(text string) string { return printable(strings.ReplaceAll(text, "\r", "")) }

// firstLine is the first paragraph of a description.
func firstLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n\n")
	return oneLine(text)
}
