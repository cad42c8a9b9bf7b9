// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// AppendResult appends the answer to the request id, whose result is JSON
// text.
func AppendResult(dst, id, result []byte) []byte {
	dst = appendAnswer(dst, id)
	dst = append(dst, `"result":`...)
	dst = append(dst, result...)
	return append(dst, '}')
}

// AppendSubscription appends the answer that a stream begins with.
func AppendSubscription(dst, id []byte, subscription int64) []byte {
	var digits [20]byte
	return AppendResult(dst, id, strconv.AppendInt(digits[:0], subscription, 10))
}

// AppendError appends the answer to a request that failed; id is nil where
// none could be read.
func AppendError(dst, id []byte, e *jsonrpc2.Error) []byte {
	dst = appendAnswer(dst, id)
	dst = append(dst, `"error":{"code":`...)
	dst = strconv.AppendInt(dst, e.Code, 10)
	dst = appendMember(dst, "message", e.Message)
	if e.Data != nil {
		dst = append(dst, `,"data":`...)
		dst = append(dst, *e.Data...)
	}
	return append(dst, "}}"...)
}

func appendAnswer(dst, id []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		dst = append(dst, "null"...)
	} else {
		dst = append(dst, id...)
	}
	return append(dst, ',')
}

// Responded is the result of an answer that was taken, as plain clients read
// it.
const Responded = `{"success":true}`

// AppendResponded appends what follows an answer that was taken. The command
// line client takes any result for the subscription of a stream, and waits for
// its done.
func AppendResponded(dst []byte, method, hash string, now time.Time) []byte {
	dst = append(dst, `{"jsonrpc":"2.0"`...)
	dst = appendMember(dst, "method", method)
	dst = append(dst, `,"params":{"subscription":`+Responded+`,"result":{"type":"done","metadata":`...)
	dst = appendMetadata(dst, &plugin.Metadata{Hash: hash, Timestamp: now.Unix()})
	return append(dst, "}}}"...)
}

// AppendItem appends the notification that carries an item of a stream under
// the name method. It fails where the content can't be written as JSON, and with
// a [*codec.SizeError] where its JSON has more than maxBytes; dst is then
// returned as it was.
func AppendItem(dst []byte, method string, subscription int64, item *plugin.Item, maxBytes int) ([]byte, error) {
	out := append(dst, `{"jsonrpc":"2.0"`...)
	out = appendMember(out, "method", method)
	out = append(out, `,"params":{"subscription":`...)
	out = strconv.AppendInt(out, subscription, 10)
	out = append(out, `,"result":`...)
	out, err := appendItem(out, item, maxBytes)
	if err != nil {
		return dst, err
	}
	return append(out, "}}"...), nil
}

func appendItem(dst []byte, item *plugin.Item, maxBytes int) ([]byte, error) {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, item.Kind...)
	dst = append(dst, `","metadata":`...)
	dst = appendMetadata(dst, &item.Metadata)
	var err error
	switch item.Kind {
	case plugin.KindData:
		dst = appendMember(dst, "content_type", item.ContentType)
		dst = append(dst, `,"content":`...)
		if inner, ok := item.Content.(*plugin.Item); ok {
			dst, err = appendItem(dst, inner, maxBytes)
		} else {
			dst, err = codec.AppendJSONWithin(dst, item.Content, maxBytes)
		}
	case plugin.KindProgress:
		dst = appendMember(dst, "message", item.Message)
		if item.Percentage >= 0 { // neither unknown nor NaN
			dst = append(dst, `,"percentage":`...)
			dst = strconv.AppendFloat(dst, item.Percentage, 'f', -1, 32)
		}
	case plugin.KindRequest:
		dst = appendQuestion(dst, item)
	case plugin.KindError:
		dst, err = appendFailure(dst, item, maxBytes)
	}
	return append(dst, '}'), err
}

// errorKinds are the kinds of errors, as the newest hubs name them, that a code
// tells. Details may name another: see plugin.Error.
var errorKinds = map[string]string{
	strconv.Itoa(plugin.CodeUnauthenticated): "unauthenticated",
	strconv.Itoa(plugin.CodeForbidden):       "forbidden",
	strconv.Itoa(plugin.CodeInvalidParams):   "invalid_params",
}

// appendFailure appends the members of an error. Details of a kind, an object,
// are flattened: their members stand beside the message.
func appendFailure(dst []byte, item *plugin.Item, maxBytes int) ([]byte, error) {
	dst = appendMember(dst, "message", item.Message)
	if item.Code != "" {
		dst = appendMember(dst, "code", item.Code)
	}
	kind := errorKinds[item.Code]
	typed, ofKind := item.Details.(interface{ ErrorKind() string })
	if ofKind {
		kind = typed.ErrorKind()
	}
	if kind != "" {
		dst = appendMember(dst, "error_kind", kind)
	}
	dst = append(dst, `,"recoverable":`...)
	dst = strconv.AppendBool(dst, item.Recoverable)
	if item.Details == nil {
		return dst, nil
	}
	if !ofKind {
		return codec.AppendJSONWithin(append(dst, `,"data":`...), item.Details, maxBytes)
	}
	begin := len(dst)
	dst, err := codec.AppendJSONWithin(dst, item.Details, maxBytes)
	if members := dst[begin:]; len(members) <= len("{}") {
		return dst[:begin], err
	}
	dst[begin] = ',' // in place of the braces
	return dst[:len(dst)-1], err
}

// appendQuestion appends the members of a request, as the newest hubs name
// them, and as the command line client does.
func appendQuestion(dst []byte, item *plugin.Item) []byte {
	for _, names := range [...][3]string{{"requestId", "requestData", "timeoutMs"}, {"request_id", "request", "timeout"}} {
		dst = appendMember(dst, names[0], item.RequestID)
		dst = append(dst, `,"`+names[1]+`":`...)
		dst = append(dst, item.Question...)
		dst = append(dst, `,"`+names[2]+`":`...)
		dst = strconv.AppendInt(dst, item.Timeout.Milliseconds(), 10)
	}
	return dst
}

func appendMetadata(dst []byte, m *plugin.Metadata) []byte {
	dst = append(dst, `{"provenance":[`...)
	for i, namespace := range m.Provenance {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, namespace)
	}
	dst = append(dst, `],"plexus_hash":"`...)
	dst = append(dst, m.Hash...)
	dst = append(dst, `","timestamp":`...)
	dst = strconv.AppendInt(dst, m.Timestamp, 10)
	return append(dst, '}')
}

// appendMember appends a member of an object, behind others.
func appendMember(dst []byte, name, value string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return appendString(dst, value)
}

// appendString quotes s; what in it is not UTF-8 is replaced.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
