// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plexus-go/plexus/internal/helptext"
)

// Setting is one row of a table.
type Setting struct {
	Name     string // of the flag; empty for a setting that has only a variable
	Short    string // one letter; empty for none
	Variable string // empty for none
	Value    Value
	Kind     string // of the value, for the help: "port"; empty for what is true or false
	Help     string // one or more sentences
	// Default is what the help says of the default, where it is not the value that
	// is there.
	Default string
	// Group is the title of the group that begins with this row, for the help.
	Group string
	// Required makes it an error that the setting is not given.
	Required bool
	// Lenient makes a variable that can't be read count as not set: other programs
	// read it, too.
	Lenient bool

	flag []string // the texts of the flags, in their order; nil for none
}

// Value is where a setting is put.
type Value struct {
	// Set checks a text and puts it in force; lists grow by it. The error is the
	// rule that the text breaks, "must be …".
	Set func(text string) error
	// String returns what is there, as one would write it.
	String func() string
}

// Table is the settings of one command.
type Table []*Setting

// AddTo gives the command the flags of the table, and a help that shows all of it.
// The values that are there are the defaults.
func (t Table) AddTo(command *cobra.Command) {
	command.Flags().SortFlags = false
	for _, s := range t {
		if s.Name == "" {
			continue
		}
		// For completion and manual pages; the help shows more.
		usage := strings.TrimSuffix(s.Help+" ["+s.Variable+"]", " []")
		flag := command.Flags().VarPF((*flagTexts)(s), s.Name, s.Short, usage)
		if s.Kind == "" {
			flag.NoOptDefVal = "true"
		}
	}
	command.Flags().BoolP("help", "h", false, "Show this text, and exit")
	if command.Version != "" {
		command.Flags().Bool("version", false, "Show the version, and exit")
	}
	helptext.Install(command, t.writeHelp)
	command.SetFlagErrorFunc(t.flagError)
}

// flagError adds to what is wrong with the flags which one may have been meant. A
// help that was asked for before comes first.
func (t Table) flagError(command *cobra.Command, err error) error {
	if help := command.Flags().Lookup("help"); help != nil && help.Changed {
		return pflag.ErrHelp
	}
	text := strings.ReplaceAll(err.Error(), "\n", " ")
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) {
		// Cobra compares the names of commands only.
		names := &cobra.Command{SuggestionsMinimumDistance: 2}
		for _, s := range t {
			names.AddCommand(&cobra.Command{Use: s.Name, Run: func(*cobra.Command, []string) {}})
		}
		if near := names.SuggestionsFor(unknown.GetSpecifiedName()); len(near) > 0 {
			text += ", did you mean --" + near[0] + "?"
		}
	}
	return fmt.Errorf("%s (try %s --help)", text, command.CommandPath())
}

// flagTexts collects the texts of a flag. They are checked later, so that --help
// works beside what is wrong.
type flagTexts Setting

var _ pflag.Value = (*flagTexts)(nil)

func (f *flagTexts) Set(text string) error {
	f.flag = append(f.flag, text)
	return nil
}

func (f *flagTexts) String() string { return f.Value.String() } // the default

func (f *flagTexts) Type() string { return cmp.Or(f.Kind, "bool") }

// Read puts in force what the flags say, which the command has parsed, and the
// variables: getenv returns the empty string for one that is not set. An error is
// a mistake of the user, and one line.
func (t Table) Read(getenv func(string) string) error {
	for _, s := range t {
		if err := s.read(getenv); err != nil {
			return err
		}
	}
	return nil
}

func (s *Setting) read(getenv func(string) string) error {
	name, texts := "--"+s.Name, s.flag
	if texts == nil && s.Variable != "" && getenv(s.Variable) != "" {
		name, texts = s.Variable, []string{getenv(s.Variable)}
	}
	if texts == nil && s.Required {
		return fmt.Errorf("--%s is missing", s.Name)
	}
	for _, text := range texts {
		err := s.Value.Set(text)
		if err != nil && s.Lenient && name == s.Variable {
			return nil
		}
		if err != nil {
			return fmt.Errorf("invalid value for %s: %s (%w)", name, show(text), err)
		}
	}
	return nil
}

// show returns a text as it is where that is clear, else quoted and shortened.
func show(text string) string {
	unclear := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("\"()", r) }
	const maxRunes = 64
	if runes := []rune(text); len(runes) > maxRunes {
		return strconv.Quote(string(runes[:maxRunes]) + "…")
	}
	if text == "" || strings.ContainsFunc(text, unclear) {
		return strconv.Quote(text)
	}
	return text
}
