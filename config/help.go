// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

const helpBegin = `plexus-registry keeps a list of Plexus hubs, so that clients find them by name.

Usage: plexus-registry [flags]
       plexus-registry token new NAME --scope SCOPE [flags]

A flag beats its environment variable, which beats the default.

`

const helpEnd = `
Examples:
  plexus-registry
      Serve ws://127.0.0.1:4445; files are in ~/.config/plexus.
  plexus-registry --host 0.0.0.0 --port 8080 --config /etc/plexus/backends.toml
      Serve all IPv4 interfaces; the database is /etc/plexus/registry.db. This
      needs --tls-cert, --tls-key and --tokens as well, or --insecure.
  plexus-registry token new ci --scope registry:read
      Make a token and print it; a file keeps its hash. --help tells more.
`

// helpWidth is the most characters in a line of the help, the width of an old
// terminal; the text is the same in all of them.
const helpWidth = 80

// writeHelp tells everything about each flag, in the order of the fields.
func writeHelp(w io.Writer, flags []*kong.Flag) error {
	var text strings.Builder
	text.WriteString(helpBegin)
	group := ""
	for _, flag := range flags {
		if flag.Group != nil && flag.Group.Title != group {
			group = flag.Group.Title
			text.WriteString("\n" + group + ":\n")
		} else if flag.Group == nil && group != "" {
			group = ""
			text.WriteString("\n")
		}
		short := "    "
		if flag.Short != 0 {
			short = "-" + string(flag.Short) + ", "
		}
		fmt.Fprintf(&text, "  %s--%s", short, flag.Name)
		if !flag.IsBool() {
			kind := cmp.Or(flag.Tag.PlaceHolder, flag.Tag.Type, "value")
			text.WriteString(" " + strings.ToUpper(kind))
		}
		text.WriteString("\n")
		writeWrapped(&text, "          ", flag.Help)
		if value := fallback(flag); value != "" {
			writeWrapped(&text, "          ", "Default: "+value)
		}
		if variable := flag.Tag.Get("env"); variable != "" {
			writeWrapped(&text, "          ", "Variable: "+variable)
		}
	}
	text.WriteString("\nVariables without a flag:\n")
	settings := reflect.TypeFor[Settings]()
	for i := range settings.NumField() {
		tag := settings.Field(i).Tag
		if tag.Get("kong") == "-" {
			text.WriteString("  " + tag.Get("env") + "\n")
			writeWrapped(&text, "          ", tag.Get("help"))
			writeWrapped(&text, "          ", "Default: "+tag.Get("otherwise"))
		}
	}
	text.WriteString(helpEnd)
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("write help: %w", err)
	}
	return nil
}

// fallback says what holds where neither flag nor variable is given.
func fallback(flag *kong.Flag) string {
	if flag.HasDefault {
		return flag.Default
	}
	return flag.Tag.Get("otherwise")
}

// writeWrapped writes text in lines of at most helpWidth characters; a word
// that is longer has a line of its own.
func writeWrapped(w *strings.Builder, indent, text string) {
	line := indent
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case len(line)+1+len(word) > helpWidth:
			w.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	w.WriteString(line + "\n")
}
