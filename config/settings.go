// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"time"

	"github.com/alecthomas/kong"
)

// Settings is how plexus-registry is to run. A flag beats the environment,
// which beats the default; an empty variable counts as unset.
//
// The tags are kong's, save for two: "otherwise" tells in the help what holds
// where there is no fixed default, and "lenient" lets an unreadable variable
// count as unset. "type" names one of the readers in values.go. A field with the
// tag kong:"-" has no flag, only a variable.
type Settings struct {
	// Port to listen on; 0 picks a free one.
	Port int `short:"p" env:"REGISTRY_PORT" default:"4445" type:"port" help:"Port to listen on; 0 picks a free one."`
	// Host to listen on: a name or an address, without brackets. Never empty.
	Host string `env:"REGISTRY_HOST" default:"127.0.0.1" type:"host" help:"Host name or address to listen on."`
	// ConfigPath is where backends.toml may be; it need not exist.
	ConfigPath string `name:"config" short:"c" env:"REGISTRY_CONFIG" type:"file" otherwise:"$XDG_CONFIG_HOME/plexus/backends.toml, or ~/.config/plexus/backends.toml" help:"File that lists backends; need not exist."`
	// DBPath is where the database is, or is to be made.
	DBPath string `name:"db-path" env:"REGISTRY_DB_PATH" type:"file" otherwise:"registry.db beside the file that lists backends" help:"Database file; made where there is none."`
	// LogLevel is the lowest level to log, LevelOff for nothing. RUST_LOG is
	// shared with other programs, whose directives need not make sense here:
	// where no level can be read from it, the default holds. The flag is ours
	// alone, so there it is an error.
	LogLevel slog.Level `env:"RUST_LOG" default:"info" type:"level" lenient:"" help:"What to log: off, error, warn, info, debug or trace, or directives such as plexus=debug,info."`
	// HubNamespace is the name of the hub that serves the registry.
	HubNamespace string `env:"REGISTRY_HUB_NAMESPACE" default:"registry-hub" type:"namespace" help:"Name of the hub that serves the registry."`
	// AutoRegister is where to ask for hubs to register; empty for nowhere. No
	// address is there twice.
	AutoRegister []Address `env:"REGISTRY_AUTO_REGISTER" default:"ws://127.0.0.1:4444" type:"url" help:"Where to look for a hub that is to be registered: a ws:// or wss:// URL. Several are separated by commas, or given by several flags; off for none."`
	// HealthInterval is the time from one probe of a backend to the next; 0
	// for no probes, otherwise from 1s to 24h.
	HealthInterval time.Duration `env:"REGISTRY_HEALTH_INTERVAL" default:"30s" type:"interval" placeholder:"duration" help:"How often every backend is asked whether it is there, at least 1s; 0 for never."`
	// HealthTimeout is how long a backend may take to answer. It is above 0,
	// and shorter than the interval where there is one.
	HealthTimeout time.Duration `env:"REGISTRY_HEALTH_TIMEOUT" type:"timeout" placeholder:"duration" otherwise:"2s, or half of the interval if that is shorter" help:"How long a backend may take to answer, shorter than the interval."`

	Doors  `embed:"" group:"Who may come in, and how"`
	Limits `embed:"" group:"How much may come in"`

	// What follows has no flag.

	// Backends is a valid list for NewEnv.
	Backends string `kong:"-" env:"REGISTRY_BACKENDS" otherwise:"none" help:"Backends to list, beside those of the file: name=URL, separated by commas, such as prod=wss://plexus.example.com:4444,dev=ws://127.0.0.1:4446."`
}

// defaultHealthTimeout holds where the interval is longer.
const defaultHealthTimeout = 2 * time.Second

// grammar is what the command line may hold.
type grammar struct {
	Settings

	Help    bool `short:"h" help:"Show this text, and exit."`
	Version bool `help:"Show the version, and exit."`
}

