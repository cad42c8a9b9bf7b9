// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/plexus-go/plexus/internal/codec"
)

// Codes of errors as they appear on the wire: those of JSON-RPC, then those
// of the Plexus protocol.
const (
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603

	CodeFailure         = -32000 // a method failed
	CodeUnauthenticated = -32001 // the caller has not proved a name
	CodeForbidden       = -32003 // the caller may not
	CodeTooLarge        = -32007 // the message is over the limit
	CodeTooMany         = -32029 // too many calls at once
)

// Error is a failure that the caller may read about.
type Error struct {
	// Code is one of the codes above or the activation's own; 0 means
	// CodeFailure.
	Code int
	// Message is sent to the caller: it must hold no secret. An empty one is
	// sent as "the method failed".
	Message string
	// Recoverable says that the stream goes on after it; any other error ends
	// the stream.
	Recoverable bool
	// Data is more for the caller, encoded as JSON; nil for nothing. Data with a
	// method ErrorKind() string is an object whose members are sent beside the
	// message, together with that kind as error_kind.
	Data any
	// Err is the cause, for the log only; nil for none.
	Err error

	detail string
}

var _ error = (*Error)(nil)

// Errorf makes an [Error] with a code, whose message the caller will read.
// Errors among args that are formatted with %w are kept as its cause.
func Errorf(code int, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		e.Err = errors.Join(many.Unwrap()...)
	}
	return e
}

// InvalidParams makes an [Error] that says what is wrong with the parameters
// of a call.
func InvalidParams(reason string) *Error {
	return invalidParams(&codec.Invalid{Reason: reason, Detail: reason})
}

func invalidParams(bad *codec.Invalid) *Error {
	return &Error{Code: CodeInvalidParams, Message: "Invalid params: " + bad.Reason, detail: bad.Detail}
}

func (e *Error) Error() string {
	if e.Message == "" {
		return "the method failed"
	}
	return e.Message
}

// ErrorCode returns Code, or CodeFailure where it is 0.
func (e *Error) ErrorCode() int { return cmp.Or(e.Code, CodeFailure) }

// Detail returns what is wrong with the parameters and, if known, where:
// "missing field `name` at line 1 column 2". It is empty for errors that
// neither the decoding of parameters nor [InvalidParams] made.
func (e *Error) Detail() string { return e.detail }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
