// SPDX-License-Identifier: AGPL-3.0-only

package codec

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// marshalDuration writes the form that schemas promise, that of ISO 8601:
// "PT1M30S". Days and more are hours: not every day is as long as another.
func marshalDuration(enc *jsontext.Encoder, d time.Duration) error {
	return enc.WriteToken(jsontext.String(isoDuration(d)))
}

func isoDuration(d time.Duration) string {
	text, ns := "PT", uint64(d)
	if d < 0 {
		text, ns = "-PT", -ns // of the smallest Duration, too
	}
	if h := ns / 3600e9; h > 0 {
		text += fmt.Sprint(h, "H")
	}
	if m := ns / 60e9 % 60; m > 0 {
		text += fmt.Sprint(m, "M")
	}
	if s := ns % 60e9; s > 0 || d == 0 {
		text += strings.TrimRight(strings.TrimRight(fmt.Sprintf("%d.%09d", s/1e9, s%1e9), "0"), ".") + "S"
	}
	return text
}

// unmarshalDuration reads the form of ISO 8601, and that of Go, "1m30s", which
// people prefer to write.
func unmarshalDuration(dec *jsontext.Decoder, d *time.Duration) error {
	text, err := dec.ReadValue()
	if err != nil {
		return err
	}
	wrong := &valueError{reason: mismatch(reflect.TypeFor[time.Duration](), text)}
	var s string
	if text.Kind() != '"' || json.Unmarshal(text, &s) != nil {
		return wrong
	}
	parsed, err := time.ParseDuration(s)
	if err != nil {
		if parsed, err = parseISODuration(s); err != nil {
			return wrong
		}
	}
	*d = parsed
	return nil
}

// isoForm has neither years nor months, which have no length of their own.
var isoForm = regexp.MustCompile(`^(-?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+H)?(\d+M)?(\d+(?:\.\d+)?S)?))?$`)

func parseISODuration(s string) (time.Duration, error) {
	parts := isoForm.FindStringSubmatch(s)
	if parts == nil || strings.HasSuffix(s, "T") {
		return 0, strconv.ErrSyntax
	}
	asGo := parts[1]
	for i, hours := range []uint64{7 * 24, 24} {
		if parts[2+i] != "" {
			n, err := strconv.ParseUint(parts[2+i], 10, 32)
			if err != nil {
				return 0, err
			}
			asGo += strconv.FormatUint(n*hours, 10) + "h"
		}
	}
	return time.ParseDuration(asGo + strings.ToLower(strings.Join(parts[4:], "")))
}
