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

// value makes of text what the node accepts: JSON is read as the schema says,
// so that "1" may be a number or a text.
func (n node) value(name, text string) (any, error) {
	r := n.rules()
	for _, value := range r.values {
		if valueText(value) == text {
			return value, nil
		}
	}
	value, err := parse([]byte(text))
	if _, isText := value.(string); err != nil || isText && !r.anything {
		value = text
	}
	if err = n.check(name, value); err != nil && r.has(textKind) {
		value = text
		err = n.check(name, text)
	}
	return value, err
}

// elements makes of text what it adds to a list: an element, or all those of a
// list in JSON.
func (n node) elements(name, text string) ([]any, error) {
	item := n.rules().item
	whole, err := parse([]byte(text))
	if list, ok := whole.([]any); ok && err == nil && !item.rules().has(listKind) {
		return list, n.check(name, list)
	}
	value, err := item.value(name, text)
	return []any{value}, err
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
	r := n.rules()
	if r.anything || depth == 0 {
		return nil
	}
	ok := r.has(kindsOf(value)) || slices.ContainsFunc(r.values, func(v any) bool { return valueText(v) == valueText(value) })
	switch v := value.(type) {
	case json.Number:
		ok = ok && (r.values != nil || r.within(number(v)))
	case string:
		ok = ok && (r.format != "duration" || isDuration(v))
	}
	if !ok {
		text := valueText(value)
		return usagef("invalid value for %s: %s (must be %s)", name, quoted(text), r.mustBe()).
			withHint(didYouMean(text, valueTexts(r.values)))
	}
	switch v := value.(type) {
	case []any:
		for i, element := range v {
			if err := r.item.checkWithin(fmt.Sprintf("%s[%d]", name, i), element, depth-1); err != nil {
				return err
			}
		}
	case *object:
		for _, p := range r.properties {
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
	return nil
}

// within reports whether a number is within the bounds.
func (r rules) within(n *big.Float) bool {
	return n != nil && (r.low == nil || n.Cmp(r.low) >= 0) && (r.high == nil || n.Cmp(r.high) <= 0)
}

// isoDuration is about what ISO 8601 allows: hubs differ in what they take.
var isoDuration = regexp.MustCompile(`^[+-]?P(?:\d+(?:[.,]\d+)?[YMWD])*(?:T(?:\d+(?:[.,]\d+)?[HMS])+)?$`)

// isDuration reports whether a text is a duration of Go, or of ISO 8601.
func isDuration(text string) bool {
	_, err := time.ParseDuration(text)
	return err == nil || isoDuration.MatchString(text) && strings.ContainsAny(text, "0123456789")
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
