// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/plexus-go/plexus/config"
	"github.com/plexus-go/plexus/internal/helptext"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/transport"
)

// env makes an environment of a map.
func env(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// atHome is an environment with nothing but a home directory, and what is given
// as name, value, name, value, ….
func atHome(t *testing.T, pairs ...string) func(string) string {
	t.Helper()
	variables := map[string]string{"HOME": home(t)}
	for i := 0; i < len(pairs); i += 2 {
		variables[pairs[i]] = pairs[i+1]
	}
	return env(variables)
}

// home is a path that is absolute on any system.
func home(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("/home/someone")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// parse reads the settings as the program does, and returns the help where it was
// asked for.
func parse(args []string, getenv func(string) string) (s *Registry, help string, err error) {
	s = NewRegistry()
	command := &cobra.Command{
		Use: "plexus-registry", Version: "1", Args: cobra.NoArgs,
		RunE:         func(*cobra.Command, []string) error { return s.Read(getenv) },
		SilenceUsage: true, SilenceErrors: true,
	}
	s.Table.AddTo(command)
	var out strings.Builder
	command.SetOut(&out)
	command.SetArgs(args)
	err = command.Execute()
	s.Table = nil // so that settings can be compared
	return s, out.String(), err
}

func mustParse(t *testing.T, getenv func(string) string, args ...string) *Registry {
	t.Helper()
	s, out, err := parse(args, getenv)
	if err != nil || out != "" {
		t.Fatalf("%q: %v, %q", args, err, out)
	}
	return s
}

// defaults are the settings of somebody who sets nothing, but has a home folder.
func defaults(t *testing.T) *Registry {
	folder := filepath.Join(home(t), ".config", "plexus")
	none, err := config.NewEnv("")
	if err != nil {
		t.Fatal(err)
	}
	s := &Registry{
		Port: 4445, Host: "127.0.0.1", LogLevel: slog.LevelInfo, HubNamespace: "registry-hub",
		ConfigPath: filepath.Join(folder, "backends.toml"), DBPath: filepath.Join(folder, "registry.db"),
		AutoRegister: []registry.Address{{Protocol: "ws", Host: "127.0.0.1", Port: 4444}},
		Health:       registry.Health{Interval: 30 * time.Second, Timeout: 2 * time.Second},
		Backends:     none,
		Anonymous:    "all",
		Limits:       transport.DefaultLimits(),
		MaxNameBytes: 255, MaxRegistrations: 10_000,
	}
	s.TLS.ACME.Cache = filepath.Join(folder, "acme")
	s.JWT.ScopePrefix = "registry:"
	return s
}

func TestDefaults(t *testing.T) {
	if got, want := mustParse(t, atHome(t)), defaults(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Each setting, in all combinations of a flag that is absent or given and a
// variable that is absent, empty, given or wrong.
func TestAFlagTakesPrecedenceOverAVariableAndThatOverTheDefault(t *testing.T) {
	address := func(protocol, host string, port int) []registry.Address {
		return []registry.Address{{Protocol: protocol, Host: host, Port: port}}
	}
	folder := filepath.Join(home(t), ".config", "plexus")
	const unset = "(unset)"
	for _, s := range []struct {
		get                             func(s *Registry) any
		flag, variable                  string
		fallback, fromFlag, fromEnv     any
		flagText, envText, wrongEnvText string
	}{
		{func(s *Registry) any { return s.Port }, "--port", "REGISTRY_PORT", 4445, 1, 0, "1", "0", "65536"},
		{func(s *Registry) any { return s.Port }, "-p", "REGISTRY_PORT", 4445, 65535, 8080, "65535", "8080", "x"},
		{func(s *Registry) any { return s.Host }, "--host", "REGISTRY_HOST", "127.0.0.1", "::1", "example.com", "::1", "example.com", "[::1]"},
		{func(s *Registry) any { return s.Host }, "--host", "REGISTRY_HOST", "127.0.0.1", "0.0.0.0", "::", "0.0.0.0", "::", "224.0.0.1"},
		{func(s *Registry) any { return s.DBPath }, "--db-path", "REGISTRY_DB_PATH", filepath.Join(folder, "registry.db"), "a.db", "b.db", "a.db", "b.db", "\x00"},
		{func(s *Registry) any { return s.ConfigPath }, "--config", "REGISTRY_CONFIG", filepath.Join(folder, "backends.toml"), "a.toml", "b.toml", "a.toml", "b.toml", "\x00"},
		{func(s *Registry) any { return s.ConfigPath }, "-c", "REGISTRY_CONFIG", filepath.Join(folder, "backends.toml"), "a.toml", "b.toml", "a.toml", "b.toml", "\x00"},
		{func(s *Registry) any { return s.LogLevel }, "--log-level", "RUST_LOG", slog.LevelInfo, slog.LevelError, slog.LevelDebug, "error", "debug", ""},
		{func(s *Registry) any { return s.HubNamespace }, "--hub-namespace", "REGISTRY_HUB_NAMESPACE", "registry-hub", "a", "b-c_2", "a", "b-c_2", "b.c"},
		{func(s *Registry) any { return s.AutoRegister }, "--auto-register", "REGISTRY_AUTO_REGISTER", address("ws", "127.0.0.1", 4444), address("wss", "::1", 443), []registry.Address(nil), "wss://[::1]", "off", "localhost:4444"},
		{func(s *Registry) any { return s.Health.Interval }, "--health-interval", "REGISTRY_HEALTH_INTERVAL", 30 * time.Second, time.Minute, time.Duration(0), "1m", "0", "999ms"},
		{func(s *Registry) any { return s.Health.Timeout }, "--health-timeout", "REGISTRY_HEALTH_TIMEOUT", 2 * time.Second, 29999 * time.Millisecond, time.Millisecond, "29.999s", "1ms", "0"},
		{func(s *Registry) any { return s.Limits.MaxCalls }, "--max-calls", "REGISTRY_MAX_CALLS", 256, 1, -1, "1", "0", "-1"},
	} {
		for _, flagText := range []string{unset, s.flagText} {
			for _, envText := range []string{unset, "", s.envText, s.wrongEnvText} {
				want := s.fallback
				var args, variables []string
				if envText != unset {
					variables = []string{s.variable, envText}
				}
				if envText == s.envText {
					want = s.fromEnv
				}
				if flagText != unset {
					args, want = []string{s.flag, flagText}, s.fromFlag
				}
				got, _, err := parse(args, atHome(t, variables...))
				wrong := envText == s.wrongEnvText && envText != "" && flagText == unset
				switch {
				case wrong && (err == nil || !strings.HasPrefix(err.Error(), "invalid value for "+s.variable+": ")):
					t.Errorf("%s %s %s %q: got %v", s.flag, flagText, s.variable, envText, err)
				case !wrong && (err != nil || !reflect.DeepEqual(s.get(got), want)):
					t.Errorf("%s %s %s %q: got %v, %v, want %v", s.flag, flagText, s.variable, envText, s.get(got), err, want)
				}
			}
		}
	}
}

func TestPaths(t *testing.T) {
	xdg := filepath.Join(home(t), "xdg")
	inXDG := func(name string) string { return filepath.Join(xdg, "plexus", name) }
	inHome := func(name string) string { return filepath.Join(home(t), ".config", "plexus", name) }
	elsewhere := filepath.Join(home(t), "elsewhere")
	for _, test := range []struct {
		name       string
		args, vars []string
		config, db string
	}{
		{name: "XDG_CONFIG_HOME", vars: []string{"XDG_CONFIG_HOME", xdg}, config: inXDG("backends.toml"), db: inXDG("registry.db")},
		{name: "empty XDG_CONFIG_HOME", vars: []string{"XDG_CONFIG_HOME", ""}, config: inHome("backends.toml"), db: inHome("registry.db")},
		{name: "relative XDG_CONFIG_HOME is ignored", vars: []string{"XDG_CONFIG_HOME", "xdg"}, config: inHome("backends.toml"), db: inHome("registry.db")},
		{name: "no home on Windows", vars: []string{"HOME", "", "USERPROFILE", elsewhere}, config: filepath.Join(elsewhere, ".config", "plexus", "backends.toml"), db: filepath.Join(elsewhere, ".config", "plexus", "registry.db")},
		{name: "database beside config", args: []string{"-c", filepath.Join(elsewhere, "hubs.toml")}, config: filepath.Join(elsewhere, "hubs.toml"), db: filepath.Join(elsewhere, "registry.db")},
		{name: "database beside config of the environment", vars: []string{"REGISTRY_CONFIG", filepath.Join(elsewhere, "hubs.toml")}, config: filepath.Join(elsewhere, "hubs.toml"), db: filepath.Join(elsewhere, "registry.db")},
		{name: "relative config", args: []string{"--config=hubs.toml"}, config: "hubs.toml", db: "registry.db"},
		{name: "database alone leaves config", args: []string{"--db-path=x.db"}, config: inHome("backends.toml"), db: "x.db"},
		{name: "both", args: []string{"--db-path=x.db", "-cy.toml"}, config: "y.toml", db: "x.db"},
		{name: "no home needed", args: []string{"-c", "y.toml"}, vars: []string{"HOME", ""}, config: "y.toml", db: "registry.db"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := mustParse(t, atHome(t, test.vars...), test.args...)
			if got.ConfigPath != test.config || got.DBPath != test.db {
				t.Errorf("got %q and %q, want %q and %q", got.ConfigPath, got.DBPath, test.config, test.db)
			}
		})
	}
}

func TestWrongUsageIsSaidInOneLine(t *testing.T) {
	long := strings.Repeat("é", 200)
	for _, test := range []struct {
		want       string
		args, vars []string
	}{
		{vars: []string{"REGISTRY_PORT", "x"}, want: `invalid value for REGISTRY_PORT: x (must be 0–65535)`},
		{args: []string{"--port", "65536"}, want: `invalid value for --port: 65536 (must be 0–65535)`},
		{args: []string{"--port", "-1"}, want: `invalid value for --port: -1 (must be`},
		{args: []string{"-p", "80.0"}, want: `invalid value for --port: 80.0 (must be`},
		{args: []string{"-p0x50"}, want: `invalid value for --port: 0x50 (must be`},
		{args: []string{"--port="}, want: `invalid value for --port: "" (must be`},
		{args: []string{"--port"}, want: `flag needs an argument: --port (try plexus-registry --help)`},
		{args: []string{"--port", "--host", "x"}, want: `unknown command "x"`},
		{args: []string{"--port=80", "--port=x"}, want: `invalid value for --port: x (must be`},
		{args: []string{"--port=1\n2"}, want: `invalid value for --port: "1\n2" (must be`},
		{args: []string{"--host="}, want: `invalid value for --host: "" (must be a host name, or an IPv4 or IPv6 address, without scheme, path and port)`},
		{vars: []string{"REGISTRY_HOST", "localhost:80"}, want: `invalid value for REGISTRY_HOST: localhost:80 (must be a host name`},
		{args: []string{"--config="}, want: `invalid value for --config: "" (must be a path)`},
		{args: []string{"--db-path=a\x00b"}, want: `invalid value for --db-path: "a\x00b" (must be a path)`},
		{args: []string{"--log-level=loud"}, want: `invalid value for --log-level: loud (must be off, error, warn, info, debug or trace, or directives with one of them)`},
		{args: []string{"--hub-namespace="}, want: `invalid value for --hub-namespace: "" (must be a letter, then letters, digits, hyphens and underscores, up to 64, and not registry)`},
		{args: []string{"--hub-namespace=a.b"}, want: `invalid value for --hub-namespace: a.b (must be a letter`},
		{args: []string{"--hub-namespace=1"}, want: `invalid value for --hub-namespace: 1 (must be a letter`},
		{args: []string{"--hub-namespace=registry"}, want: `invalid value for --hub-namespace: registry (must be a letter`},
		{args: []string{"--hub-namespace=" + strings.Repeat("n", 65)}, want: `invalid value for --hub-namespace: "nnn`},
		{args: []string{"--hub-namespace=" + long}, want: `invalid value for --hub-namespace: "` + strings.Repeat("é", 64) + `…" (must be`},
		{args: []string{"--prot=1"}, want: `unknown flag: --prot, did you mean --port? (try plexus-registry --help)`},
		{args: []string{"--nothing-like-it"}, want: `unknown flag: --nothing-like-it (try plexus-registry --help)`},
		{args: []string{"--a\nb"}, want: `unknown flag: --a b`},
		{args: []string{"-x"}, want: `unknown shorthand flag: 'x' in -x`},
		{args: []string{"serve"}, want: `unknown command "serve" for "plexus-registry"`},
		{args: []string{"--", "--port"}, want: `unknown command "--port"`},
		{args: []string{""}, want: `unknown command ""`},
		{args: []string{"--health-interval=0.999s"}, want: `invalid value for --health-interval: 0.999s (must be a duration from 1s to 24h, such as 30s or 1m30s; or 0)`},
		{args: []string{"--health-interval=30"}, want: `invalid value for --health-interval: 30 (must be a duration`},
		{args: []string{"--health-interval=24h1s"}, want: `invalid value for --health-interval: 24h1s (must be a duration`},
		{args: []string{"--health-interval=-1s"}, want: `invalid value for --health-interval: -1s (must be a duration`},
		{vars: []string{"REGISTRY_HEALTH_TIMEOUT", "0"}, want: `invalid value for REGISTRY_HEALTH_TIMEOUT: 0 (must be a duration from 1ms to 24h, such as 30s or 1m30s)`},
		{args: []string{"--health-timeout=-2s"}, want: `invalid value for --health-timeout: -2s (must be a duration`},
		{args: []string{"--health-timeout=5s", "--health-interval=5s"}, want: `the health timeout is 5s (must be shorter than the health interval, 5s)`},
		{vars: []string{"REGISTRY_HEALTH_TIMEOUT", "1m"}, want: `the health timeout is 1m0s (must be shorter than the health interval, 30s)`},
		{args: []string{"--auto-register=127.0.0.1:4444"}, want: `invalid value for --auto-register: 127.0.0.1:4444 (must be a ws:// or wss:// URL)`},
		{args: []string{"--auto-register=ws://a, http://b,ws://c"}, want: `invalid value for --auto-register: "ws://a, http://b,ws://c" (http://b must be a ws:// or wss:// URL)`},
		{vars: []string{"REGISTRY_AUTO_REGISTER", "ws://a,http://b"}, want: `invalid value for REGISTRY_AUTO_REGISTER: ws://a,http://b (http://b must be`},
		{args: []string{"--auto-register=ws://a,,ws://b"}, want: `invalid value for --auto-register: ws://a,,ws://b ("" must be`},
		{args: []string{"--auto-register="}, want: `invalid value for --auto-register: "" (must be`},
		{args: []string{"--auto-register=ws://a,off"}, want: `invalid value for --auto-register: ws://a,off (off must be a ws:// or wss:// URL)`},
		{args: []string{"--auto-register"}, want: `flag needs an argument: --auto-register`},
		{args: []string{"--auto-register=ws://a", "--auto-register=b"}, want: `invalid value for --auto-register: b (must be`},
		{vars: []string{"REGISTRY_BACKENDS", "prod=wss://a,dev=ws//x"}, want: `invalid value for REGISTRY_BACKENDS: prod=wss://a,dev=ws//x (entry 2 "dev=ws//x": the URL must be a ws:// or wss:// URL)`},
		{args: []string{"--backends=a=ws://b"}, want: `unknown flag: --backends`},
		{vars: []string{"HOME", ""}, want: `invalid value for HOME: "" (must be an absolute path, unless --config or REGISTRY_CONFIG is given)`},
		{vars: []string{"HOME", "somewhere"}, want: `invalid value for HOME: somewhere (must be`},
		{args: []string{"--health-timeout=5s", "--health-interval=5s", "--tls-cert=c"}, want: `the health timeout is 5s (must be shorter than the health interval, 5s); --tls-cert needs`},
	} {
		_, _, err := parse(test.args, atHome(t, test.vars...))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Errorf("%q %q: got %v\nwant %s", test.args, test.vars, err, test.want)
		}
	}
}

func TestAutoRegister(t *testing.T) {
	a, b := registry.Address{Protocol: "ws", Host: "a", Port: 80}, registry.Address{Protocol: "wss", Host: "b", Port: 4444}
	for _, test := range []struct {
		args []string
		want []registry.Address
	}{
		{[]string{"--auto-register=ws://a,wss://b:4444"}, []registry.Address{a, b}},
		{[]string{"--auto-register", " wss://b:4444/ , ws://a:80,"}, []registry.Address{b, a}},
		{[]string{"--auto-register=ws://a", "--auto-register=wss://b:4444"}, []registry.Address{a, b}},
		{[]string{"--auto-register=ws://a,ws://a:80", "--auto-register=WS://a"}, []registry.Address{a}},
		{[]string{"--auto-register=off"}, nil},
		{[]string{"--auto-register=ws://a", "--auto-register=off"}, nil},
		{[]string{"--auto-register=off", "--auto-register=ws://a"}, []registry.Address{a}},
	} {
		// The variable adds nothing to the flags.
		got := mustParse(t, atHome(t, "REGISTRY_AUTO_REGISTER", "ws://elsewhere"), test.args...)
		if !slices.Equal(got.AutoRegister, test.want) {
			t.Errorf("%q: got %v, want %v", test.args, got.AutoRegister, test.want)
		}
	}
}

// Where only the interval is given, the timeout is no reason to refuse it.
func TestHealthTimeoutFollowsTheInterval(t *testing.T) {
	for interval, want := range map[string]time.Duration{
		"0": 2 * time.Second, "1s": 500 * time.Millisecond, "2s": time.Second, "3s": 1500 * time.Millisecond,
		"4s": 2 * time.Second, "24h": 2 * time.Second,
	} {
		if got := mustParse(t, atHome(t), "--health-interval="+interval); got.Health.Timeout != want {
			t.Errorf("interval %s: got a timeout of %s, want %s", interval, got.Health.Timeout, want)
		}
	}
	if got := mustParse(t, atHome(t), "--health-interval=0", "--health-timeout=1h"); got.Health.Timeout != time.Hour {
		t.Errorf("without an interval: got a timeout of %s, want 1h", got.Health.Timeout)
	}
}

func TestBackendsOfTheEnvironment(t *testing.T) {
	s := mustParse(t, atHome(t, "REGISTRY_BACKENDS", "prod=wss://plexus.example.com:4444,dev=ws://127.0.0.1:4446"))
	if backends, err := s.Backends.Load(t.Context()); err != nil || len(backends) != 2 || backends[0].Name != "prod" {
		t.Errorf("got %+v, %v", backends, err)
	}
}

// RUST_LOG may hold what only other programs understand.
func TestAnUnreadableRustLogCountsAsUnset(t *testing.T) {
	for _, value := range []string{"loud", "=", ",,", "plexus", "\n"} {
		if got := mustParse(t, atHome(t, "RUST_LOG", value)); got.LogLevel != slog.LevelInfo {
			t.Errorf("RUST_LOG=%q: got %v, want info", value, got.LogLevel)
		}
	}
}

// A help that is asked for comes before what is wrong.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}, {"--port=1", "-h"}, {"--help", "--port=x"}, {"--help", "--nonsense"}, {"-h", "--version"}} {
		_, help, err := parse(args, env(map[string]string{"REGISTRY_HOST": "a b"}))
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		checkHelp(t, NewRegistry().Table, help)
	}
}

