// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/plexus-go/plexus/config"
	"github.com/plexus-go/plexus/transport/auth"
)

// scopes are those that methods of a registry know.
var scopes = regexp.MustCompile(`^(\*|registry:(\*|read|admin|write(:[^\s,]+)?))$`)

// token runs plexus-registry token. The token, and nothing else, goes to
// standard output; where it was added is told on standard error.
func token(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	wanted, err := config.ParseToken(args, getenv, stdout)
	switch {
	case errors.Is(err, config.ErrHelp):
		return succeeded
	case err != nil:
		fmt.Fprintf(stderr, "plexus-registry: %v\n", err)
		return misused
	}
	for _, scope := range wanted.Scopes {
		if !scopes.MatchString(scope) {
			fmt.Fprintf(stderr, "plexus-registry: --scope: %q is none: registry:read, registry:write, registry:admin, registry:write:NAME, registry:* and * are\n", scope)
			return misused
		}
	}
	var expires time.Time
	if wanted.Lifetime > 0 {
		expires = time.Now().Add(wanted.Lifetime)
	}
	secret, entry, err := auth.NewToken(wanted.Name, wanted.Scopes, expires)
	if err == nil {
		entry.Description = wanted.Description
		err = os.MkdirAll(filepath.Dir(wanted.Path), 0o700)
	}
	if err == nil {
		err = auth.AddToken(wanted.Path, entry)
	}
	if err != nil {
		fmt.Fprintf(stderr, "plexus-registry: %v\n", err)
		return failed
	}
	fmt.Fprintln(stdout, secret)
	fmt.Fprintf(stderr, "Added to %s. This is the only time that the token is shown.\n", wanted.Path)
	return succeeded
}
