// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
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

// TestPortPrecedence sets the port in every way. A port that is taken shows which
// one counts.
func TestPortPrecedence(t *testing.T) {
	t.Parallel()
	taken := occupied(t)
	inUse := []string{"127.0.0.1:" + taken, "address already in use"}

	cmd := command(t.TempDir(), "--port", "0")
	cmd.Env = append(cmd.Env, "REGISTRY_PORT="+taken)
	start(t, cmd)
	cmd = command(t.TempDir())
	cmd.Env = append(cmd.Env, "REGISTRY_PORT="+taken)
	wantLine(t, finish(t, cmd), 1, inUse...)
	wantLine(t, finish(t, command(t.TempDir(), "-p", taken)), 1, inUse...)
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

// TestHostPrecedence sets the host in every way, and connects to what is printed.
func TestHostPrecedence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		env  string
		args []string
		want string
	}{
		{"", nil, "ws://127.0.0.1:"},
		{"REGISTRY_HOST=127.0.0.2", nil, "ws://127.0.0.2:"},
		{"REGISTRY_HOST=127.0.0.2", []string{"--host", "127.0.0.3"}, "ws://127.0.0.3:"},
		{"REGISTRY_HOST=", []string{"--host=localhost"}, "ws://127.0.0.1:"},
		{"", []string{"--host", "::1"}, "ws://[::1]:"},
	}
	for _, test := range tests {
		held, err := net.Listen("tcp", strings.TrimPrefix(test.want, "ws://")+"0")
		if err != nil {
			t.Logf("this machine has no %s", test.want)
			continue
		}
		held.Close()
		cmd := command(t.TempDir(), test.args...)
		cmd.Env = append(cmd.Env, test.env)
		p := start(t, cmd)
		if !strings.HasPrefix(p.url, test.want) || strings.HasSuffix(p.url, ":0") {
			t.Errorf("%s %v: it serves %s, want %s…", test.env, test.args, p.url, test.want)
		}
		hubName(t, p.url)
	}
}

// TestFilePrecedence sets where the files are in every way, and looks where they
// were made and which was read.
func TestFilePrecedence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		env      []string
		args     []string
		config   string // under the directory, which DIR stands for
		database string
	}{
		{"XDG_CONFIG_HOME", nil, nil, "plexus/backends.toml", "plexus/registry.db"},
		{"HOME", []string{"XDG_CONFIG_HOME="}, nil, ".config/plexus/backends.toml", ".config/plexus/registry.db"},
		{"XDG_CONFIG_HOME that is relative", []string{"XDG_CONFIG_HOME=here"}, nil,
			".config/plexus/backends.toml", ".config/plexus/registry.db"},
		{"REGISTRY_CONFIG", []string{"REGISTRY_CONFIG=DIR/e/list.toml"}, nil, "e/list.toml", "e/registry.db"},
		{"--config", []string{"REGISTRY_CONFIG=DIR/e/list.toml"}, []string{"--config", "DIR/f/list.toml"},
			"f/list.toml", "f/registry.db"},
		{"-c", nil, []string{"-c", "DIR/f/list.toml"}, "f/list.toml", "f/registry.db"},
		{"REGISTRY_DB_PATH", []string{"REGISTRY_DB_PATH=DIR/e/my.db"}, nil, "plexus/backends.toml", "e/my.db"},
		{"--db-path", []string{"REGISTRY_DB_PATH=DIR/e/my.db"}, []string{"--db-path=DIR/f/my.db", "-c", "DIR/g/list.toml"},
			"g/list.toml", "f/my.db"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// Each file that could be read names itself.
			for _, config := range []string{"plexus/backends.toml", ".config/plexus/backends.toml", "e/list.toml", "f/list.toml", "g/list.toml"} {
				writeFile(t, filepath.Join(dir, config), "[[backend]]\nname = \""+config+"\"\nhost = \"h\"\nport = 1\n")
			}
			cmd := command(dir)
			for _, arg := range test.args {
				cmd.Args = append(cmd.Args, strings.ReplaceAll(arg, "DIR", dir))
			}
			for _, env := range test.env {
				cmd.Env = append(cmd.Env, strings.ReplaceAll(env, "DIR", dir))
			}
			p := start(t, cmd)
			names := slices.Collect(maps.Keys(list(t, p.url)))
			if !slices.Equal(names, []string{test.config}) {
				t.Errorf("it has read %v, want %s", names, test.config)
			}
			for _, database := range []string{"plexus/registry.db", ".config/plexus/registry.db", "e/registry.db", "f/registry.db", "g/registry.db", "e/my.db", "f/my.db"} {
				if exists(t, filepath.Join(dir, database)) != (database == test.database) {
					t.Errorf("%s: want %s only", database, test.database)
				}
			}
		})
	}
}

