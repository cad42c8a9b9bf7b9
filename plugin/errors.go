// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"bytes"
	"errors"
	"fmt"
)

// Codes of errors as they appear on the wire: those of JSON-RPC, then those
// of the Plexus protocol.
const (
	CodeParseError     = -32700 // not JSON
	CodeInvalidRequest = -32600 // JSON, but not a request
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603

	CodeFailure         = -32000 // a method failed
	CodeUnauthenticated = -32001 // who is calling?
	CodeForbidden       = -32003 // the caller may not
	CodeTooLarge        = -32007 // the message is over the limit
	CodeTooMany         = -32029 // too many calls at once
)

// Error is a failure that the caller is told about.
type Error struct {
	// Code is one of the codes above or the activation's own; 0 means
	// CodeFailure.
	Code int
	// Message is for the caller's eyes: it must hold no secret. An empty one
	// is sent as "the method failed".
	Message string
	// Recoverable tells that the stream goes on after it; any other error
	// ends the stream.
	Recoverable bool
	// Data is more that the caller can make use of: anything that AppendJSON
	// takes; nil for nothing.
	Data any
	// Err is the cause, for the log only; nil for none.
	Err error
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

func (e *Error) Error() string {
	if e.Message == "" {
		return "the method failed"
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ParamsError tells what is wrong with the parameters of a call. Its code is
// CodeInvalidParams.
type ParamsError struct {
	// Missing is the parameter that was not given; empty where something
	// else is wrong.
	Missing string
	// Reason is what else is wrong.
	Reason string
	// Offset is how many bytes of the parameters, or of Text, had been read
	// when it was found; 0 where that is not known.
	Offset int
	// Text is the one parameter that was looked at, where the parameters were
	// given by position and so were read one by one; else nil.
	Text []byte
}

var _ error = (*ParamsError)(nil)

// Error words the failure as a stream item shows it.
func (e *ParamsError) Error() string {
	if e.Missing != "" {
		return "Invalid params: missing field: " + e.Missing
	}
	return "Invalid params: " + e.Reason
}

// Detail words the failure as the data of a JSON-RPC error shows it, with its
// place in params, or in Text, where that is known.
func (e *ParamsError) Detail(params []byte) string {
	reason := e.Reason
	if e.Missing != "" {
		reason = "missing field `" + e.Missing + "`"
	}
	if e.Text != nil {
		params = e.Text
	}
	if e.Offset <= 0 || e.Offset > len(params) {
		return reason
	}
	before := params[:e.Offset]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1)
	return fmt.Sprintf("%s at line %d column %d", reason, line, column)
}
