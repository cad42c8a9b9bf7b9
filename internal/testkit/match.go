// SPDX-License-Identifier: AGPL-3.0-only

package testkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Matcher compares frames with patterns. Its zero value is ready for the
// first step; Dir is where the files of $superset are.
type Matcher struct {
	Dir          string
	subscription any
}

// Next forgets the subscription, for the next step.
func (m *Matcher) Next() { m.subscription = nil }

var (
	uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	hash = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// Match returns where the frame got differs from the pattern want; nil for
// nowhere.
func (m *Matcher) Match(want, got json.RawMessage) error {
	var pattern, value any
	if err := errors.Join(json.Unmarshal(want, &pattern), json.Unmarshal(got, &value)); err != nil {
		return err
	}
	return m.match("$", pattern, value)
}

func (m *Matcher) match(at string, want, got any) error {
	different := func() error {
		return fmt.Errorf("%s: want %s, got %s", at, text(want), text(got))
	}
	switch want := want.(type) {
	case string:
		if strings.HasPrefix(want, "$") {
			return m.placeholder(at, want, got)
		}
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return different()
		}
		for key := range object {
			if _, ok := want[key]; !ok {
				return fmt.Errorf("%s: unexpected member %q: %s", at, key, text(object[key]))
			}
		}
		for key, w := range want {
			g, ok := object[key]
			if !ok {
				return fmt.Errorf("%s: member %q is missing", at, key)
			}
			if err := m.match(at+"."+key, w, g); err != nil {
				return err
			}
		}
		return nil
	case []any:
		array, ok := got.([]any)
		if !ok || len(array) != len(want) {
			return different()
		}
		for i := range want {
			if err := m.match(fmt.Sprintf("%s[%d]", at, i), want[i], array[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if !reflect.DeepEqual(want, got) {
		return different()
	}
	return nil
}

func (m *Matcher) placeholder(at, want string, got any) error {
	number, isNumber := got.(float64)
	word, _ := got.(string)
	var ok bool
	switch name, file, _ := strings.Cut(want, " "); name {
	case "$any":
		ok = true
	case "$time":
		ok = isNumber && number > 1e9 && number < 1e11
	case "$hash":
		ok = hash.MatchString(word)
	case "$id":
		ok = uuid.MatchString(word)
	case "$sub":
		if m.subscription == nil {
			m.subscription = got
		}
		ok = isNumber && number > 0 && number < 1<<53 && number == float64(int64(number)) && got == m.subscription
	case "$superset":
		data, err := os.ReadFile(filepath.Join(m.Dir, file))
		if err != nil {
			return err
		}
		var least any
		if err := json.Unmarshal(data, &least); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return superset(at, least, got)
	default:
		return fmt.Errorf("%s: unknown placeholder %q", at, want)
	}
	if !ok {
		return fmt.Errorf("%s: %s is not %s", at, text(got), want)
	}
	return nil
}

// superset returns where got lacks something of least: a member, or an element
// of an array. Hashes may differ, and descriptions, which are for people.
func superset(at string, least, got any) error {
	switch least := least.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: want an object, got %s", at, text(got))
		}
		for key, l := range least {
			g, ok := object[key]
			if !ok {
				return fmt.Errorf("%s: member %q is missing", at, key)
			}
			_, isText := g.(string)
			if key == "hash" || strings.HasSuffix(key, "_hash") || key == "description" && isText {
				continue
			}
			if err := superset(at+"."+key, l, g); err != nil {
				return err
			}
		}
		return nil
	case []any:
		array, ok := got.([]any)
		if !ok {
			return fmt.Errorf("%s: want an array, got %s", at, text(got))
		}
		for i, l := range least {
			found := slices.ContainsFunc(array, func(g any) bool { return superset(at, l, g) == nil })
			if found {
				continue
			}
			err := fmt.Errorf("%s: no element like %s", at, text(l))
			if i < len(array) { // the element at the same index is the most useful
				err = fmt.Errorf("%w: %w", err, superset(fmt.Sprintf("%s[%d]", at, i), l, array[i]))
			}
			return err
		}
		return nil
	}
	if !reflect.DeepEqual(least, got) {
		return fmt.Errorf("%s: want %s, got %s", at, text(least), text(got))
	}
	return nil
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(data) > 200 {
		return string(data[:200]) + "…"
	}
	return string(data)
}
