// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"cmp"
	stdjson "encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// marshalNumber writes the number as it came, which its digits keep exact; the
// zero value is 0.
func marshalNumber(enc *jsontext.Encoder, n stdjson.Number) error {
	value := jsontext.Value(cmp.Or(string(n), "0"))
	if value.Kind() != '0' {
		return &valueError{reason: "invalid number " + strconv.Quote(Shorten(string(n)))}
	}
	return enc.WriteValue(value)
}

func unmarshalNumber(dec *jsontext.Decoder, n *stdjson.Number) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if value.Kind() != '0' {
		return &valueError{reason: mismatch(numberType, value)}
	}
	*n = stdjson.Number(value)
	return nil
}
