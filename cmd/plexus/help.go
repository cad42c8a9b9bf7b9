// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is the most characters in a line of help, the width of an old
// terminal; the text is the same in all of them.
const helpWidth = 80

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
plexus -- NAME.

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

// helpOf is the help of plexus, or of one of its commands.
func helpOf(cmd *cobra.Command) string {
	var b strings.Builder
	if cmd.HasParent() {
		writeWrapped(&b, "", cmd.Short+".")
		b.WriteString("\n")
		writeWrapped(&b, "", "Usage: "+cmd.UseLine())
		b.WriteString("\n")
		writeParagraphs(&b, "", cmd.Long)
		title := "\nFlags:\n"
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if root := cmd.Root(); root.Flags().Lookup(f.Name) == nil && root.PersistentFlags().Lookup(f.Name) == nil {
				b.WriteString(title)
				title = ""
				writeFlag(&b, f)
			}
		})
		b.WriteString("\nplexus --help lists the flags that all commands have.\n")
		return b.String()
	}
	b.WriteString(helpBegin)
	writeCommands(&b, cmd)
	b.WriteString(helpMiddle + helpConnection)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if cmd.PersistentFlags().Lookup(f.Name) == nil {
			writeFlag(&b, f)
		}
	})
	b.WriteString(helpCommon)
	cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { writeFlag(&b, f) })
	b.WriteString(helpEnd)
	return b.String()
}

// help shows what a path leads to.
func (t *target) help(cmd *cobra.Command) string {
	var b strings.Builder
	if t.method != nil {
		t.methodHelp(&b, cmd)
		return b.String()
	}
	writeWrapped(&b, "", t.title()+" "+t.schema.text("version"))
	writeParagraphs(&b, "", t.schema.description())
	writeCommands(&b, cmd)
	var next []string
	for _, group := range cmd.Groups() {
		next = append(next, strings.ToUpper(group.ID))
	}
	b.WriteString("\n")
	if next == nil {
		b.WriteString("There are no children and no methods.\n")
	} else {
		writeWrapped(&b, "", t.command()+" "+strings.Join(next, "|")+" --help shows more.")
	}
	return b.String()
}

// methodHelp shows the parameters of a method, and what it answers with.
func (t *target) methodHelp(b *strings.Builder, cmd *cobra.Command) {
	m, usage := t.method, t.command()
	var flags strings.Builder
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if p, ok := f.Value.(*parameter); ok {
			if writeFlag(&flags, f); p.required && len(p.keys) == 1 {
				usage += " --" + oneLine(f.Name) + " …"
			}
		}
	})
	if flags.Len() > 0 || !m.takesNothing() {
		usage += " [flags]"
	}
	writeWrapped(b, "", t.title())
	writeParagraphs(b, "", m.text("description"))
	if m.deprecation() != "" {
		b.WriteString("\n")
		writeWrapped(b, "", "Deprecated: "+oneLine(m.deprecation()))
	}
	b.WriteString("\n")
	writeWrapped(b, "", "Usage: "+usage)
	switch {
	case flags.Len() > 0:
		b.WriteString("\nParameters:\n" + flags.String())
	case m.takesNothing():
		b.WriteString("\nThere are no parameters.\n")
	default:
		b.WriteString("\nThe schema does not list the parameters: any are taken.\n")
	}
	var also []string
	if m.is("streaming") {
		also = append(also, "It streams: items come as they arise.")
	}
	if m.is("bidirectional") {
		also = append(also, "It may ask questions: see --yes and --answer.")
	}
	if title := m.object.object("returns").text("title"); title != "" {
		also = append(also, "It answers with "+oneLine(title)+", which --schema shows.")
	}
	if also != nil {
		b.WriteString("\n")
		writeWrapped(b, "", strings.Join(also, " "))
	}
}

// writeCommands writes the commands below one, by groups.
func writeCommands(b *strings.Builder, cmd *cobra.Command) {
	for _, group := range cmd.Groups() {
		b.WriteString("\n" + group.Title + "\n")
		width := 0 // of a column of names; a few long ones don't count
		for _, below := range cmd.Commands() {
			if w := utf8.RuneCountInString(oneLine(below.Name())); w <= 24 && below.GroupID == group.ID {
				width = max(width, w)
			}
		}
		for _, below := range cmd.Commands() {
			if below.GroupID == group.ID {
				writeBeside(b, "  "+pad(oneLine(below.Name()), width+2), firstLine(below.Short))
			}
		}
	}
}

// writeFlag writes a flag, and what it is for below.
func writeFlag(b *strings.Builder, f *pflag.Flag) {
	const indent = "          "
	if p, ok := f.Value.(*parameter); ok {
		head := "  --" + oneLine(f.Name)
		if !p.rules().isSwitch() {
			head += " " + oneLine(p.describe())
		}
		if p.required {
			head += " (required)"
		}
		writeWrapped(b, "  ", head)
		writeParagraphs(b, indent, f.Usage)
		if f.DefValue != "" {
			writeWrapped(b, indent, "Default: "+oneLine(f.DefValue))
		}
		return
	}
	short := "    "
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ", "
	}
	value, usage := pflag.UnquoteUsage(f)
	b.WriteString(strings.TrimRight("  "+short+"--"+f.Name+" "+value, " ") + "\n")
	writeWrapped(b, indent, usage+".")
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" {
		writeWrapped(b, indent, "Default: "+f.DefValue+".")
	}
}

// firstLine is the first paragraph of a description.
func firstLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n\n")
	return oneLine(text)
}

// writeParagraphs writes a description, whose empty lines are kept.
func writeParagraphs(b *strings.Builder, indent, text string) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r", ""))
	if text == "" {
		return
	}
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString("\n")
		}
		writeWrapped(b, indent, oneLine(paragraph))
	}
}

// writeWrapped writes text in lines of at most helpWidth characters.
func writeWrapped(b *strings.Builder, indent, text string) {
	writeLines(b, indent, indent, text)
}

// writeBeside writes text behind a head, and goes on below its beginning.
func writeBeside(b *strings.Builder, head, text string) {
	if text == "" {
		text = strings.TrimSpace(head)
		head = head[:len(head)-len(strings.TrimLeft(head, " "))]
	}
	width := utf8.RuneCountInString(head)
	if width > helpWidth/2 {
		writeWrapped(b, "  ", strings.TrimSpace(head))
		head, width = "      ", 6
	}
	writeLines(b, head, strings.Repeat(" ", width), text)
}

// writeLines wraps text. A word that is longer than a line is broken.
func writeLines(b *strings.Builder, first, next, text string) {
	line, empty := first, true
	room := func() int { return helpWidth - utf8.RuneCountInString(line) }
	for _, word := range strings.Fields(text) {
		if !empty && utf8.RuneCountInString(word)+1 > room() {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = next, true
		}
		if !empty {
			line += " "
		}
		for runes := []rune(word); ; {
			n := min(len(runes), max(1, room()))
			line, empty = line+string(runes[:n]), false
			if runes = runes[n:]; len(runes) == 0 {
				break
			}
			b.WriteString(line + "\n")
			line = next
		}
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
