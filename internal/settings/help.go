// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is how many characters a line of the help may have, the width of an
// old terminal.
const helpWidth = 80

// setHelp makes the help of the command show everything about each setting. The
// rest of it is cobra's, as is the help of the commands below it.
func (t Table) setHelp(command *cobra.Command) {
	command.SetHelpFunc(func(c *cobra.Command, _ []string) {
		out := c.OutOrStdout()
		fmt.Fprintf(out, "%s\n\n", strings.TrimSpace(cmp.Or(c.Long, c.Short)))
		if c != command {
			fmt.Fprint(out, c.UsageString())
			return
		}
		fmt.Fprintf(out, "Usage:\n  %s\n", c.UseLine())
		for _, below := range c.Commands() {
			if below.IsAvailableCommand() {
				fmt.Fprintf(out, "  %s %s\n%s", c.Name(), below.Use, wrapped(below.Short))
			}
		}
		fmt.Fprintf(out, "\nFlags:\n%s  -h, --help\n%s", t.settings(), wrapped("Show this text, and exit."))
		if c.Version != "" {
			fmt.Fprintf(out, "      --version\n%s", wrapped("Show the version, and exit."))
		}
		fmt.Fprint(out, "\nA flag takes precedence over its variable, and that over the default.\n")
		if c.HasExample() {
			fmt.Fprintf(out, "\nExamples:\n%s\n", c.Example)
		}
	})
}

// settings describes each setting.
func (t Table) settings() string {
	var text strings.Builder
	for _, s := range t {
		if s.Group != "" {
			text.WriteString("\n" + s.Group + ":\n")
		}
		name, kind := "      --"+s.Name, s.Kind
		if !strings.Contains(kind, "|") { // which is a choice of words
			kind = strings.ToUpper(kind)
		}
		switch {
		case s.Name == "":
			name = "      " + s.Variable + " (a variable without a flag)"
		case s.Short != "":
			name = "  -" + s.Short + ", --" + s.Name
		}
		text.WriteString(strings.TrimRight(name+" "+kind, " ") + "\n" + wrapped(s.Help))
		if s.Kind != "" || s.Name == "" {
			text.WriteString(wrapped("Default: " + s.fallback))
		}
		if s.Variable != "" && s.Name != "" {
			text.WriteString(wrapped("Variable: " + s.Variable))
		}
	}
	return text.String()
}

// wrapped writes a text in indented lines, of up to helpWidth characters where no
// word is longer.
func wrapped(text string) string {
	const indent = "          "
	lines, line := "", indent
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case len(line)+1+len(word) > helpWidth:
			lines += line + "\n"
			line = indent + word
		default:
			line += " " + word
		}
	}
	return lines + line + "\n"
}
