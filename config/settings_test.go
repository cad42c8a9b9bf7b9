// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
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

func mustParse(t *testing.T, getenv func(string) string, args ...string) Settings {
	t.Helper()
	var out strings.Builder
	settings, err := Parse(args, getenv, &out)
	if err != nil {
		t.Fatalf("Parse(%q): %v", args, err)
	}
	if out.Len() > 0 {
		t.Errorf("Parse(%q) wrote help without being asked: %q", args, out.String())
	}
	return settings
}

func TestParseDefaults(t *testing.T) {
	got := mustParse(t, atHome(t))
	want := Settings{
		Port:         4445,
		Host:         "127.0.0.1",
		ConfigPath:   filepath.Join(home(t), ".config", "plexus", "backends.toml"),
		DBPath:       filepath.Join(home(t), ".config", "plexus", "registry.db"),
		LogLevel:     slog.LevelInfo,
		HubNamespace: "registry-hub",

		AutoRegister:   []Address{{"ws", "127.0.0.1", 4444}},
		HealthInterval: 30 * time.Second,
		HealthTimeout:  2 * time.Second,

		Doors: Doors{ACMECache: filepath.Join(home(t), ".config", "plexus", "acme"), Anonymous: "all"},
		Limits: Limits{
			MaxConnections: 10_000, MaxConnectionsPerAddress: 1_000, MaxUpgradeRate: 100,
			MaxCallRate: 100_000, MaxCalls: 256, MaxMessage: 10 << 20, MaxHeader: 16 << 10, MaxDepth: 64,
			MaxName: 255, MaxRegistrations: 10_000, MaxQueue: 256 << 10, MaxQueuedItems: 1024, MaxMemory: 64 << 20,
			HeaderTimeout: 5 * time.Second, HandshakeTimeout: 10 * time.Second,
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Each setting, in all combinations of a flag that is absent or given and a
// variable that is absent, empty, given or wrong.
func TestParseFlagBeatsEnvironmentBeatsDefault(t *testing.T) {
	settings := []struct {
		field, flag, variable           string
		fallback, fromFlag, fromEnv     any
		flagText, envText, wrongEnvText string
	}{
		{"Port", "--port", "REGISTRY_PORT", 4445, 1, 0, "1", "0", "65536"},
		{"Port", "-p", "REGISTRY_PORT", 4445, 65535, 8080, "65535", "8080", "x"},
		{"Host", "--host", "REGISTRY_HOST", "127.0.0.1", "::1", "example.com", "::1", "example.com", "[::1]"},
		{"DBPath", "--db-path", "REGISTRY_DB_PATH", filepath.Join(home(t), ".config", "plexus", "registry.db"), "a.db", "b.db", "a.db", "b.db", "\x00"},
		{"ConfigPath", "--config", "REGISTRY_CONFIG", filepath.Join(home(t), ".config", "plexus", "backends.toml"), "a.toml", "b.toml", "a.toml", "b.toml", "\x00"},
		{"ConfigPath", "-c", "REGISTRY_CONFIG", filepath.Join(home(t), ".config", "plexus", "backends.toml"), "a.toml", "b.toml", "a.toml", "b.toml", "\x00"},
		{"LogLevel", "--log-level", "RUST_LOG", slog.LevelInfo, slog.LevelError, slog.LevelDebug, "error", "debug", ""},
		{"HubNamespace", "--hub-namespace", "REGISTRY_HUB_NAMESPACE", "registry-hub", "a", "b-c_2", "a", "b-c_2", "b.c"},
		{"AutoRegister", "--auto-register", "REGISTRY_AUTO_REGISTER", []Address{{"ws", "127.0.0.1", 4444}}, []Address{{"wss", "::1", 443}}, []Address(nil), "wss://[::1]", "off", "localhost:4444"},
		{"HealthInterval", "--health-interval", "REGISTRY_HEALTH_INTERVAL", 30 * time.Second, time.Minute, time.Duration(0), "1m", "0", "999ms"},
		{"HealthTimeout", "--health-timeout", "REGISTRY_HEALTH_TIMEOUT", 2 * time.Second, 29999 * time.Millisecond, time.Millisecond, "29.999s", "1ms", "30s"},
	}
	const unset = "(unset)"
	for _, s := range settings {
		for _, flagText := range []string{unset, s.flagText} {
			for _, envText := range []string{unset, "", s.envText, s.wrongEnvText} {
				t.Run(fmt.Sprintf("%s %s %s %q", s.flag, flagText, s.variable, envText), func(t *testing.T) {
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
					got, err := Parse(args, atHome(t, variables...), io.Discard)
					if envText == s.wrongEnvText && envText != "" && flagText == unset {
						var usage *UsageError
						if !errors.As(err, &usage) || usage.Name != s.variable {
							t.Fatalf("got %v, want an error about %s", err, s.variable)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					if field := reflect.ValueOf(got).FieldByName(s.field).Interface(); !reflect.DeepEqual(field, want) {
						t.Errorf("%s is %v, want %v", s.field, field, want)
					}
				})
			}
		}
	}
}

func TestParsePaths(t *testing.T) {
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

func TestParseRefuses(t *testing.T) {
	long := strings.Repeat("é", 200)
	for _, test := range []struct {
		name, want string
		args, vars []string
	}{
		{name: "port in a variable", vars: []string{"REGISTRY_PORT", "x"}, want: `REGISTRY_PORT: "x" is not a whole number from 0 to 65535`},
		{name: "port too high", args: []string{"--port", "65536"}, want: `--port: "65536" is not a whole number from 0 to 65535`},
		{name: "negative port", args: []string{"--port=-1"}, want: `--port: "-1" is not a whole number from 0 to 65535`},
		{name: "negative port apart", args: []string{"--port", "-1"}, want: `--port: needs a value (--port=…)`},
		{name: "fraction", args: []string{"-p", "80.0"}, want: `--port: "80.0" is not a whole number from 0 to 65535`},
		{name: "hexadecimal port", args: []string{"-p0x50"}, want: `--port: "0x50" is not a whole number from 0 to 65535`},
		{name: "empty port", args: []string{"--port="}, want: `--port: "" is not a whole number from 0 to 65535`},
		{name: "no port", args: []string{"--port"}, want: `--port: needs a value (--port=…)`},
		{name: "flag for a port", args: []string{"--port", "--host", "x"}, want: `--port: needs a value (--port=…)`},
		{name: "the last one counts", args: []string{"--port=80", "--port=x"}, want: `--port: "x" is not`},
		{name: "empty host", args: []string{"--host="}, want: `--host: "" is empty`},
		{name: "host with port", vars: []string{"REGISTRY_HOST", "localhost:80"}, want: `REGISTRY_HOST: "localhost:80" is not a host name, IPv4 or IPv6 address (no scheme, path or port)`},
		{name: "empty config", args: []string{"--config="}, want: `--config: "" is empty`},
		{name: "zero byte in path", args: []string{"--db-path=a\x00b"}, want: `--db-path: "a\x00b" contains a zero byte`},
		{name: "level of a flag", args: []string{"--log-level=loud"}, want: `--log-level: "loud" holds no level: off, error, warn, info, debug or trace`},
		{name: "empty namespace", args: []string{"--hub-namespace="}, want: `--hub-namespace: "" is empty`},
		{name: "dotted namespace", args: []string{"--hub-namespace=a.b"}, want: `--hub-namespace: "a.b" is not a letter followed by letters, digits, hyphens and underscores`},
		{name: "namespace of a digit", args: []string{"--hub-namespace=1"}, want: `--hub-namespace: "1" is not a letter followed by`},
		{name: "long namespace", args: []string{"--hub-namespace=" + long}, want: `--hub-namespace: "` + strings.Repeat("é", 32) + `…" is longer than 255 bytes`},
		{name: "line end in a value", args: []string{"--port=1\n2"}, want: `--port: "1\n2" is not`},
		{name: "unknown flag", args: []string{"--prot=1"}, want: `unknown flag --prot, did you mean "--port"? (try --help)`},
		{name: "line end in an unknown flag", args: []string{"--a\nb"}, want: `unknown flag --a b`},
		{name: "unknown short flag", args: []string{"-x"}, want: `unknown flag -x`},
		{name: "positional", args: []string{"serve"}, want: `unexpected argument serve (try --help)`},
		{name: "positional after dashes", args: []string{"--", "--port"}, want: `unexpected argument --port`},
		{name: "empty positional", args: []string{""}, want: `unexpected argument`},
		{name: "interval too short", args: []string{"--health-interval=0.999s"}, want: `--health-interval: "0.999s" is neither 0 nor a duration from 1s to 24h, such as 30s or 1m30s`},
		{name: "interval without a unit", args: []string{"--health-interval=30"}, want: `--health-interval: "30" is neither 0 nor`},
		{name: "interval too long", args: []string{"--health-interval=24h1s"}, want: `--health-interval: "24h1s" is neither 0 nor`},
		{name: "negative interval", args: []string{"--health-interval=-1s"}, want: `--health-interval: "-1s" is neither 0 nor`},
		{name: "timeout zero", vars: []string{"REGISTRY_HEALTH_TIMEOUT", "0"}, want: `REGISTRY_HEALTH_TIMEOUT: "0" is not a duration above 0, such as 2s or 500ms`},
		{name: "negative timeout", args: []string{"--health-timeout=-2s"}, want: `--health-timeout: "-2s" is not a duration above 0`},
		{name: "timeout as long as the interval", args: []string{"--health-timeout=5s", "--health-interval=5s"}, want: `--health-timeout: "5s" is not shorter than the health interval, 5s`},
		{name: "timeout of the environment as long as the interval", vars: []string{"REGISTRY_HEALTH_TIMEOUT", "1m"}, want: `REGISTRY_HEALTH_TIMEOUT: "1m0s" is not shorter than the health interval, 30s`},
		{name: "auto-register without a scheme", args: []string{"--auto-register=127.0.0.1:4444"}, want: `--auto-register: "127.0.0.1:4444" is not a ws:// or wss:// URL`},
		{name: "auto-register, one of several", args: []string{"--auto-register=ws://a, http://b,ws://c"}, want: `--auto-register: "http://b" is not a ws:// or wss:// URL`},
		{name: "auto-register of the environment, one of several", vars: []string{"REGISTRY_AUTO_REGISTER", "ws://a,http://b"}, want: `REGISTRY_AUTO_REGISTER: "http://b" is not a ws:// or wss:// URL`},
		{name: "auto-register with an empty one", args: []string{"--auto-register=ws://a,,ws://b"}, want: `--auto-register: "" is not a ws:// or wss:// URL`},
		{name: "auto-register with nothing", args: []string{"--auto-register="}, want: `--auto-register: "" is not a ws:// or wss:// URL`},
		{name: "auto-register off and on", args: []string{"--auto-register=ws://a,off"}, want: `--auto-register: "ws://a,off" has off beside something else`},
		{name: "auto-register without a value", args: []string{"--auto-register"}, want: `--auto-register: needs a value (--auto-register=…)`},
		{name: "auto-register, the second time", args: []string{"--auto-register=ws://a", "--auto-register=b"}, want: `--auto-register: "b" is not`},
		{name: "backends", vars: []string{"REGISTRY_BACKENDS", "prod=wss://a,dev=ws//x"}, want: `REGISTRY_BACKENDS: entry 2 "dev=ws//x": the URL is not a ws:// or wss:// URL`},
		{name: "no flag for backends", args: []string{"--backends=a=ws://b"}, want: `unknown flag --backends`},
		{name: "no home", vars: []string{"HOME", ""}, want: `HOME: "" is not an absolute path, so --config (or REGISTRY_CONFIG) must be given`},
		{name: "relative home", vars: []string{"HOME", "somewhere"}, want: `HOME: "somewhere" is not an absolute path`},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings, err := Parse(test.args, atHome(t, test.vars...), io.Discard)
			var usage *UsageError
			if !errors.As(err, &usage) {
				t.Fatalf("got %+v and %v, want a UsageError", settings, err)
			}
			if !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
			if strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("more than one line: %q", err)
			}
			if !reflect.ValueOf(settings).IsZero() {
				t.Errorf("settings with an error: %+v", settings)
			}
		})
	}
}

func TestParseAutoRegister(t *testing.T) {
	a, b := Address{"ws", "a", 80}, Address{"wss", "b", 4444}
	for _, test := range []struct {
		args []string
		want []Address
	}{
		{[]string{"--auto-register=ws://a,wss://b:4444"}, []Address{a, b}},
		{[]string{"--auto-register", " wss://b:4444/ , ws://a:80,"}, []Address{b, a}},
		{[]string{"--auto-register=ws://a", "--auto-register=wss://b:4444"}, []Address{a, b}},
		{[]string{"--auto-register=ws://a,ws://a:80", "--auto-register=WS://a"}, []Address{a}},
		{[]string{"--auto-register=off"}, nil},
		{[]string{"--auto-register=ws://a", "--auto-register=off"}, nil},
		{[]string{"--auto-register=off", "--auto-register=ws://a"}, []Address{a}},
	} {
		// The variable adds nothing to the flags.
		got := mustParse(t, atHome(t, "REGISTRY_AUTO_REGISTER", "ws://elsewhere"), test.args...)
		if !slices.Equal(got.AutoRegister, test.want) {
			t.Errorf("%q: got %v, want %v", test.args, got.AutoRegister, test.want)
		}
	}
}

// Where only the interval is given, the timeout is no reason to refuse it.
func TestParseHealthTimeoutFollowsTheInterval(t *testing.T) {
	for interval, want := range map[string]time.Duration{
		"0": 2 * time.Second, "1s": 500 * time.Millisecond, "2s": time.Second, "3s": 1500 * time.Millisecond,
		"4s": 2 * time.Second, "24h": 2 * time.Second,
	} {
		if got := mustParse(t, atHome(t), "--health-interval="+interval); got.HealthTimeout != want {
			t.Errorf("interval %s: got a timeout of %s, want %s", interval, got.HealthTimeout, want)
		}
	}
	if got := mustParse(t, atHome(t), "--health-interval=0", "--health-timeout=1h"); got.HealthTimeout != time.Hour {
		t.Errorf("without an interval: got a timeout of %s, want 1h", got.HealthTimeout)
	}
}

func TestParseBackendsOfTheEnvironment(t *testing.T) {
	const value = "prod=wss://plexus.example.com:4444,dev=ws://127.0.0.1:4446"
	if got := mustParse(t, atHome(t, "REGISTRY_BACKENDS", value)); got.Backends != value {
		t.Errorf("got %q, want %q", got.Backends, value)
	}
}

// RUST_LOG may hold what only other programs understand.
func TestParseTakesUnreadableRustLogForUnset(t *testing.T) {
	for _, value := range []string{"loud", "=", ",,", "plexus", "\n"} {
		if got := mustParse(t, atHome(t, "RUST_LOG", value)); got.LogLevel != slog.LevelInfo {
			t.Errorf("RUST_LOG=%q: got %v, want info", value, got.LogLevel)
		}
	}
}

func TestParseHelp(t *testing.T) {
	for _, args := range [][]string{
		{"--help"},
		{"-h"},
		{"--port=1", "-h"},
		{"--help", "--port=x"},
		{"--help", "--nonsense"},
		{"-h", "--version"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			var out strings.Builder
			if _, err := Parse(args, env(map[string]string{"REGISTRY_HOST": "a b"}), &out); !errors.Is(err, ErrHelp) {
				t.Fatalf("got %v, want ErrHelp", err)
			}
			checkHelp(t, out.String())
		})
	}
}

// checkHelp expects every field of the settings with all that can be said of
// it, so that a new one cannot be forgotten.
func checkHelp(t *testing.T, help string) {
	t.Helper()
	wanted := []string{
		"Usage: plexus-registry [flags]", "Examples:", "A flag beats",
		"-p, --port PORT", "--host HOST", "-c, --config FILE", "--db-path FILE", "-h, --help\n", "--version\n",
		"Default: 4445", "Default: registry-hub", "Default: $XDG_CONFIG_HOME/plexus/backends.toml",
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Settings]()) {
		tag := field.Tag
		if field.Anonymous {
			wanted = append(wanted, "\n"+tag.Get("group")+":\n")
			continue
		}
		if tag.Get("default") == "" && tag.Get("otherwise") == "" && field.Type.Kind() != reflect.Bool {
			t.Errorf("%s: no default, and no word on it", field.Name)
		}
		if tag.Get("help") == "" {
			t.Errorf("%s: no help", field.Name)
		}
		variable := "Variable: " + tag.Get("env") + "\n"
		if tag.Get("kong") == "-" { // no flag
			variable = "\n  " + tag.Get("env") + "\n"
		}
		wanted = append(wanted, variable, "Default: "+tag.Get("default"))
	}
	for _, want := range wanted {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q", want)
		}
	}
	if examples := strings.Count(help, "\n  plexus-registry"); examples != 3 {
		t.Errorf("%d examples, want 3", examples)
	}
	for line := range strings.SplitSeq(help, "\n") {
		if len(line) > helpWidth {
			t.Errorf("too wide: %q", line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("ends in space: %q", line)
		}
	}
	if t.Failed() {
		t.Log(help)
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestParseHelpThatCannotBeWritten(t *testing.T) {
	_, err := Parse([]string{"--help"}, atHome(t), brokenWriter{})
	if !errors.Is(err, errBroken) || errors.Is(err, ErrHelp) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

func TestParseVersion(t *testing.T) {
	for _, args := range [][]string{{"--version"}, {"--version", "--help"}, {"--version", "x"}, {"-p1", "--version"}} {
		var out strings.Builder
		if _, err := Parse(args, env(nil), &out); !errors.Is(err, ErrVersion) {
			t.Errorf("Parse(%q): got %v, want ErrVersion", args, err)
		}
		if out.Len() > 0 {
			t.Errorf("Parse(%q) wrote %q", args, out.String())
		}
	}
}

// The environment of the process must not matter.
func TestParseReadsOnlyWhatItIsHanded(t *testing.T) {
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

func FuzzParse(f *testing.F) {
	f.Add("--port", "1", "8080")
	f.Add("--help", "-é", "")
	f.Add("-p", "--", "\n")
	f.Add("-", "=", "x")
	f.Fuzz(func(t *testing.T, first, second, port string) {
		getenv := env(map[string]string{"HOME": "/home/someone", "REGISTRY_PORT": port, "RUST_LOG": second})
		settings, err := Parse([]string{first, second}, getenv, io.Discard)
		switch usage := (*UsageError)(nil); {
		case errors.As(err, &usage):
			if text := err.Error(); text == "" || oneLine(text) != text {
				t.Errorf("not one line: %q", text)
			}
		case errors.Is(err, ErrHelp), errors.Is(err, ErrVersion):
		case err != nil:
			t.Errorf("an error of another kind: %v", err)
		case settings.Port < 0 || settings.Port > 65535 || settings.Host == "" || settings.ConfigPath == "" || settings.DBPath == "":
			t.Errorf("settings that cannot be: %+v", settings)
		}
	})
}
