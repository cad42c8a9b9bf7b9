// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"strings"
	"unicode/utf8"
)

// helpWidth is the most characters in a line of a help, the width of an old
// terminal; the text is the same in all of them.
const helpWidth = 80

const helpBegin = `plexus calls Plexus hubs, which say themselves what they offer.

Usage:
  plexus                           list the backends of the registry
  plexus HUB                       show what a hub offers
  plexus HUB PATH METHOD [flags]   call a method
  plexus COMMAND [flags]           one of the commands below

The path leads from the hub through its children to a method, at any depth.
Where it ends early, plexus shows what is there.

Commands:
`

const helpMiddle = `
A backend that is named like a command is reached as plexus call NAME, or as
plexus -- NAME.

Parameters of a method are flags behind its name:
  --name VALUE, --name=VALUE   a parameter; "-" does for "_"
  --flag                       a boolean one that is true
  --a.b VALUE                  a property b of the parameter a
  --tag x --tag y              a list; --tag '["x","y"]' is the same
  --name @FILE, --name @-      the value from a file, or from standard input;
                               a value that begins with @ itself: @@
  --name null                  null, where it is allowed

Flags:
`

const helpEnd = `
Those down to --pass-on, and --version, stand before the path. All others may
stand before it or behind it; behind it a parameter of the method that has the
same name is meant. Behind "--" all flags are parameters.

On a terminal results are printed for readers, elsewhere as lines of JSON.
Results go to standard output, errors and all else to standard error. The exit
status is 0, 1 for an error of the hub or of its method, 2 for wrong usage, and
130 after Ctrl-C, which ends the stream at the hub.

Examples:
  plexus -H 192.0.2.7 -P 4445
      List what the registry at that address knows.
  plexus registry-hub registry get --name my-hub
      Call registry.get of the hub named registry-hub.
  plexus my-hub echo repeat --message hi --count 2 --json
      Print each item as a line of JSON.
`

// ownCommand is a command of ours.
type ownCommand struct {
	name, usage, summary, help string
}

// ownCommands are the words that are no backends where they come first.
func ownCommands() []ownCommand {
	return []ownCommand{
		{"watch", "watch [NAME]", "Print what happens in the registry, a line for each event",
			"First come the backends as they are, or the one of that name, then every change, until Ctrl-C. In a pipe, each line is the event as JSON."},
		{"ping", "ping NAME", "Tell how fast a hub answers",
			"Finds the hub by its name, connects, and asks for _info once more. The first time is that of the connection with all that belongs to it, the second one that of a question alone."},
		{"doctor", "doctor URL", "Find out why a hub can't be reached",
			"Goes step by step: the host's name, TCP, TLS, the upgrade to WebSocket, _info and the schema. Each step is told with its time; for the one that fails it is said what can be done."},
		{"bench", "bench URL [flags]", "Measure how many operations a registry carries",
			"Registers backends of its own, loads the registry, tells operations a second and latencies, and deletes them again. plexus bench --help tells its flags."},
		{"completion", "completion bash|zsh|fish", "Print a script that completes commands in a shell",
			"The names of backends, children, methods and parameters are completed from what the hubs say. To have it in every shell: in ~/.bashrc, source <(plexus completion bash); in ~/.zshrc, source <(plexus completion zsh); in ~/.config/fish/config.fish, plexus completion fish | source."},
		{"call", "call NAME [PATH] [flags]", "The backend of that name, though it may be named like a command", "The same as plexus -- NAME."},
		{"help", "help [COMMAND | NAME PATH]", "Show this help, or that of a command, a hub, a method", "The same as --help behind it."},
		{"version", "version", "Print the version", "Prints the version of the module that this was built from."},
	}
}

// bareUsage is the help of plexus itself.
func bareUsage() string {
	var b strings.Builder
	b.WriteString(helpBegin)
	for _, own := range ownCommands() {
		writeBeside(&b, "  "+pad(own.name, 12), own.summary)
	}
	b.WriteString(helpMiddle)
	for _, f := range flags() {
		writeFlag(&b, f)
	}
	b.WriteString(helpEnd)
	return b.String()
}

func writeFlag(b *strings.Builder, f flag) {
	short := "    "
	if f.short != "" {
		short = "-" + f.short + ", "
	}
	b.WriteString("  " + short + "--" + f.name)
	if f.value != "" {
		b.WriteString(" " + f.value)
	}
	b.WriteString("\n")
	writeWrapped(b, "          ", f.help+".")
}

