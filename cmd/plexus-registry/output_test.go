// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// pipe returns a pipe that is closed when the test ends.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// fill writes to a pipe until there is no room.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for chunk := make([]byte, 4096); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// logMuch makes calls that are logged, much more than a pipe and a queue hold.
func logMuch(t *testing.T, url string) {
	t.Helper()
	conn := testkit.Dial(t, url)
	name := strings.Repeat("n", 250)
	const calls = 4000
	go func() {
		for range calls {
			if conn.WriteJSON(callFrame(1, "registry.delete", object{"name": name})) != nil {
				return
			}
		}
	}()
	for done := 0; done < calls; {
		if conn.Next().Params.Result.Type == "done" {
			done++
		}
	}
}

// Whatever becomes of the log, the registry serves, stores and stops.
func TestNothingWaitsForTheLogOrDiesOfIt(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, cmd *exec.Cmd) (started func()){
		// As with 2>&1 | head -1.
		"a pipe that is closed": func(t *testing.T, cmd *exec.Cmd) func() {
			r, w := pipe(t)
			cmd.Stderr = w
			return func() { r.Close() }
		},
		"a pipe that nobody reads": func(t *testing.T, cmd *exec.Cmd) func() {
			_, cmd.Stderr = pipe(t)
			return func() {}
		},
		"a pipe that is full from the start": func(t *testing.T, cmd *exec.Cmd) func() {
			_, w := pipe(t)
			fill(t, w)
			cmd.Stderr = w
			return func() {}
		},
		"a full disk": func(t *testing.T, cmd *exec.Cmd) func() {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() { full.Close() })
			cmd.Stderr = full
			return func() {}
		},
		"no file":             shell(`exec "$0" 2>&-`),
		"a file that is full": shell(`ulimit -f 8192; (head -c 64M /dev/zero >"$HOME/log") 2>/dev/null; exec "$0" 2>>"$HOME/log"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := command(dir)
			started := prepare(t, cmd)
			p := start(t, cmd)
			started()
			c := connect(t, p.url)
			c.register(t, object{"name": "before", "host": "h", "port": 1})
			logMuch(t, p.url)
			c.register(t, object{"name": "after", "host": "h", "port": 1})
			counters, _ := c.want(t, "status", "registry.status", nil)["counters"].(object)
			if dropped, _ := counters["log_dropped"].(float64); dropped < 100 && name != "no file" {
				t.Errorf("status counts %v dropped lines", counters["log_dropped"])
			}
			begin := time.Now()
			p.stop(t)
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("the stop took %v", took)
			}
			if lost := missing(list(t, start(t, command(dir)).url), []string{"before", "after"}); len(lost) > 0 {
				t.Errorf("lost: %v", lost)
			}
		})
	}
}

// shell has a script start the registry, which is its $0.
func shell(script string) func(t *testing.T, cmd *exec.Cmd) func() {
	return func(t *testing.T, cmd *exec.Cmd) func() {
		cmd.Args = append([]string{"sh", "-c", script, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = testkit.Tool(t, "sh")
		cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"))
		return func() {}
	}
}

func TestWhatWasDroppedOfTheLogIsTold(t *testing.T) {
	t.Parallel()
	cmd := command(t.TempDir())
	r, w := pipe(t)
	cmd.Stderr = w
	p := start(t, cmd)
	w.Close() // the registry has it alone
	logMuch(t, p.url)
	var log testkit.Log
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(&log, r)
		read <- err
	}()
	testkit.Eventually(t, "the log tells what was dropped", func() bool { return log.Count("lines of the log were dropped") == 1 })
	logged := log.Count(`"audit"`)
	connect(t, p.url).register(t, object{"name": "x", "host": "h", "port": 1})
	testkit.Eventually(t, "the log goes on", func() bool { return log.Count(`"audit"`) == logged+1 })
	p.stop(t)
	if err := <-read; err != nil || log.Count(`"stopped"`) != 1 {
		t.Errorf("%v, and the log has no end:\n%.2000s", err, log.String())
	}
	for _, record := range (&process{stderr: &log}).log(t) { // all of it is whole lines
		if record["msg"] == "lines of the log were dropped: they could not be written" && record["lines"] != float64(4000-logged) {
			t.Errorf("%v, but %d of 4000 calls are in the log", record, logged)
		}
	}
}

// The address is for whoever waits for it: nobody has to.
func TestNothingWaitsForStandardOutputOrDiesOfIt(t *testing.T) {
	t.Parallel()
	full, w := pipe(t)
	fill(t, w)
	gone, closed := pipe(t)
	gone.Close()
	_ = full
	for name, stdout := range map[string]*os.File{"a pipe that is full": w, "a pipe that is closed": closed} {
		held := testkit.Listen(t)
		address := held.Addr().String()
		held.Close()
		cmd := command(t.TempDir(), "--port", address[strings.LastIndexByte(address, ':')+1:])
		log := new(testkit.Log)
		cmd.Stdout, cmd.Stderr = stdout, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		t.Cleanup(func() { cmd.Process.Kill() })
		testkit.Eventually(t, name+": it serves", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err == nil && log.Count(`"serving"`) == 1
		})
		connect(t, "ws://"+address).register(t, object{"name": "x", "host": "h", "port": 1})
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-exited:
			if err != nil {
				t.Errorf("%s: exited with %v\n%s", name, err, log)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: it does not stop\n%s", name, log)
		}
	}
}

// What a program says at its end holds nobody up either.
func TestAnErrorThatNobodyReadsIsDropped(t *testing.T) {
	t.Parallel()
	_, w := pipe(t)
	fill(t, w)
	for _, args := range [][]string{{"--port=x"}, {"--nonsense"}, {"token", "new"}} {
		cmd := command(t.TempDir(), args...)
		cmd.Stderr = w
		begin := time.Now()
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != misused || time.Since(begin) > 5*time.Second {
			t.Errorf("%v: %v after %v", args, err, time.Since(begin))
		}
	}
}

// A first line that is read, as a script does, is whole, though the rest is not.
func TestHeadOfTheOutput(t *testing.T) {
	t.Parallel()
	cmd := command(t.TempDir())
	r, w := pipe(t)
	cmd.Stdout, cmd.Stderr = w, w // 2>&1 | head -1
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewReader(r)
	url := ""
	for !strings.HasPrefix(url, "ws://") {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		url = strings.TrimSpace(line)
	}
	r.Close()
	c := connect(t, url)
	for i := range 3 {
		c.register(t, object{"name": fmt.Sprint("x", i), "host": "h", "port": 1})
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("exited with %v", err)
	}
}
