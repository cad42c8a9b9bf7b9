// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

var binary string

// TestMain builds the command once; the tests of this package run it as a
// user would. Where the tests look for data races, the command does too.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "plexus-registry")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		// Most of these tests wait for processes most of the time: more of them
		// may run at once than there are processors.
		flag.Parse()
		flag.Set("test.parallel", strconv.Itoa(max(8, runtime.GOMAXPROCS(0))))
		binary = filepath.Join(dir, "plexus-registry")
		build := []string{"build", "-ldflags=-s -w", "-o", binary}
		if raced() {
			build = append(build, "-race")
		}
		if out, err := exec.Command("go", append(build, ".")...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// raced reports whether the tests were built to find data races.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// process is a registry that runs.
type process struct {
	url    string // ws://127.0.0.1:port
	cmd    *exec.Cmd
	stderr *testkit.Log
	exited chan error // receives what Wait returned, once; then closed
}

// address is where the process listens.
func (p *process) address() string { return strings.TrimPrefix(p.url, "ws://") }

// command prepares the binary with its files in dir/plexus, a free port, and
// nothing else of the environment. What a test appends to Env counts.
func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env = []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "REGISTRY_PORT=0", "REGISTRY_AUTO_REGISTER=off", "REGISTRY_HEALTH_INTERVAL=0"}
	if raced() { // or it sleeps for a second before it exits
		cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	}
	return cmd
}

// start runs a registry until the test ends. It returns when clients can
// connect.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, stderr: new(testkit.Log), exited: make(chan error, 1)}
	if cmd.Stderr == nil {
		cmd.Stderr = p.stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-p.exited
		for _, bad := range []string{"DATA RACE", "panic: ", "fatal error: "} {
			if _, log, found := strings.Cut(p.stderr.String(), bad); found {
				t.Errorf("the registry wrote %s%.10000s", bad, log)
			}
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	go func() {
		io.Copy(io.Discard, stdout)
		p.exited <- cmd.Wait()
		close(p.exited)
	}()
	if err != nil {
		<-p.exited
		t.Fatalf("the registry did not start: %v\n%s", err, p.stderr)
	}
	p.url = strings.TrimSpace(line)
	return p
}

// stop ends the process as a service manager would.
func (p *process) stop(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if err := p.wait(t); err != nil {
		t.Fatalf("the registry exited with %v\n%s", err, p.stderr)
	}
}

func (p *process) signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// wait returns how the process exited.
func (p *process) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-p.exited:
		return err
	case <-time.After(testkit.Patience):
		t.Fatalf("the registry did not exit\n%s", p.stderr)
		return nil
	}
}

// log returns what the process has logged so far.
func (p *process) log(t testing.TB) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(p.stderr.String()) {
		if !strings.HasSuffix(line, "\n") {
			break // still being written
		}
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("a line of the log is not JSON: %v: %s", err, line)
		}
		lines = append(lines, record)
	}
	return lines
}

// outcome is what a process that ended left behind.
type outcome struct {
	status         int
	stdout, stderr string
}

// finish runs a command that must end by itself.
func finish(t testing.TB, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	overdue := time.AfterFunc(testkit.Patience, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if !overdue.Stop() {
		t.Fatalf("%v did not end\n%s", cmd.Args[1:], stderr.String())
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// writeFile writes a file and makes its directory.
func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
