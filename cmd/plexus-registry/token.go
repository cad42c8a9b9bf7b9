// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/plexus-go/plexus/internal/helptext"
	"github.com/plexus-go/plexus/internal/settings"
	"github.com/plexus-go/plexus/transport/auth"
)

// newTokenCommand makes plexus-registry token, whose commands set the status to
// failed once the settings are read.
func newTokenCommand(getenv func(string) string, status *int) *cobra.Command {
	command := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the tokens with which callers authenticate",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return fmt.Errorf("token needs a command: new, list or revoke") },
	}
	add := func(below *cobra.Command, s *settings.Token, names int, run func(below *cobra.Command, s *settings.Token, names []string) error) {
		below.Args = func(_ *cobra.Command, args []string) error {
			if len(args) != names {
				return fmt.Errorf("token %s needs %s, and there are %d", below.Name(), []string{"no NAME", "one NAME"}[names], len(args))
			}
			return nil
		}
		below.RunE = func(_ *cobra.Command, args []string) error {
			if err := s.Read(getenv); err != nil {
				return err
			}
			*status = failed
			return run(below, s, args)
		}
		s.Table.AddTo(below)
		command.AddCommand(below)
	}
	add(&cobra.Command{
		Use:   "new NAME --scope SCOPE",
		Short: "Make a token, and print it",
		Long: `Make a token, add its hash to the file of tokens, and print it. This is the only
time that it is shown. The log shows NAME for its callers.`,
	}, settings.NewToken(), 1, addToken)
	add(&cobra.Command{
		Use:   "list",
		Short: "List the tokens: their names, scopes and when they expire",
	}, settings.NewTokenFile(), 0, listTokens)
	add(&cobra.Command{
		Use:   "revoke NAME",
		Short: "Remove a token, and close the connections that use it",
		Long: `Remove the token from the file of tokens. A running registry that reads the file
closes the connections that use it within about a second.`,
	}, settings.NewTokenFile(), 1, revokeToken)
	return command
}

// addToken makes a token. It goes to standard output alone, so that a script can
// take it.
func addToken(command *cobra.Command, s *settings.Token, names []string) error {
	var expires time.Time
	if s.Lifetime > 0 {
		expires = time.Now().Add(s.Lifetime)
	}
	secret, entry, err := auth.NewToken(names[0], s.Scopes, expires)
	if err != nil {
		return err
	}
	entry.Description = s.Description
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		return err
	}
	read := auth.IsRead(s.Path)
	if err := auth.AddToken(s.Path, entry); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(command.OutOrStdout(), secret); err != nil {
		return errors.Join(err, auth.RevokeToken(s.Path, names[0])) // nobody has seen it
	}
	command.PrintErrln("Added to " + s.Path + ". This is the only time that the token is shown.")
	tellReader(command, s.Path, read)
	return nil
}

func revokeToken(command *cobra.Command, s *settings.Token, names []string) error {
	read := auth.IsRead(s.Path)
	if err := auth.RevokeToken(s.Path, names[0]); err != nil {
		return err
	}
	command.PrintErrln("Removed from " + s.Path + ".")
	tellReader(command, s.Path, read)
	return nil
}

func listTokens(command *cobra.Command, s *settings.Token, _ []string) error {
	tokens, err := auth.ListTokens(s.Path)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, t := range tokens {
		expires := "never"
		if !t.Expires.IsZero() {
			expires = t.Expires.UTC().Format(time.RFC3339)
			if !time.Now().Before(t.Expires) {
				expires += " (expired)"
			}
		}
		rows = append(rows, []string{t.Name, cmp.Or(strings.Join(t.Scopes, " "), "none"), expires, oneLine(t.Description)})
	}
	lines := helptext.Table([]string{"NAME", "SCOPES", "EXPIRES", "DESCRIPTION"}, rows)
	_, err = fmt.Fprintln(command.OutOrStdout(), strings.Join(lines, "\n"))
	tellReader(command, s.Path, auth.IsRead(s.Path))
	return err
}

// oneLine replaces what would break a line, or a terminal.
func oneLine(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text))
}

// noticeTime is how long a running registry may take to read a changed file.
const noticeTime = 3 * time.Second

// tellReader says so where no running registry reads the file, or the one that read
// it before does not read it as it is now.
func tellReader(command *cobra.Command, path string, before bool) {
	if !before {
		command.PrintErrln("No running registry reads " + path + ". Start one with --tokens " + path + ".")
		return
	}
	for end := time.Now().Add(noticeTime); !auth.IsRead(path); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			command.PrintErrf("The running registry has not read %s within %s: its log and its status say why.\n", path, noticeTime)
			return
		}
	}
}
