// SPDX-License-Identifier: AGPL-3.0-only

package wire

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/plexus-go/plexus/hub"
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
	dst = appendAnswer(dst, id)
	dst = append(dst, `"result":`...)
	dst = strconv.AppendInt(dst, subscription, 10)
	return append(dst, '}')
}

// AppendFault appends the answer to a request that failed; id is nil where
// none could be read.
func AppendFault(dst, id []byte, f *Fault) []byte {
	dst = appendAnswer(dst, id)
	dst = append(dst, `"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(f.Code), 10)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, f.Message)
	if f.Data != "" {
		dst = append(dst, `,"data":`...)
		dst = appendString(dst, f.Data)
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

// AppendNotification appends the frame that carries an item of a stream under
// the name method. It fails where the content can't be written as JSON; dst is
// then returned as it was.
func AppendNotification(dst []byte, method string, subscription int64, item *hub.Item) ([]byte, error) {
	out := append(dst, `{"jsonrpc":"2.0","method":`...)
	out = appendString(out, method)
	out = append(out, `,"params":{"subscription":`...)
	out = strconv.AppendInt(out, subscription, 10)
	out = append(out, `,"result":`...)
	out, err := appendItem(out, item)
	if err != nil {
		return dst, err
	}
	return append(out, "}}"...), nil
}

func appendItem(dst []byte, item *hub.Item) ([]byte, error) {
	switch item.Kind {
	case hub.Data:
		dst = append(dst, `{"type":"data","metadata":`...)
	case hub.Error:
		dst = append(dst, `{"type":"error","metadata":`...)
	case hub.Done:
		dst = append(dst, `{"type":"done","metadata":`...)
	}
	dst = appendMetadata(dst, &item.Metadata)
	switch item.Kind {
	case hub.Data:
		dst = append(dst, `,"content_type":`...)
		dst = appendString(dst, item.ContentType)
		dst = append(dst, `,"content":`...)
		var err error
		if inner, ok := item.Content.(*hub.Item); ok {
			dst, err = appendItem(dst, inner)
		} else {
			dst, err = plugin.AppendJSON(dst, item.Content)
		}
		if err != nil {
			return dst, err
		}
	case hub.Error:
		dst = append(dst, `,"message":`...)
		dst = appendString(dst, item.Message)
		if item.Code != 0 {
			// A string, as clients of other hubs know it.
			dst = append(dst, `,"code":"`...)
			dst = strconv.AppendInt(dst, int64(item.Code), 10)
			dst = append(dst, '"')
		}
		dst = append(dst, `,"recoverable":`...)
		dst = strconv.AppendBool(dst, item.Recoverable)
	}
	return append(dst, '}'), nil
}

func appendMetadata(dst []byte, m *hub.Metadata) []byte {
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

// appendString quotes s; what in it is not UTF-8 is replaced.
func appendString(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil && out == nil {
		return append(dst, `""`...)
	}
	return out
}