// TestHubNamespacePrecedence names the hub, which names all its methods.
func TestHubNamespacePrecedence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		env  string
		args []string
		want string
	}{
		{"", nil, "registry-hub"},
		{"REGISTRY_HUB_NAMESPACE=lab", nil, "lab"},
		{"REGISTRY_HUB_NAMESPACE=lab", []string{"--hub-namespace", "my_hub-2"}, "my_hub-2"},
	}
	for _, test := range tests {
		cmd := command(t.TempDir(), test.args...)
		cmd.Env = append(cmd.Env, test.env)
		url := start(t, cmd).url
		if got := hubName(t, url); got != test.want {
			t.Errorf("%s %v: _info says %q", test.env, test.args, got)
		}
		conn := testkit.Dial(t, url)
		if item := conn.Call(test.want, "registry.get", `{"name":"x"}`)[0]; item.ContentType != "registry.get" {
			t.Errorf("%s.call: %v", test.want, item)
		}
		if item := conn.Items(test.want+".schema", "")[0]; item.ContentType != test.want+".schema" || item.Object()["namespace"] != test.want {
			t.Errorf("%s.schema: %s of %v", test.want, item.ContentType, item.Object()["namespace"])
		}
		if test.want == "registry-hub" {
			continue
		}
		conn.Send(`{"jsonrpc":"2.0","id":3,"method":"registry-hub.call","params":{"method":"registry.list"}}`)
		conn.Rejected("3", -32601) // it is not this hub's name
	}
}

// TestLogLevelPrecedence sets what is logged in every way. An upgrade that fails is
// logged at debug, the address at info, an odd row at warn.
func TestLogLevelPrecedence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		env  string
		args []string
		want string // the lowest level
	}{
		{"", nil, "INFO"},
		{"RUST_LOG=plexus=debug,info", nil, "INFO"},
		{"RUST_LOG=info,plexus=debug", nil, "INFO"},
		{"RUST_LOG=plexus=debug", nil, "DEBUG"},
		{"RUST_LOG=debug", nil, "DEBUG"},
		{"RUST_LOG=DEBUG,hyper=off", nil, "DEBUG"},
		{"RUST_LOG=warn", nil, "WARN"},
		{"RUST_LOG=error", nil, ""},
		{"RUST_LOG=off", nil, ""},
		{"RUST_LOG=nonsense", nil, "INFO"},
		{"RUST_LOG=error", []string{"--log-level", "debug"}, "DEBUG"},
		{"RUST_LOG=debug", []string{"--log-level=warn"}, "WARN"},
	}
	for _, test := range tests {
		t.Run(strings.Join(append(test.args, test.env), " "), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			reference(t, dir)
			cmd := command(dir, test.args...)
			cmd.Env = append(cmd.Env, test.env)
			p := start(t, cmd)
			request, err := http.NewRequest(http.MethodGet, "http://"+p.address(), nil)
			if err != nil {
				t.Fatal(err)
			}
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
			want := map[string]bool{}
			for _, level := range slices.Backward([]string{"DEBUG", "INFO", "WARN"}) {
				if test.want == "" {
					break
				}
				want[level] = true
				if level == test.want {
					break
				}
			}
			if !maps.Equal(levels, want) {
				t.Errorf("it has logged %v, want %v:\n%s", levels, want, p.stderr)
			}
		})
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
