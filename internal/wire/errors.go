// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"errors"
	"fmt"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/plugin"
)

// The errors that carry no data. They are shared: don't change them.
var (
	ParseError     = NewError(jsonrpc2.CodeParseError, "Parse error", "")
	InvalidRequest = NewError(jsonrpc2.CodeInvalidRequest, "Invalid request", "")
	MethodNotFound = NewError(plugin.CodeMethodNotFound, "Method not found", "")
	InternalError  = NewError(plugin.CodeInternal, "Internal error", "")
)

// NewError makes the error that a request is answered with. data says what
// exactly was wrong; "" is for nothing more to say.
func NewError(code int, message, data string) *jsonrpc2.Error {
	e := &jsonrpc2.Error{Code: int64(code), Message: message}
	if data != "" {
		e.Data = raw(appendString(nil, data))
	}
	return e
}

// InvalidParams is the error of parameters that can't be used.
func InvalidParams(data string) *jsonrpc2.Error {
	return NewError(plugin.CodeInvalidParams, "Invalid params", data)
}

// TooLarge is the error of a message over the limit of so many bytes.
func TooLarge(limit int64) *jsonrpc2.Error {
	return NewError(plugin.CodeTooLarge, "Request is too big", fmt.Sprintf("Exceeded max limit of %d", limit))
}

// ErrorOf is how an error of the hub answers a request; nil for nil.
func ErrorOf(err error) *jsonrpc2.Error {
	if err == nil {
		return nil
	}
	coded, ok := errors.AsType[*plugin.Error](err)
	switch {
	case !ok || coded.Code == 0:
		return InternalError
	case coded.Detail() != "":
		return InvalidParams(coded.Detail())
	default:
		data, _ := coded.Data.(string)
		return NewError(coded.Code, coded.Error(), data)
	}
}
