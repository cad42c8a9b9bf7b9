// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// mostFile bounds what a file may add to a call: hubs take no longer message.
const mostFile = 10 << 20

// value makes of text what a parameter of that shape is: JSON is read as the
// shape says, so that "1" may be a number or a text.
func (s shape) value(name, text string) (any, error) {
	a := s.accepts()
	if a.null && text == "null" {
		return nil, nil
	}
	if a.values != nil {
		for _, value := range a.values {
			if valueText(value) == text {
				return value, nil
			}
		}
		return nil, a.notAmong(name, text)
	}
	parsed, err := parse([]byte(text))
	isJSON := err == nil
	if a.anything {
		if isJSON {
			return parsed, nil
		}
		return text, nil
	}
	switch parsed.(type) {
	case bool, json.Number:
		if err := s.check(name, parsed); err == nil || !a.text {
			return parsed, err
		}
	case []any, *object:
		if a.array || a.object {
			return parsed, s.check(name, parsed)
		}
	}
	if a.text {
		return text, s.check(name, text)
	}
	return nil, usagef("%s is %s, not %s", name, a.wanted(), quoted(text))
}

func (a accepted) notAmong(name, text string) *usageError {
	var values []string
	for _, value := range a.values {
		values = append(values, valueText(value))
	}
	return usagef("%s is %s, not %s", name, orList(values), quoted(text)).withHint(didYouMean(text, values))
}

// quoted is text for a message, shortened.
func quoted(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return `"` + text + `"`
}

// check tells whether a value, as parse returns it, has the shape. What a hub
// would be likely to take, such as properties that are not listed, passes.
func (s shape) check(name string, value any) error { return s.checkWithin(name, value, 64) }

func (s shape) checkWithin(name string, value any, depth int) error {
	a := s.accepts()
	if a.anything || depth == 0 {
		return nil
	}
	if a.values != nil {
		if value == nil && a.null || slices.ContainsFunc(a.values, func(v any) bool { return valueText(v) == valueText(value) }) {
			return nil
		}
		return a.notAmong(name, valueText(value))
	}
	ok := false
	switch v := value.(type) {
	case nil:
		ok = a.null
	case bool:
		ok = a.boolean
	case json.Number:
		return s.checkNumber(name, v, a)
	case string:
		if ok = a.text; ok {
			return checkFormat(name, v, s.format())
		}
	case []any:
		if ok = a.array; ok {
			for i, element := range v {
				if err := s.item().checkWithin(fmt.Sprintf("%s[%d]", name, i), element, depth-1); err != nil {
					return err
				}
			}
		}
	case *object:
		if ok = a.object; ok {
			for _, p := range s.properties() {
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
		return usagef("%s is %s, not %s", name, a.wanted(), quoted(valueText(value)))
	}
	return nil
}

// mostDigits bounds the numbers that are compared with their bounds: an
// exponent may make one larger than the memory.
const mostDigits = 400

func (s shape) checkNumber(name string, n json.Number, a accepted) error {
	wrong := func(rule string) error { return usagef("%s is %s, not %s", name, rule, quoted(n.String())) }
	if !a.integer && !a.number {
		return wrong(a.wanted())
	}
	f, err := n.Float64()
	if err != nil || len(n) > mostDigits {
		return wrong("a number that is not as large")
	}
	exact := new(big.Rat).SetFloat64(f)
	if whole, ok := new(big.Int).SetString(n.String(), 10); ok {
		exact.SetInt(whole)
	} else if !a.number {
		return wrong(a.wanted())
	}
	bounded := s.open(func(s *jsonschema.Schema) bool { return s.Minimum != nil || s.Maximum != nil })
	if bounded.at == nil {
		return nil
	}
	if least := bounded.at.Minimum; least != nil && exact.Cmp(new(big.Rat).SetFloat64(*least)) < 0 {
		return wrong(fmt.Sprintf("%s from %s", a.wanted(), number(*least)))
	}
	if most := bounded.at.Maximum; most != nil && exact.Cmp(new(big.Rat).SetFloat64(*most)) > 0 {
		return wrong(fmt.Sprintf("%s up to %s", a.wanted(), number(*most)))
	}
	return nil
}

// content resolves a value that is in a file: @FILE, or @- for standard
// input. Two of them are one that is meant.
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
		return "", fmt.Errorf("%s did not come to its end in time", value)
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
	text, err := io.ReadAll(io.LimitReader(from, mostFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading @%s: %w", name, err)
	case len(text) > mostFile:
		return "", usagef("@%s is longer than %d bytes", name, mostFile)
	}
	return string(text), nil
}
