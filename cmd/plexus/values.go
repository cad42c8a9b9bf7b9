// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxFileBytes bounds what a file may add to a call: hubs take no longer
// message.
const maxFileBytes = 10 << 20

// invalid is the error of a value that the node does not accept.
func (n node) invalid(name, value string) *usageError {
	return usagef("invalid value for %s: %s (must be %s)", name, quoted(value), n.mustBe()).
		withHint(didYouMean(value, valueTexts(n.accepts().values)))
}

// value makes of text what the node accepts: JSON is read as the schema says,
// so that "1" may be a number or a text.
func (n node) value(name, text string) (any, error) {
	a := n.accepts()
	for _, value := range a.values {
		if valueText(value) == text {
			return value, nil
		}
	}
	parsed, err := parse([]byte(text))
	if _, isText := parsed.(string); err == nil && (!isText || a.anything) {
		if err = n.check(name, parsed); err == nil {
			return parsed, nil
		}
	} else {
		err = n.check(name, text)
	}
	if a.anything || a.has(textKind) {
		return text, n.check(name, text)
	}
	return nil, err
}

// quoted is text for a message, shortened.
func quoted(text string) string {
	const maxRunes = 60
	if runes := []rune(text); len(runes) > maxRunes {
		text = string(runes[:maxRunes]) + "…"
	}
	return `"` + text + `"`
}

// check reports what is wrong with a value, as parse returns it. What a hub
// would be likely to take, such as properties that are not listed, passes.
func (n node) check(name string, value any) error { return n.checkWithin(name, value, 64) }

func (n node) checkWithin(name string, value any, depth int) error {
	a := n.accepts()
	if a.anything || depth == 0 {
		return nil
	}
	if a.values != nil {
		if value == nil && a.has(nullKind) || slices.ContainsFunc(a.values, func(v any) bool { return valueText(v) == valueText(value) }) {
			return nil
		}
		return n.invalid(name, valueText(value))
	}
	ok := false
	switch v := value.(type) {
	case nil:
		ok = a.has(nullKind)
	case bool:
		ok = a.has(booleanKind)
	case json.Number:
		ok = n.checkNumber(v, a)
	case string:
		ok = a.has(textKind) && (n.format() != "duration" || isDuration(v))
	case []any:
		if ok = a.has(listKind); ok {
			for i, element := range v {
				if err := n.item().checkWithin(fmt.Sprintf("%s[%d]", name, i), element, depth-1); err != nil {
					return err
				}
			}
		}
	case *object:
		if ok = a.has(objectKind); ok {
			for _, p := range n.properties() {
				inner, given := v.values[p.name]
				if !given && p.required {
					return usagef("%s has no %s", name, p.name)
				}
				if given {
					if err := p.checkWithin(name+"."+p.name, inner, depth-1); err != nil {
						return err
					}
				}
			}
		}
	}
	if !ok {
		return n.invalid(name, valueText(value))
	}
	return nil
}

// maxDigits bounds the numbers that are compared with their bounds: an
// exponent may make one larger than the memory.
const maxDigits = 400

// checkNumber reports whether a number is of a kind, and within the bounds.
func (n node) checkNumber(value json.Number, a accepted) bool {
	f, err := value.Float64()
	if err != nil || len(value) > maxDigits || !a.has(integerKind|numberKind) {
		return false
	}
	exact := new(big.Rat).SetFloat64(f)
	if whole, ok := new(big.Int).SetString(value.String(), 10); ok {
		exact.SetInt(whole)
	} else if !a.has(numberKind) {
		return false
	}
	low, high := n.bounds()
	return (low == nil || exact.Cmp(new(big.Rat).SetFloat64(*low)) >= 0) && (high == nil || exact.Cmp(new(big.Rat).SetFloat64(*high)) <= 0)
}

// format is that of a text, as far as it is known here: "duration" or
// "date-time"; empty for any other.
func (n node) format() string {
	n = n.resolved()
	format := n.at.text("format")
	if alternatives := n.alternatives(); len(alternatives) > 0 {
		texts := 0
		for _, alternative := range alternatives {
			if other := alternative.resolved(); other.at != nil && other.accepts().has(textKind) {
				texts++
				format = other.at.text("format")
			}
		}
		if texts != 1 {
			return ""
		}
	}
	if _, known := formatNames[format]; !known {
		return ""
	}
	return format
}

// isoDuration is about what ISO 8601 allows: hubs differ in what they take.
const isoDuration = `^[+-]?P(?:\d+(?:[.,]\d+)?[YMWD])*(?:T(?:\d+(?:[.,]\d+)?[HMS])+)?$`

// isDuration reports whether a text is a duration of Go, or of ISO 8601.
func isDuration(text string) bool {
	if _, err := time.ParseDuration(text); err == nil {
		return true
	}
	iso, err := regexp.MatchString(isoDuration, text)
	return err == nil && iso && strings.ContainsAny(text, "0123456789")
}

// content resolves a value that is in a file: @FILE, or @- for standard
// input. "@@" stands for "@" itself.
func content(ctx context.Context, value string, stdin io.Reader) (string, error) {
	name, ok := strings.CutPrefix(value, "@")
	if !ok || strings.HasPrefix(name, "@") {
		return name, nil
	}
	var text string
	var err error
	read := make(chan struct{})
	// Nothing ends a read from a terminal or a pipe for certain, so where ctx
	// is done first, this goroutine ends with the process.
	go func() {
		defer close(read)
		text, err = contentOf(name, stdin)
	}()
	select {
	case <-read:
		return text, err
	case <-ctx.Done():
		return "", fmt.Errorf("reading %s timed out", value)
	}
}

func contentOf(name string, stdin io.Reader) (string, error) {
	from := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return "", usagef("%v", err).withHint("A value that begins with @ is read from a file; @@ stands for @ itself.")
		}
		defer file.Close()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxFileBytes+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading @%s: %w", name, err)
	case len(text) > maxFileBytes:
		return "", usagef("@%s is longer than %d bytes", name, maxFileBytes)
	}
	return string(text), nil
}
