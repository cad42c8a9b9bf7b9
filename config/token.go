// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// NewToken is what plexus-registry token new is to make.
type NewToken struct {
	// Name is whom the token is for.
	Name string
	// Scopes are what it allows; one at least.
	Scopes []string
	// Lifetime is how long it is taken; 0 is for ever.
	Lifetime time.Duration
	// Description is for whoever reads the file; may be empty.
	Description string
	// Path is the file that keeps its hash.
	Path string
}

// tokenGrammar is what may follow plexus-registry token.
type tokenGrammar struct {
	New struct {
		Name        string        `arg:"" help:"Whom the token is for; the log names its caller so."`
		Scope       []string      `required:"" sep:"none" placeholder:"scope" help:"What it allows: registry:read, registry:write, registry:admin, or registry:write:team-a-* for the names that begin so. Give it several times for several."`
		Expires     time.Duration `placeholder:"duration" help:"How long it is taken, such as 720h; for ever if not given."`
		Description string        `placeholder:"text" help:"A word for whoever reads the file."`
		Tokens      string        `placeholder:"file" help:"File that keeps its hash, made where there is none: what --tokens of plexus-registry names. By default REGISTRY_TOKENS, or tokens.toml beside backends.toml."`
	} `cmd:"" help:"Make a token, add its hash to the file of tokens, and print it. It is shown only this once."`
}

// ParseToken reads the arguments that follow plexus-registry token. Errors are
// those of [Parse].
func ParseToken(args []string, getenv func(string) string, help io.Writer) (NewToken, error) {
	var parsed tokenGrammar
	helped := false
	parser, err := kong.New(&parsed, kong.Name("plexus-registry token"), kong.Description("Tokens are what callers prove by who they are."),
		kong.Writers(help, help), kong.Exit(func(int) { helped = true }), kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: helpWidth}))
	if err != nil {
		panic("config: " + err.Error()) // the tags above make no sense
	}
	_, err = parser.Parse(args)
	made := NewToken{
		Name: parsed.New.Name, Scopes: parsed.New.Scope, Lifetime: parsed.New.Expires,
		Description: parsed.New.Description, Path: parsed.New.Tokens,
	}
	switch {
	case helped:
		return NewToken{}, ErrHelp
	case err != nil:
		return NewToken{}, &UsageError{Rule: strings.ReplaceAll(err.Error(), "\n", " ") + " (try plexus-registry token new --help)"}
	case made.Lifetime < 0:
		return NewToken{}, &UsageError{Name: "--expires", Value: quote(made.Lifetime.String()), Rule: "is over already"}
	}
	if made.Path == "" {
		made.Path = getenv("REGISTRY_TOKENS")
	}
	if made.Path == "" {
		directory, err := configDirectory(getenv)
		if err != nil {
			return NewToken{}, err
		}
		made.Path = filepath.Join(directory, "tokens.toml")
	}
	return made, nil
}
