// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// TestErrorTexts: an error says what was being done, and what went wrong.
func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"dial ws://h:1: tls: bad certificate":               &client.DialError{URL: "ws://h:1", Step: client.StepTLS, Err: errors.New("bad certificate")},
		"registry.list (sent): the connection was lost":     &client.CallError{Method: "registry.list", Sent: true, Err: client.ErrLost},
		"registry.list (not sent): the client is closed":    &client.CallError{Method: "registry.list", Err: client.ErrClosed},
		"_info: who are you? (-32001)":                      &client.Error{Method: "_info", Code: "-32001", Message: "who are you?"},
		"x.y: Invalid params: missing field (-32602)":       &client.Error{Method: "x.y", Code: "-32602", Message: "Invalid params", Data: json.RawMessage(`"missing field"`)},
		`x.y: Invalid params: {"at":1} (-32602)`:            &client.Error{Method: "x.y", Code: "-32602", Message: "Invalid params", Data: json.RawMessage(`{"at":1}`)},
		"x.y: no":                                           &client.Error{Method: "x.y", Message: "no", Data: json.RawMessage("null")},
		"registry.x: Method not found: registry.x (-32601)": &client.Error{Method: "registry.x", Code: "-32601", Message: "Method not found: registry.x"},
		"x.y: the method failed":                            &client.Error{Method: "x.y"},
		"x.y: out of paper (PAPER)":                         &client.Error{Method: "x.y", Code: "PAPER", Message: "out of paper"},
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
	if code := (&client.Error{Code: "PAPER"}).ErrorCode(); code != 0 {
		t.Errorf("got the code %d", code)
	}
	var item plugin.Item
	if err := item.Decode(new(int)); err == nil {
		t.Error("an item of no type was decoded")
	}
}
