// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra/doc"

	"github.com/plexus-go/plexus/internal/testkit"
)

// exists reports whether there is a file.
func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return err == nil
}

// TestDefaultPort runs with no setting at all. Somebody may have port 4445.
func TestDefaultPort(t *testing.T) {
	t.Parallel()
	cmd := command(t.TempDir())
	cmd.Env = append(cmd.Env, "REGISTRY_PORT=")
	held, err := net.Listen("tcp", "127.0.0.1:4445")
	if err != nil { // so it is in use
		wantLine(t, finish(t, cmd), 1, "127.0.0.1:4445", "address already in use")
		return
	}
	held.Close()
	if p := start(t, cmd); p.url != "ws://127.0.0.1:4445" {
		t.Errorf("it serves %s", p.url)
	}
}

// TestSettingsAreApplied gives settings in every way, and looks at what they do.
// (The tests of the package settings have all about precedence.)
func TestSettingsAreApplied(t *testing.T) {
	t.Parallel()
	configs := []string{"plexus/backends.toml", ".config/plexus/backends.toml", "e/list.toml", "f/list.toml"}
	databases := []string{"plexus/registry.db", ".config/plexus/registry.db", "e/registry.db", "e/my.db", "f/registry.db", "f/my.db"}
	for name, test := range map[string]struct {
		env, args        []string // DIR stands for the directory
		url, hub         string
		config, database string   // below DIR
		levels           []string // of what is logged
	}{
		"none": {nil, nil, "ws://127.0.0.1:", "registry-hub", "plexus/backends.toml", "plexus/registry.db", []string{"INFO", "WARN"}},
		"HOME alone": {[]string{"XDG_CONFIG_HOME=", "REGISTRY_HOST=", "RUST_LOG=nonsense"}, []string{"--host=localhost"},
			"ws://127.0.0.1:", "registry-hub", ".config/plexus/backends.toml", ".config/plexus/registry.db", []string{"INFO", "WARN"}},
		"variables": {[]string{"REGISTRY_HOST=127.0.0.2", "REGISTRY_HUB_NAMESPACE=lab", "REGISTRY_CONFIG=DIR/e/list.toml", "RUST_LOG=plexus=debug"}, nil,
			"ws://127.0.0.2:", "lab", "e/list.toml", "e/registry.db", []string{"DEBUG", "INFO", "WARN"}},
		"another variable for the database": {[]string{"REGISTRY_DB_PATH=DIR/e/my.db", "RUST_LOG=off"}, nil,
			"ws://127.0.0.1:", "registry-hub", "plexus/backends.toml", "e/my.db", nil},
		"flags over variables": {
			[]string{"REGISTRY_HOST=127.0.0.2", "REGISTRY_HUB_NAMESPACE=lab", "REGISTRY_CONFIG=DIR/e/list.toml", "REGISTRY_DB_PATH=DIR/e/my.db", "RUST_LOG=debug"},
			[]string{"--host", "127.0.0.3", "--hub-namespace", "my_hub-2", "-c", "DIR/f/list.toml", "--db-path=DIR/f/my.db", "--log-level=warn"},
			"ws://127.0.0.3:", "my_hub-2", "f/list.toml", "f/my.db", []string{"WARN"}},
		"IPv6": {[]string{"RUST_LOG=error"}, []string{"--host", "::1", "--log-level", "debug"},
			"ws://[::1]:", "registry-hub", "plexus/backends.toml", "plexus/registry.db", []string{"DEBUG", "INFO", "WARN"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held, err := net.Listen("tcp", strings.TrimPrefix(test.url, "ws://")+"0")
			if err != nil {
				t.Skipf("this machine has no %s", test.url)
			}
			held.Close()
			dir := t.TempDir()
			inDir := func(texts []string) []string {
				return strings.Split(strings.ReplaceAll(strings.Join(texts, "\n"), "DIR", dir), "\n")
			}
			for _, config := range configs { // each names itself
				writeFile(t, filepath.Join(dir, config), fmt.Sprintf("[[backend]]\nname = %q\nhost = \"h\"\nport = 1\n", config))
			}
			writeFile(t, filepath.Join(dir, test.database), readText(t, referenceDatabase)) // which has odd entries
			cmd := command(dir)
			cmd.Env = append(cmd.Env, inDir(test.env)...)
			if test.args != nil {
				cmd.Args = append(cmd.Args, inDir(test.args)...)
			}
			p := start(t, cmd)
			if !strings.HasPrefix(p.url, test.url) || strings.HasSuffix(p.url, ":0") {
				t.Errorf("it serves %s, want %s…", p.url, test.url)
			}
			checkHub(t, p.url, test.hub)
			conn := testkit.Dial(t, p.url)
			for _, config := range configs {
				read := conn.Call(test.hub, "registry.get", fmt.Sprintf(`{"name":%q}`, config))[0].Object()["backend"] != nil
				if read != (config == test.config) {
					t.Errorf("%s is read: %v, want %s only", config, read, test.config)
				}
			}
			for _, database := range databases {
				if exists(t, filepath.Join(dir, database)) != (database == test.database) {
					t.Errorf("%s: want %s only", database, test.database)
				}
			}
			request, err := http.NewRequest(http.MethodGet, "http://"+p.address(), nil)
			if err != nil {
				t.Fatal(err)
			}
			// An upgrade that fails is logged at debug, the address at info, an odd entry at
			// warn.
			request.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"1"}}
			response, err := http.DefaultClient.Do(request)
			if err != nil || response.StatusCode != http.StatusBadRequest {
				t.Fatalf("an upgrade to a version that does not exist: %v, %v", response, err)
			}
			response.Body.Close()
			p.stop(t)
			levels := map[string]bool{}
			for _, record := range p.log(t) {
				level, _ := record["level"].(string)
				levels[level] = true
				if record["msg"] == "" || record["time"] == nil {
					t.Errorf("a record without message or time: %v", record)
				}
			}
			if got := slices.Sorted(maps.Keys(levels)); !slices.Equal(got, test.levels) {
				t.Errorf("it has logged %v, want %v:\n%s", got, test.levels, p.stderr)
			}
		})
	}
}

