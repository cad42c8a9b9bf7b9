// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"encoding/json"
	"testing"
)

func parseRequest(t testing.TB, text []byte) *request {
	r := &request{text: string(text)}
	var envelope struct {
		ID     int64
		Method string
		Params json.RawMessage
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		t.Errorf("the client sent %s: %v", text, err)
		return r
	}
	r.ID, r.Method = envelope.ID, envelope.Method
	_ = json.Unmarshal(envelope.Params, &r.Params) // an array, of an unsubscription
	return r
}
