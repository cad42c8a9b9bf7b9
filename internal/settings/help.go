// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is how many characters a line of the help may have, the width of an
// old terminal.
const helpWidth = 80

// usage is a template of cobra's. The commands below the one that has the settings
// inherit it, and have flags of cobra's.
const usage = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}

Flags:
{{if eq .Name "NAME"}}SETTINGS  -h, --help
          Show this text, and exit.{{if .Version}}
      --version
          Show the version, and exit.{{end}}

A flag takes precedence over its variable, and that over the default.{{else}}{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}
`

// setUsage makes the help of the command show everything about each setting.
func (t Table) setUsage(command *cobra.Command) {
	command.SetUsageTemplate(strings.NewReplacer("NAME", command.Name(), "SETTINGS", t.settings()).Replace(usage))
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
			text.WriteString(wrapped("Default: " + cmp.Or(s.Default, s.Value.String())))
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
