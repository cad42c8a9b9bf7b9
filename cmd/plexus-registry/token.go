// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/plexus-go/plexus/internal/settings"
	"github.com/plexus-go/plexus/transport/auth"
)

// newTokenCommand makes plexus-registry token. It sets the status to failed once
// the settings are read.
func newTokenCommand(getenv func(string) string, status *int) *cobra.Command {
	s := settings.NewToken()
	add := &cobra.Command{
		Use:   "new NAME --scope SCOPE",
		Short: "Make a token, and print it",
		Long: `Make a token, add its hash to the file of tokens, and print it. This is the only
time that it is shown. The log shows NAME for its callers.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("token new needs one NAME, and there are %d", len(args))
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			if err := s.Read(getenv); err != nil {
				return err
			}
			*status = failed
			return addToken(command, args[0], s)
		},
	}
	s.Table.AddTo(add)
	command := &cobra.Command{
		Use:   "token",
		Short: "Make tokens, with which callers authenticate",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return fmt.Errorf("token needs a command: new") },
	}
	command.AddCommand(add)
	return command
}

// addToken makes a token. It goes to standard output alone, so that a script can
// take it.
func addToken(command *cobra.Command, name string, s *settings.Token) error {
	var expires time.Time
	if s.Lifetime > 0 {
		expires = time.Now().Add(s.Lifetime)
	}
	secret, entry, err := auth.NewToken(name, s.Scopes, expires)
	if err != nil {
		return err
	}
	entry.Description = s.Description
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		return err
	}
	if err := auth.AddToken(s.Path, entry); err != nil {
		return err
	}
	command.PrintErrln("Added to " + s.Path + ". This is the only time that the token is shown.")
	_, err = fmt.Fprintln(command.OutOrStdout(), secret)
	return err
}
