// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// What can go wrong, for errors.Is. The types below hold the details, for
// errors.As.
var (
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("the client is closed")
	// ErrLost: the connection was lost during a call.
	ErrLost = errors.New("the connection was lost")
	// ErrProtocol: the hub has violated the protocol.
	ErrProtocol = errors.New("protocol violation")
	// ErrSlow: a range took its items too slowly, see WithQueue.
	ErrSlow = errors.New("the items were taken too slowly")
	// ErrTooLarge: a message was over the limit, see WithMessageLimit.
	ErrTooLarge = errors.New("message is over the limit")
)

// Step is a step of connecting to a hub.
type Step string

// The steps, in their order.
const (
	StepURL     Step = "url"     // the address is invalid
	StepConnect Step = "connect" // the host's name, TCP
	StepTLS     Step = "tls"
	StepUpgrade Step = "upgrade" // the proxy, if there is one, and HTTP
	StepInfo    Step = "_info"   // the hub's name
)

// DialError says why there is no connection to a hub. A timeout is a
// context.DeadlineExceeded.
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

// CallError says why a call did not complete, though the hub did not refuse
// it. It wraps context.DeadlineExceeded, context.Canceled, ErrClosed, ErrLost,
// ErrSlow, ErrTooLarge or ErrProtocol.
type CallError struct {
	Method string
	// Sent reports whether the hub may have begun the call. One that was not
	// sent has had no effect.
	Sent bool
	// Repeatable reports whether the call can be made again without doing
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

// Error is what the hub answered a call with: the method failed, or could not
// be called. The codes are in package plugin.
type Error struct {
	Method  string // the call's
	Code    string // "-32601", or whatever text the hub sent; empty for none
	Message string
	Data    json.RawMessage // details; nil for none
	// Recoverable reports whether the stream goes on: the range yields the
	// error and continues.
	Recoverable bool
	// Metadata is that of the error item; zero where the hub refused the
	// request before any stream began.
	Metadata plugin.Metadata
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Method, cmp.Or(e.Message, "the method failed"))
	if len(e.Data) > 0 && string(e.Data) != "null" {
		var text string
		if json.Unmarshal(e.Data, &text) != nil {
			text = string(e.Data)
		}
		fmt.Fprintf(&b, ": %s", text)
	}
	if e.Code != "" {
		fmt.Fprintf(&b, " (%s)", e.Code)
	}
	return b.String()
}

// ErrorCode returns the code as an integer; 0 if it is none.
func (e *Error) ErrorCode() int {
	code, _ := strconv.Atoi(e.Code)
	return code
}

// refusedError is the error that a request was answered with.
func refusedError(method string, e *jsonrpc2.Error) *Error {
	code := ""
	if e.Code != 0 {
		code = strconv.FormatInt(e.Code, 10)
	}
	return &Error{Method: method, Code: code, Message: e.Message, Data: bytes.Clone(wire.Text(e.Data))}
}

// streamError is the error of an error item.
func streamError(method string, i *plugin.Item) *Error {
	data, _ := i.Details.(json.RawMessage)
	return &Error{
		Method: method, Code: i.Code, Message: i.Message, Data: data,
		Recoverable: i.Recoverable, Metadata: i.Metadata,
	}
}

// protocolError is an ErrProtocol with its reason.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// contextError says why ctx is done.
func contextError(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return timeoutError{}
}

// timeoutError is a context.DeadlineExceeded in plainer words.
type timeoutError struct{}

func (timeoutError) Error() string { return "timed out" }
func (timeoutError) Timeout() bool { return true }
func (timeoutError) Unwrap() error { return context.DeadlineExceeded }

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