// commandUsage is the help of one of our commands.
func commandUsage(own ownCommand) string {
	var b strings.Builder
	writeWrapped(&b, "", own.summary+".")
	b.WriteString("\nUsage: plexus " + own.usage + "\n\n")
	writeWrapped(&b, "", own.help)
	b.WriteString("\nplexus --help lists the flags.\n")
	return b.String()
}

// showSpot shows what is where a path ends.
func (c *command) showSpot(s *spot) error {
	if s.method != nil {
		return c.printer.text(methodUsage(s))
	}
	return c.printer.text(levelUsage(s))
}

// levelUsage shows a hub, or an activation: its children and its methods.
func levelUsage(s *spot) string {
	var b strings.Builder
	title := strings.TrimPrefix(s.command(), "plexus ")
	if s.level.version != "" {
		title += " " + s.level.version
	}
	writeWrapped(&b, "", title)
	writeParagraphs(&b, "", s.level.description)
	var next []string
	if children := s.level.below(); len(children) > 0 {
		b.WriteString("\nChildren:\n")
		width := nameWidth(len(children), func(i int) string { return children[i].name })
		for _, child := range children {
			writeBeside(&b, "  "+pad(oneLine(child.name), width), firstLine(child.description))
		}
		next = append(next, "CHILD")
	}
	if methods := s.level.calls(); len(methods) > 0 {
		b.WriteString("\nMethods:\n")
		width := nameWidth(len(methods), func(i int) string { return methods[i].name })
		for _, m := range methods {
			writeBeside(&b, "  "+pad(oneLine(m.name), width), firstLine(m.description))
		}
		next = append(next, "METHOD")
	}
	if next == nil {
		b.WriteString("\nThere are no children and no methods.\n")
		return b.String()
	}
	b.WriteString("\n")
	writeWrapped(&b, "", s.command()+" "+strings.Join(next, "|")+" --help shows more.")
	return b.String()
}

// nameWidth is how wide a column of names is; a few long ones don't count.
func nameWidth(n int, name func(int) string) (width int) {
	for i := range n {
		if w := utf8.RuneCountInString(oneLine(name(i))); w <= 24 {
			width = max(width, w)
		}
	}
	return width + 2
}

// methodUsage shows a method: its parameters, and what it answers with.
func methodUsage(s *spot) string {
	var b strings.Builder
	m := s.method
	all := flagsOf(shape{m.params, m.params})
	usage := s.command()
	for _, p := range all {
		if p.required && !strings.Contains(p.name, ".") {
			usage += " --" + oneLine(p.name) + " …"
		}
	}
	if len(all) > 0 || !m.paramless {
		usage += " [flags]"
	}
	writeWrapped(&b, "", strings.TrimPrefix(s.command(), "plexus "))
	writeParagraphs(&b, "", m.description)
	if m.deprecation != "" {
		b.WriteString("\n")
		writeWrapped(&b, "", "Deprecated: "+oneLine(m.deprecation))
	}
	b.WriteString("\n")
	writeWrapped(&b, "", "Usage: "+usage)
	switch {
	case len(all) > 0:
		b.WriteString("\nParameters:\n")
	case m.paramless:
		b.WriteString("\nThere are no parameters.\n")
	default:
		b.WriteString("\nIt is not said which parameters there are: any are taken.\n")
	}
	for _, p := range all {
		head := "  --" + oneLine(p.name)
		if a := p.accepts(); !a.flag() {
			head += " " + oneLine(p.describe())
		}
		if p.required {
			head += " (required)"
		}
		writeWrapped(&b, "  ", head)
		writeParagraphs(&b, "          ", p.summary())
		if fallback := p.fallback(); fallback != "" {
			writeWrapped(&b, "          ", "Default: "+oneLine(fallback))
		}
	}
	var also []string
	if m.streaming {
		also = append(also, "It streams: items come as they arise.")
	}
	if m.bidirectional {
		also = append(also, "It may ask questions: see --yes and --answer.")
	}
	if m.returns != nil && m.returns.Title != "" {
		also = append(also, "It answers with "+oneLine(m.returns.Title)+", which --schema shows.")
	}
	if also != nil {
		b.WriteString("\n")
		writeWrapped(&b, "", strings.Join(also, " "))
	}
	return b.String()
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
