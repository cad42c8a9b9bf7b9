// SPDX-License-Identifier: AGPL-3.0-only

package testkit

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

// Patience is how long a test waits for what must happen.
const Patience = 30 * time.Second

// Context is a context that ends with Patience, or with the test.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Eventually waits until the condition holds. It fails the test, with all
// stacks, when it does not within Patience; what says what was waited for.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s\n%s", Patience, what, stacks())
		}
	}
}

// Within is Eventually with a limit from a moment on. It returns how long after that
// the condition held. Time in which nobody let this process run does not count.
func Within(t testing.TB, from time.Time, limit time.Duration, what string, condition func() bool) time.Duration {
	t.Helper()
	const tick = 10 * time.Millisecond
	var stalled time.Duration
	for !condition() {
		if time.Since(from) > limit+stalled {
			t.Fatalf("not within %v (and %v): %s", limit, stalled, what)
		}
		slept := time.Now()
		time.Sleep(tick)
		stalled += max(0, time.Since(slept)-2*tick)
	}
	return time.Since(from)
}

// Listen listens on a free port of 127.0.0.1 until the test ends.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Main runs the tests of a package, and returns the status to exit with: 1 also
// where goroutines are left with one of the functions on their stack.
func Main(m *testing.M, functions ...string) (status int) {
	status = m.Run()
	if left := Goroutines(functions...); status == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines are left:\n%s\n", left)
		return 1
	}
	return status
}

// Goroutines waits until no goroutine has one of the functions on its stack,
// and returns the stacks of those that are left after Patience; "" for none.
// A function is written as in a stack: "plexus/transport/client.".
func Goroutines(functions ...string) (left string) {
	for end := time.Now().Add(Patience); ; time.Sleep(2 * time.Millisecond) {
		left = ""
		for stack := range strings.SplitSeq(stacks(), "\n\n") {
			for _, function := range functions {
				if strings.Contains(stack, function) {
					left += stack + "\n\n"
					break
				}
			}
		}
		if left == "" || time.Now().After(end) {
			return left
		}
	}
}

func stacks() string {
	text := make([]byte, 4<<20)
	return string(text[:runtime.Stack(text, true)])
}

// Tool returns the path of a program that the test needs. Where it is missing,
// the test is skipped, but fails where the environment says CI=true.
func Tool(t testing.TB, name string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("CI has to install %s: %v", name, err)
	default:
		t.Skipf("there is no %s here: %v", name, err)
	}
	return path
}

// Instrumented reports whether the race detector is in the program: then calls
// allocate more, and stacks are larger.
func Instrumented() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