// checkHelp expects every setting with all that can be said of it.
func checkHelp(t *testing.T, table Table, help string) {
	t.Helper()
	wanted := []string{
		"Usage:\n  plexus-registry", "A flag takes precedence", "-p, --port PORT\n", "--host HOST\n", "-c, --config FILE\n", "-h, --help\n", "--version\n",
		"Default: 4445\n", "Default: registry-hub\n", "Default: $XDG_CONFIG_HOME/plexus/backends.toml", "Default: 10MiB\n", "Default: ws://127.0.0.1:4444\n",
		"\nAccess control:\n", "\nLimits (0 is no limit):\n", "--anonymous none|info|read|all\n",
	}
	for _, s := range table {
		if s.Name != "" {
			wanted = append(wanted, "--"+s.Name)
		}
		wanted = append(wanted, s.Variable, strings.Join(strings.Fields(s.Help)[:2], " "))
	}
	for _, want := range wanted {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q", want)
		}
	}
	if defaults, flags := strings.Count(help, "  Default: "), len(table)-1; defaults != flags { // --insecure has none
		t.Errorf("%d defaults, want %d", defaults, flags)
	}
	checkLines(t, help)
}

func checkLines(t *testing.T, help string) {
	t.Helper()
	for line := range strings.SplitSeq(help, "\n") {
		if len(line) > helptext.Width || strings.TrimRight(line, " ") != line {
			t.Errorf("too wide, or ends in space: %q", line)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"--version"}, {"--version", "x"}, {"-p1", "--version"}} {
		if _, out, err := parse(args, env(nil)); err != nil || !strings.Contains(out, "version 1") {
			t.Errorf("%q: got %v, %q", args, err, out)
		}
	}
}