// checkHub checks that a hub has that name, and that its methods have it too.
func checkHub(t *testing.T, url, name string) {
	t.Helper()
	if got := hubName(t, url); got != name {
		t.Errorf("_info says %q, want %q", got, name)
	}
	conn := testkit.Dial(t, url)
	if item := conn.Call(name, "registry.get", `{"name":"x"}`)[0]; item.ContentType != "registry.get" {
		t.Errorf("%s.call: %v", name, item)
	}
	if item := conn.Items(name+".schema", "")[0]; item.ContentType != name+".schema" || item.Object()["namespace"] != name {
		t.Errorf("%s.schema: %s of %v", name, item.ContentType, item.Object()["namespace"])
	}
	if name != "registry-hub" {
		conn.Send(`{"jsonrpc":"2.0","id":3,"method":"registry-hub.call","params":{"method":"registry.list"}}`)
		conn.Rejected("3", -32601) // it is not this hub's name
	}
}

// Every limit can be lifted, and the registry serves as before.
func TestLimitsOfZeroAreNoLimits(t *testing.T) {
	t.Parallel()
	var args []string
	for _, name := range []string{"max-connections", "max-connections-per-address", "max-upgrade-rate", "max-call-rate", "max-calls", "max-message",
		"max-header", "max-depth", "max-name", "max-registrations", "max-queue", "max-queued-items", "max-memory",
		"header-timeout", "handshake-timeout", "idle-timeout"} {
		args = append(args, "--"+name+"=0")
	}
	c := connect(t, start(t, command(t.TempDir(), args...)).url)
	name := strings.Repeat("n", 255)
	c.register(t, object{"name": name, "host": "h", "port": 1})
	if entry := c.get(t, name); entry == nil {
		t.Error("nothing was registered")
	}
}

func TestTextThatCannotBeWrittenIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range []string{"--help", "--version", "token --help", "token new --help", "completion bash"} {
		cmd := command(t.TempDir(), strings.Fields(args)...)
		var stderr strings.Builder
		cmd.Stdout, cmd.Stderr = full, &stderr
		_ = cmd.Run()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: exit status %d, %s", args, cmd.ProcessState.ExitCode(), &stderr)
		}
	}
}

// TestManPages writes a manual page for each command, into the directory MANDIR if
// that is set, which is what make man does.
func TestManPages(t *testing.T) {
	dir := cmp.Or(os.Getenv("MANDIR"), t.TempDir())
	command := newCommand(os.Getenv, nil)
	command.AddCommand(newTokenCommand(os.Getenv, new(int)))
	if err := doc.GenManTree(command, &doc.GenManHeader{Title: "PLEXUS-REGISTRY", Section: "1", Source: "Plexus"}, dir); err != nil {
		t.Fatal(err)
	}
	for page, want := range map[string]string{"plexus-registry.1": "REGISTRY_PORT", "plexus-registry-token-new.1": "REGISTRY_TOKENS"} {
		if text := readText(t, filepath.Join(dir, page)); !strings.Contains(text, want) {
			t.Errorf("%s lacks %s:\n%s", page, want, text)
		}
	}
}

// TestPermissions makes everything anew, for its owner alone, though the
// caller's umask would allow more.
func TestPermissions(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	cmd := command(dir)
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", `umask 0 && exec "$0"`, binary}
	p := start(t, cmd)
	connect(t, p.url).register(t, map[string]any{"name": "x", "host": "h", "port": 1})
	found := 0
	for path, about := range snapshot(t, filepath.Dir(dir)) {
		want := "-rw------- "
		if !strings.Contains(filepath.Base(path), "registry.db") {
			want = "drwx------"
		}
		if !strings.HasPrefix(about, want) {
			t.Errorf("%s is %.10s, want %s", path, about, want)
		}
		found++
	}
	if found < 4 { // new, new/plexus, the database and its lock
		t.Errorf("there are %d files", found)
	}
}