// Parse makes settings of arguments (without the program's name) and of the
// environment: getenv returns a variable's value, empty for one that is unset,
// as [os.Getenv] does. What is wrong comes back as a [*UsageError]. --help
// writes to help and returns [ErrHelp], --version returns [ErrVersion]; both
// come before anything that is wrong after them, or in the environment.
func Parse(args []string, getenv func(string) string, help io.Writer) (Settings, error) {
	var parsed grammar
	parser := newParser(&parsed, getenv)
	context, err := parser.Parse(args)
	if refused := (*kong.ParseError)(nil); errors.As(err, &refused) {
		context = refused.Context
	}
	switch asked(context) {
	case "help":
		if err := writeHelp(help, parser.Model.Flags); err != nil {
			return Settings{}, err
		}
		return Settings{}, ErrHelp
	case "version":
		return Settings{}, ErrVersion
	}
	if err != nil {
		if usage := (*UsageError)(nil); errors.As(err, &usage) {
			return Settings{}, usage
		}
		return Settings{}, &UsageError{Rule: err.Error() + " (try --help)"}
	}

	settings := parsed.Settings
	if err := errors.Join(settings.checkHealth(context), settings.Doors.check()); err != nil {
		return Settings{}, err
	}
	settings.Backends = getenv(envVariable)
	if _, err := ParseEnv(settings.Backends); err != nil {
		return Settings{}, err
	}
	if settings.ConfigPath == "" {
		directory, err := configDirectory(getenv)
		if err != nil {
			return Settings{}, err
		}
		settings.ConfigPath = filepath.Join(directory, "backends.toml")
	}
	if settings.DBPath == "" {
		settings.DBPath = filepath.Join(filepath.Dir(settings.ConfigPath), "registry.db")
	}
	if settings.ACMECache == "" {
		settings.ACMECache = filepath.Join(filepath.Dir(settings.DBPath), "acme")
	}
	return settings, nil
}

// checkHealth sees to it that a probe is over before the next one.
func (s *Settings) checkHealth(context *kong.Context) error {
	if s.HealthTimeout == 0 {
		s.HealthTimeout = defaultHealthTimeout
		if s.HealthInterval > 0 {
			s.HealthTimeout = min(s.HealthTimeout, s.HealthInterval/2)
		}
	}
	if s.HealthInterval == 0 || s.HealthTimeout < s.HealthInterval {
		return nil
	}
	name := "--health-timeout"
	for _, path := range context.Path {
		if path.Flag != nil && path.Flag.Name == "health-timeout" && path.Resolved {
			name = path.Flag.Tag.Get("env")
		}
	}
	return &UsageError{
		Name:  name,
		Value: quote(s.HealthTimeout.String()),
		Rule:  "is not shorter than the health interval, " + s.HealthInterval.String(),
	}
}

// newParser panics where the tags of grammar make no sense, which no argument
// can cause.
func newParser(target *grammar, getenv func(string) string) *kong.Kong {
	options := []kong.Option{
		kong.Name("plexus-registry"),
		kong.NoDefaultHelp(),
		kong.Exit(func(int) { panic("config: kong wants to exit") }),
		// Kong would read the variables of the process by itself, and take
		// an empty one for a value.
		kong.PostBuild(func(k *kong.Kong) error {
			for _, flag := range k.Model.Flags {
				flag.Tag.Envs = nil
			}
			return nil
		}),
		kong.Resolvers(environment(getenv)),
	}
	for name, mapper := range readers {
		options = append(options, kong.NamedMapper(name, mapper))
	}
	parser, err := kong.New(target, options...)
	if err != nil {
		panic("config: " + err.Error())
	}
	return parser
}

// environment gives the flags that were not set the value of their variable.
func environment(getenv func(string) string) kong.ResolverFunc {
	return func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		variable := flag.Tag.Get("env")
		if variable == "" {
			return nil, nil
		}
		value := getenv(variable)
		if value == "" {
			return nil, nil
		}
		// Read it once here, where the name of the variable is known.
		err := flag.Mapper.Decode(&kong.DecodeContext{
			Value: flag.Value,
			Scan:  kong.Scan().PushTyped(value, kong.FlagValueToken),
		}, reflect.New(flag.Target.Type()).Elem())
		if err == nil {
			return value, nil
		}
		if flag.Tag.Has("lenient") {
			return nil, nil
		}
		refused := &UsageError{Name: variable, Value: quote(value), Rule: err.Error()}
		if usage := (*UsageError)(nil); errors.As(err, &usage) {
			refused.Value, refused.Rule = usage.Value, usage.Rule
		}
		return nil, refused
	}
}

// asked returns which of help and version was given first, empty for neither.
func asked(context *kong.Context) string {
	if context == nil {
		return ""
	}
	for _, path := range context.Path {
		if path.Flag == nil {
			continue
		}
		if name := path.Flag.Name; name == "help" || name == "version" {
			return name
		}
	}
	return ""
}

// configDirectory is where the files of Plexus are by default. It follows the
// XDG rules on every system, macOS too, and reads the variables when it is
// called, neither of which the xdg package does.
func configDirectory(getenv func(string) string) (string, error) {
	// A relative path is to be ignored, says the XDG specification.
	if directory := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(directory) {
		return filepath.Join(directory, "plexus"), nil
	}
	for _, variable := range []string{"HOME", "USERPROFILE"} {
		if home := getenv(variable); filepath.IsAbs(home) {
			return filepath.Join(home, ".config", "plexus"), nil
		}
	}
	return "", &UsageError{
		Name:  "HOME",
		Value: quote(getenv("HOME")),
		Rule:  "is not an absolute path, so --config (or REGISTRY_CONFIG) must be given",
	}
}