// The environment of the process must not matter.
func TestReadReadsOnlyWhatItIsHanded(t *testing.T) {
	for name, value := range map[string]string{
		"REGISTRY_PORT": "x", "REGISTRY_HOST": "a b", "REGISTRY_CONFIG": "wrong", "REGISTRY_DB_PATH": "wrong",
		"RUST_LOG": "trace", "REGISTRY_HUB_NAMESPACE": "wrong", "REGISTRY_BACKENDS": "wrong",
		"REGISTRY_AUTO_REGISTER": "wrong", "REGISTRY_HEALTH_INTERVAL": "1h", "REGISTRY_HEALTH_TIMEOUT": "1h", "XDG_CONFIG_HOME": t.TempDir(), "HOME": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	if got, want := mustParse(t, atHome(t)), mustParse(t, env(map[string]string{"HOME": home(t)})); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := mustParse(t, atHome(t)); got.Port != 4445 || got.LogLevel != slog.LevelInfo || got.HubNamespace != "registry-hub" {
		t.Errorf("got %+v", got)
	}
}

func FuzzArguments(f *testing.F) {
	f.Add("--port", "1", "8080")
	f.Add("--help", "-é", "")
	f.Add("-p", "--", "\n")
	f.Add("-", "=", "x")
	f.Fuzz(func(t *testing.T, first, second, port string) {
		getenv := env(map[string]string{"HOME": "/home/someone", "REGISTRY_PORT": port, "RUST_LOG": second})
		s, out, err := parse([]string{first, second}, getenv)
		switch {
		case err != nil:
			if text := err.Error(); text == "" || strings.Contains(text, "\n") {
				t.Errorf("not one line: %q", text)
			}
		case out != "": // help, or something like it
		case s.Port < 0 || s.Port > 65535 || s.Host == "" || s.ConfigPath == "" || s.DBPath == "":
			t.Errorf("settings that cannot be: %+v", s)
		}
	})
}
