// SPDX-License-Identifier: AGPL-3.0-only

// Package examples holds programs to copy; its test runs each of them.
package examples

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

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
	t.Parallel()
	mains, err := filepath.Glob("*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatal(mains, err)
	}
	for _, main := range mains {
		t.Run(filepath.Dir(main), func(t *testing.T) {
			t.Parallel()
			var args []string
			if filepath.Dir(main) == "store-path" {
				args = append(args, filepath.Join(t.TempDir(), "my.db"))
			}
			runUntil(t, syscall.SIGTERM, filepath.Join(binaries, filepath.Dir(main)), args...)
		})
	}
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
