// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// duration has the JSON form that schemas promise, that of ISO 8601: "PT1M30S".
type duration struct {
	D time.Duration `json:"d,format:iso8601"`
}

func marshalDuration(enc *jsontext.Encoder, d time.Duration) error {
	object, err := json.Marshal(duration{d})
	if err != nil {
		return err
	}
	return enc.WriteValue(object[len(`{"d":`) : len(object)-1])
}

// unmarshalDuration reads the form of ISO 8601, and that of Go, "1m30s", which
// people prefer to write.
func unmarshalDuration(dec *jsontext.Decoder, d *time.Duration) error {
	text, err := dec.ReadValue()
	if err != nil {
		return err
	}
	wrong := &valueError{mismatch(reflect.TypeFor[time.Duration](), text)}
	var s string
	if text.Kind() != '"' || json.Unmarshal(text, &s) != nil {
		return wrong
	}
	if parsed, err := time.ParseDuration(s); err == nil {
		*d = parsed
		return nil
	}
	var iso duration
	if err := json.Unmarshal(append(append([]byte(`{"d":`), text...), '}'), &iso); err != nil {
		return wrong
	}
	*d = iso.D
	return nil
}
