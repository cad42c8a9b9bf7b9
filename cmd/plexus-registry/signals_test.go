// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestSignalsWhileItStarts sends signals to a registry that waits for the end of a
// save: a hangup is kept until there is something to reload, a stop ends the start.
func TestSignalsWhileItStarts(t *testing.T) {
	for name, signals := range map[string][]syscall.Signal{
		"hangup":           {syscall.SIGHUP},
		"hangups":          {syscall.SIGHUP, syscall.SIGHUP, syscall.SIGHUP},
		"pipe":             {syscall.SIGPIPE},
		"stop":             {syscall.SIGTERM},
		"interrupt":        {syscall.SIGINT},
		"hangup, then end": {syscall.SIGHUP, syscall.SIGTERM, syscall.SIGHUP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "plexus", "backends.toml")
			half := "[[backend]]\nname = \"a"
			writeFile(t, path, half)
			held := testkit.Listen(t)
			address := held.Addr().String()
			held.Close()
			cmd := command(dir, "--port", address[strings.LastIndexByte(address, ':')+1:])
			log := new(testkit.Log)
			cmd.Stderr = log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			exited := make(chan error, 1)
			go func() { exited <- cmd.Wait() }()
			t.Cleanup(func() { cmd.Process.Kill() })
			testkit.Eventually(t, "it listens", func() bool {
				half += "a"
				writeFile(t, path, half)
				conn, err := net.Dial("tcp", address)
				if err == nil {
					conn.Close()
				}
				return err == nil
			})
			ends := false
			for _, signal := range signals {
				cmd.Process.Signal(signal)
				ends = ends || signal == syscall.SIGTERM || signal == syscall.SIGINT
				time.Sleep(20 * time.Millisecond) // or they are one
			}
			if !ends {
				writeFile(t, path, entryText("a", 1))
				testkit.Eventually(t, "it serves", func() bool { return log.Count(`"serving"`) == 1 })
				if signals[0] == syscall.SIGHUP {
					testkit.Eventually(t, "it reloads once", func() bool { return log.Count("reloaded at a hangup") == 1 })
				}
				cmd.Process.Signal(syscall.SIGTERM)
			}
			select {
			case err := <-exited:
				if err != nil || strings.Contains(log.String(), "plexus-registry: ") {
					t.Errorf("exited with %v\n%s", err, log)
				}
			case <-time.After(5 * time.Second):
				t.Errorf("it does not stop\n%s", log)
			}
		})
	}
}

// TestHangupsDoNotBreakAStop sends hangups from the signal to stop until the end.
func TestHangupsDoNotBreakAStop(t *testing.T) {
	t.Parallel()
	p := startStalled(t)
	p.signal(t, syscall.SIGTERM)
	for end := time.Now().Add(testkit.Patience); p.cmd.Process.Signal(syscall.SIGHUP) == nil && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	// Where connections were cut off the status is 1.
	err := p.wait(t)
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		t.Errorf("exited with %v\n%s", err, p.stderr)
	}
	if p.stderr.Count(`"stopped"`) != 1 {
		t.Errorf("it has not stopped:\n%s", p.stderr)
	}
}

// TestHangupsAllTheTime sends hangups from the first thing that can be seen of a
// registry until it has ended, and has it stop meanwhile.
func TestHangupsAllTheTime(t *testing.T) {
	t.Parallel()
	p := start(t, command(t.TempDir()))
	connect(t, p.url).register(t, object{"name": "x", "host": "h", "port": 1})
	stop := time.Now().Add(100 * time.Millisecond)
	for p.cmd.Process.Signal(syscall.SIGHUP) == nil {
		time.Sleep(time.Millisecond)
		if !stop.IsZero() && time.Now().After(stop) {
			p.signal(t, syscall.SIGTERM)
			stop = time.Time{}
		}
	}
	if err := p.wait(t); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("exited with %v\n%s", err, p.stderr)
	}
}
