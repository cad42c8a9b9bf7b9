// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plexus-go/plexus/internal/helptext"
)

// writeHelp writes the help of a command: of the one that has the settings, all
// that can be said of each. Commands below it have flags of cobra's only.
func (t Table) writeHelp(text *helptext.Text, command *cobra.Command) {
	text.WriteString(strings.TrimSpace(cmp.Or(command.Long, command.Short)) + "\n\nUsage:\n  " + command.UseLine() + "\n")
	if command.HasAvailableSubCommands() {
		text.WriteString("  " + command.CommandPath() + " COMMAND\n\nCommands:\n")
		var rows [][2]string
		for _, below := range command.Commands() {
			if below.IsAvailableCommand() {
				rows = append(rows, [2]string{below.Name(), below.Short})
			}
		}
		text.Columns(rows)
	}
	text.WriteString("\nFlags:\n")
	own := false
	command.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, ours := f.Value.(*flagTexts); ours && !own {
			own = true
			t.writeSettings(text)
		} else if !ours {
			text.Flag(f)
		}
	})
	if own {
		text.WriteString("\nA flag takes precedence over its variable, and that over the default.\n")
	}
	if command.HasExample() {
		text.WriteString("\nExamples:\n" + command.Example + "\n")
	}
}

// writeSettings describes each setting.
func (t Table) writeSettings(text *helptext.Text) {
	for _, s := range t {
		if s.Group != "" {
			text.WriteString("\n" + s.Group + ":\n")
		}
		name, kind, fallback, variable := "      --"+s.Name, s.Kind, "", ""
		if !strings.Contains(kind, "|") { // which is a choice of words
			kind = strings.ToUpper(kind)
		}
		if s.Variable != "" {
			variable = "Variable: " + s.Variable
		}
		switch {
		case s.Name == "":
			name, variable = "      "+s.Variable+" (a variable without a flag)", ""
		case s.Short != "":
			name = "  -" + s.Short + ", --" + s.Name
		}
		if s.Kind != "" || s.Name == "" {
			fallback = "Default: " + cmp.Or(s.Default, s.Value.String())
		}
		text.Setting(name+" "+kind, s.Help, fallback, variable)
	}
}
