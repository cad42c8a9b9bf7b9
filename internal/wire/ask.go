// SPDX-License-Identifier: AGPL-3.0-only

package wire

import "strconv"

// InfoMethod is what a client asks a hub first: its name.
const InfoMethod = "_info"

// AppendRequest appends a request for a top-level method. params is JSON text,
// nil for none.
func AppendRequest(dst []byte, id int64, method string, params []byte) []byte {
	dst = appendParams(appendRequest(dst, id, method), params)
	return append(dst, '}')
}

// AppendCall appends the request for a method of an activation
// ("registry.list") through the call of the hub of that name. params is JSON
// text, nil for none.
func AppendCall(dst []byte, id int64, hub, method string, params []byte) []byte {
	dst = appendRequest(dst, id, hub+".call")
	dst = append(dst, `,"params":{"method":`...)
	dst = appendParams(appendString(dst, method), params)
	return append(dst, "}}"...)
}

// AppendUnsubscribe appends the request to end a stream that method began;
// subscription is JSON text.
func AppendUnsubscribe(dst []byte, id int64, method string, subscription []byte) []byte {
	dst = appendRequest(dst, id, method+unsubSuffix)
	dst = append(dst, `,"params":[`...)
	dst = append(dst, subscription...)
	return append(dst, "]}"...)
}

// AppendRespond appends the answer to a question that a method of the hub of
// that name asked; data is JSON text.
func AppendRespond(dst []byte, id int64, hub, requestID string, data []byte) []byte {
	dst = appendRequest(dst, id, hub+".respond")
	dst = append(dst, `,"params":{"request_id":`...)
	dst = appendString(dst, requestID)
	dst = append(dst, `,"response_data":`...)
	dst = append(dst, data...)
	return append(dst, "}}"...)
}

func appendRequest(dst []byte, id int64, method string) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = strconv.AppendInt(dst, id, 10)
	return appendMember(dst, "method", method)
}

func appendParams(dst, params []byte) []byte {
	if params == nil {
		return dst
	}
	dst = append(dst, `,"params":`...)
	return append(dst, params...)
}
