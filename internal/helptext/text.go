// SPDX-License-Identifier: AGPL-3.0-only

package helptext

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Width is the most cells in a line, the width of an old terminal. The text
// is the same in all of them.
const Width = 80

// Install makes of what write writes the help of a command, and of those below
// it. Cobra ignores that help can't be written: the command's output has to
// remember it.
func Install(command *cobra.Command, write func(*Text, *cobra.Command)) {
	command.SetHelpFunc(func(command *cobra.Command, _ []string) {
		var text Text
		write(&text, command)
		_, _ = io.WriteString(command.OutOrStdout(), text.String())
	})
}

// Text is help that is being written.
type Text struct{ strings.Builder }

// Paragraphs writes a description in indented lines; its empty lines are kept.
func (t *Text) Paragraphs(indent, text string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			t.WriteString("\n")
		}
		t.lines(indent, indent, paragraph)
	}
}

// Columns writes rows of a name and what it stands for.
func (t *Text) Columns(rows [][2]string) {
	width := 0
	for _, row := range rows {
		if n := Cells(row[0]); n <= 24 { // a few long ones don't count
			width = max(width, n)
		}
	}
	for _, row := range rows {
		name, about := row[0], row[1]
		n := max(width, Cells(name)) + 4
		first, next := Pad("  "+name, n), strings.Repeat(" ", n)
		switch {
		case about == "":
			first, next, about = "  ", "  ", name
		case n > Width/2:
			t.lines("  ", "  ", name)
			first, next = "      ", "      "
		}
		t.lines(first, next, about)
	}
}

// Setting writes a flag, or what else is set, and what is said of it below.
func (t *Text) Setting(head string, about ...string) {
	t.lines(head[:len(head)-len(strings.TrimLeft(head, " "))], "  ", head)
	for _, text := range about {
		t.Paragraphs("          ", text)
	}
}

// Flag writes a flag that the program defines itself.
func (t *Text) Flag(f *pflag.Flag) {
	short := "      "
	if f.Shorthand != "" {
		short = "  -" + f.Shorthand + ", "
	}
	value, usage := pflag.UnquoteUsage(f)
	fallback := "Default: " + f.DefValue + "."
	if slices.Contains([]string{"", "false", "[]", "0"}, f.DefValue) {
		fallback = ""
	}
	t.Setting(short+"--"+f.Name+" "+value, usage+".", fallback)
}

// lines wraps text. A word that is longer than a line is broken.
func (t *Text) lines(first, next, text string) {
	line, empty := first, true
	room := func() int { return Width - Cells(line) }
	for _, word := range strings.Fields(text) {
		if !empty && Cells(word)+1 > room() {
			t.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = next, true
		}
		if !empty {
			line += " "
		}
		for {
			var head string
			head, word = split(word, max(2, room()))
			line, empty = line+head, false
			if word == "" {
				break
			}
			t.WriteString(line + "\n")
			line = next
		}
	}
	t.WriteString(strings.TrimRight(line, " ") + "\n")
}
