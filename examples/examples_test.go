// SPDX-License-Identifier: AGPL-3.0-only

// Package examples holds programs to copy; its test runs each of them.
package examples

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
)

// binaries is the folder of the examples and of plexus.
var binaries string

// TestMain builds all of them and the commands at once.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if binaries, err = os.MkdirTemp("", "plexus-examples"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(binaries)
		if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", binaries, "./...", "../cmd/...").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// serving finds the URL in a line that a program prints or logs.
var serving = regexp.MustCompile(`^(?:.* serving .*url=)?(ws://\S+)`)

// run starts an example and returns the URL that it prints or logs. The test
// ends it by an interrupt, which must succeed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return runUntil(t, os.Interrupt, filepath.Join(binaries, name), args...)
}

// runUntil is run for a program anywhere, which the test ends by this signal.
func runUntil(t *testing.T, end os.Signal, name string, args ...string) string {
	t.Helper()
	output, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LISTEN=127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(output)
	var begin, url string
	for url == "" && err == nil {
		var line string
		line, err = lines.ReadString('\n')
		begin += line
		if m := serving.FindStringSubmatch(line); m != nil {
			url = m[1]
		}
	}
	rest := make(chan []byte, 1)
	go func() { // ends with the process
		text, _ := io.ReadAll(lines)
		rest <- text
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(end)
		kill := time.AfterFunc(15*time.Second, func() { cmd.Process.Kill() })
		defer kill.Stop()
		text := <-rest
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s ended by %v with %v\n%s", name, end, err, text)
		}
		output.Close()
	})
	if url == "" {
		t.Fatalf("%s begins with %q, %v", name, begin, err)
	}
	return url
}

// content makes a direct call, with parameters as JSON text, and returns the
// content of its first item.
func content(t *testing.T, url, method, params string) map[string]any {
	t.Helper()
	return testkit.Dial(t, url).Items(method, params)[0].Object()
}

// TestExamplesStopGracefully, as service managers and containers stop them.
func TestExamplesStopGracefully(t *testing.T) {
	t.Setenv("PLEXUS_NO_REGISTRY", "1")
	mains, err := filepath.Glob("*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatal(mains, err)
	}
	for _, main := range mains {
		t.Run(filepath.Dir(main), func(t *testing.T) {
			var args []string
			switch filepath.Dir(main) {
			case "store-path":
				args = append(args, filepath.Join(t.TempDir(), "my.db"))
			case "protected":
				_, file := newToken(t, "notes:read")
				args = append(args, file)
			}
			runUntil(t, syscall.SIGTERM, filepath.Join(binaries, filepath.Dir(main)), args...)
		})
	}
}

// newToken makes a token with these scopes, as the example shows, and the file that
// lists it.
func newToken(t *testing.T, scopes ...string) (token, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "tokens.toml")
	args := []string{"token", "new", "ada", "--tokens", file}
	for _, scope := range scopes {
		args = append(args, "--scope", scope)
	}
	cmd := exec.Command(filepath.Join(binaries, "plexus-registry"), args...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), file
}

// TestProtected: a hub with tokens registers itself and stays listed, in a registry
// with tokens, too, and serves those that have one.
func TestProtected(t *testing.T) {
	token, file := newToken(t, "notes:read", "notes:write:ada", "registry:read", "registry:write")
	for name, args := range map[string][]string{
		"an open registry": nil,
		"a protected one":  {"--tokens", file},
		"a closed one":     {"--tokens", file, "--anonymous=none"},
	} {
		t.Run(name, func(t *testing.T) {
			registry := run(t, "plexus-registry", append([]string{"--port=0", "--health-interval=1s", "--auto-register=off",
				"--config", filepath.Join(t.TempDir(), "backends.toml")}, args...)...)
			t.Setenv("PLEXUS_NO_REGISTRY", "")
			t.Setenv("PLEXUS_REGISTRY_URL", registry)
			t.Setenv("REGISTRY_TOKEN", token)
			url := run(t, "protected", file)
			testkit.Eventually(t, "it was probed", func() bool {
				entry, _ := as(t, token, registry, "registry_get", `["protected-hub"]`).Object()["backend"].(map[string]any)
				return entry != nil && entry["health"] == "passing" && entry["is_active"] == true
			})
			for _, try := range []struct{ token, method, params, want string }{
				{"", "_info", "", "data"},
				{"", "notes_list", "", "-32001"},
				{token, "notes_write", `["ada","Call mother"]`, "data"},
				{token, "notes_write", `["bob","Call mother"]`, "-32003"},
				{token, "notes_list", "", "data"},
			} {
				item := as(t, try.token, url, try.method, try.params)
				if got := cmp.Or(item.Code, item.Type); got != try.want {
					t.Errorf("%s %s: %+v, want %s", try.method, try.params, item, try.want)
				}
			}
		})
	}
}

// as makes a direct call with a token, and returns its first item.
func as(t *testing.T, token, url, method, params string) testkit.Item {
	t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	conn, _, err := testkit.DialWith(t, new(websocket.Dialer), url, header)
	if err != nil {
		t.Fatal(err)
	}
	return conn.Items(method, params)[0]
}

func TestHub(t *testing.T) {
	url := run(t, "hub")
	if got := content(t, url, "_info", "")["backend"]; got != "my-hub" {
		t.Errorf("the hub's name is %v", got)
	}
	if got := content(t, url, "echo_once", `["hello"]`)["message"]; got != "hello" {
		t.Errorf("echo says %v", got)
	}
	self, _ := content(t, url, "registry_get", `["my-hub"]`)["backend"].(map[string]any)
	if self == nil || "ws://127.0.0.1:"+fmt.Sprint(self["port"]) != url || self["source"] != "auto" {
		t.Errorf("the hub at %s has registered itself as %v", url, self)
	}
	if got := content(t, url, "registry_register", `["alpha","localhost",4444]`)["type"]; got != "backend_registered" {
		t.Errorf("register answers %v", got)
	}
}

func TestStorePath(t *testing.T) {
	database := filepath.Join(t.TempDir(), "a folder", "my.db")
	t.Run("first run", func(t *testing.T) {
		url := run(t, "store-path", database)
		if got := content(t, url, "registry_register", `["alpha","localhost",4444]`)["type"]; got != "backend_registered" {
			t.Errorf("register answers %v", got)
		}
	})
	if _, err := os.Stat(database); err != nil {
		t.Error(err)
	}
	t.Run("second run", func(t *testing.T) {
		url := run(t, "store-path", database)
		if got := content(t, url, "registry_get", `["alpha"]`)["backend"]; got == nil {
			t.Error("what was registered is gone")
		}
	})
}
