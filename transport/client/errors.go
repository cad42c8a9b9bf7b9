// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// What can go wrong, to be matched with errors.Is. The types below carry the
// particulars, to be matched with errors.As.
var (
	// ErrRefused: the hub could not be reached, or did not let us in.
	ErrRefused = errors.New("refused")
	// ErrTimeout: the context's deadline passed. Such an error is a
	// context.DeadlineExceeded too.
	ErrTimeout = errors.New("timed out")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("the client is closed")
	// ErrLost: the connection was lost while a call was under way.
	ErrLost = errors.New("the connection was lost")
	// ErrProtocol: the hub sent what it must not.
	ErrProtocol = errors.New("protocol violation")
	// ErrSlow: a range took its items too slowly, see WithQueue.
	ErrSlow = errors.New("the items were taken too slowly")
	// ErrTooLarge: a message was over the limit, see WithMessageLimit.
	ErrTooLarge = errors.New("message is over the limit")
)

// Step is how far an attempt to connect came.
type Step string

// The steps, in their order.
const (
	StepURL     Step = "url"     // the address makes no sense
	StepConnect Step = "connect" // the host's name, TCP
	StepTLS     Step = "tls"
	StepUpgrade Step = "upgrade" // the proxy, if there is one, and HTTP
	StepInfo    Step = "_info"   // the hub's name
)

// DialError tells why there is no connection to a hub. It is ErrTimeout,
// ErrProtocol, context.Canceled, or else ErrRefused.
type DialError struct {
	URL    string // without its query, which may hold secrets
	Step   Step   // the one that failed
	Status int    // of the HTTP answer to the upgrade; 0 for none
	Err    error  // the cause
}

func (e *DialError) Error() string {
	return fmt.Sprintf("dial %s: %s: %v", e.URL, e.Step, e.Err)
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// Is tells that the error is ErrRefused, where it is nothing more precise.
func (e *DialError) Is(target error) bool {
	return target == ErrRefused &&
		!errors.Is(e.Err, ErrTimeout) && !errors.Is(e.Err, ErrProtocol) && !errors.Is(e.Err, context.Canceled)
}

// CallError tells why a call did not come to its end, though the hub did not
// say no. It is ErrTimeout, context.Canceled, ErrClosed, ErrLost, ErrSlow,
// ErrTooLarge or ErrProtocol.
type CallError struct {
	Method string
	// Sent tells that the hub may have begun the call. One that was not sent
	// has had no effect.
	Sent bool
	// Repeatable tells that the call may be made again without doing
	// anything twice: it was not sent, or is [Idempotent].
	Repeatable bool
	Err        error // the cause
}

func (e *CallError) Error() string {
	state := "not sent"
	if e.Sent {
		state = "sent"
	}
	return fmt.Sprintf("%s (%s): %v", e.Method, state, e.Err)
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// RPCError is an error that the hub answered a request with, before any
// stream began. The codes are in package plugin.
type RPCError struct {
	Method  string // the call's
	Code    int    // 0 where the hub sent none that is an integer
	Message string
	Data    json.RawMessage // nil for none
}

func (e *RPCError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Method, e.Message)
	if len(e.Data) > 0 && string(e.Data) != "null" {
		var text string
		if json.Unmarshal(e.Data, &text) != nil {
			text = string(e.Data)
		}
		fmt.Fprintf(&b, ": %s", text)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (%d)", e.Code)
	}
	return b.String()
}

// ErrorCode returns the code.
func (e *RPCError) ErrorCode() int { return e.Code }

// StreamError is an error item of a stream: the method failed, or, with the
// codes of package plugin, could not be called.
type StreamError struct {
	Method  string // the call's
	Code    string // "-32601", or whatever text the hub sent; empty for none
	Message string
	// Recoverable tells that the stream goes on: the range yields the error
	// and continues.
	Recoverable bool
	Metadata    Metadata
}

func (e *StreamError) Error() string {
	message := e.Message
	if message == "" {
		message = "the method failed"
	}
	if e.Code != "" {
		message += " (" + e.Code + ")"
	}
	return e.Method + ": " + message
}

// ErrorCode returns the code as an integer; 0 if it is none.
func (e *StreamError) ErrorCode() int {
	code, _ := strconv.Atoi(e.Code)
	return code
}

// protocolError is an ErrProtocol with its reason.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// contextError words why ctx is done: a deadline is ErrTimeout too.
func contextError(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return timeoutError{}
}

// timeoutError is ErrTimeout and context.DeadlineExceeded both.
type timeoutError struct{}

func (timeoutError) Error() string   { return ErrTimeout.Error() }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Unwrap() []error { return []error{ErrTimeout, context.DeadlineExceeded} }

// orContext returns why ctx is done, if it is, and else err. A deadline of a
// connection may be a moment ahead of the context's that it comes from.
func orContext(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	if _, ok := ctx.Deadline(); ok && errors.Is(err, os.ErrDeadlineExceeded) {
		return timeoutError{}
	}
	return err
}
