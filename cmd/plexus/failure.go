// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf16"

	"github.com/plexus-go/plexus/transport/client"
)

// The exit statuses. One that ends by a signal is 128 and its number.
const (
	succeeded = 0
	failed    = 1
	misused   = 2
	bySignal  = 128
)

// usageError is a wrong usage: nothing was called.
type usageError struct {
	message string
	hint    string // further lines, or empty
	status  int    // 0 for misused
}

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) *usageError {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// withHint adds lines that say what could be done.
func (e *usageError) withHint(lines ...string) *usageError {
	for _, line := range lines {
		if line != "" {
			e.hint += line + "\n"
		}
	}
	return e
}

// errReported is a failure that has been reported already.
var errReported = errors.New("the error was reported")

// is reports whether err, or what it wraps, is a T.
func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// signalError is why a command ended that was interrupted.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return e.signal.String() }

// status reports err, where that is not done yet, and returns the exit status.
func status(ctx context.Context, err error, stderr io.Writer) int {
	var usage *usageError
	var interrupted *signalError
	switch {
	case err == nil:
		return succeeded
	case errors.As(context.Cause(ctx), &interrupted):
		number, _ := interrupted.signal.(syscall.Signal)
		return bySignal + int(number)
	case errors.Is(err, errReported):
		return failed
	case errors.As(err, &usage):
		printError(stderr, usage)
		fmt.Fprint(stderr, printable(usage.hint))
		return cmp.Or(usage.status, misused)
	case errors.Is(err, syscall.EPIPE):
		return succeeded // the reader of the pipe has enough
	}
	printError(stderr, err)
	return failed
}

// printError writes an error as one line.
func printError(stderr io.Writer, err error) {
	text := strings.Join(strings.Fields(explain(err)), " ")
	fmt.Fprintf(stderr, "plexus: %s\n", printable(text))
}

// explain words an error for somebody at a command line.
func explain(err error) string {
	var dial *client.DialError
	var call *client.CallError
	switch {
	case errors.As(err, &dial):
		text := strings.TrimSuffix(err.Error(), dial.Error())
		switch {
		case errors.Is(dial.Err, syscall.ECONNREFUSED):
			return text + "nothing listens at " + dial.URL
		case errors.Is(err, context.DeadlineExceeded):
			return fmt.Sprintf("%s%s did not answer in time (%s); plexus doctor URL looks closer", text, dial.URL, dial.Step)
		}
		return fmt.Sprintf("%s%s can't be used (%s): %v; plexus doctor URL looks closer", text, dial.URL, dial.Step, dial.Err)
	case errors.As(err, &call) && errors.Is(err, context.DeadlineExceeded):
		return call.Method + " did not answer in time"
	}
	return err.Error()
}

// printable makes text harmless to a terminal: what others send may hold
// sequences that move the cursor, marks that turn the writing around or can't
// be seen, or worse. Lines stay lines.
func printable(text string) string {
	harmful := func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != '\n' && r != '\t'
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\ufffd") { // a byte may be a control of its own
		if !harmful(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, "\\u%04x", unit) // as JSON has it
		}
	}
	return b.String()
}
