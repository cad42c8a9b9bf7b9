// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// shape is what a parameter has to look like. Its zero value allows anything.
type shape struct {
	root *jsonschema.Schema // where references lead
	at   *jsonschema.Schema // nil allows anything
}

// mostReferences bounds the references that are followed one after the other,
// mostAlternatives the alternatives that are looked at: they may name each
// other again and again.
const (
	mostReferences   = 16
	mostAlternatives = 1 << 12
)

// resolved follows references to where something is said.
func (s shape) resolved() shape {
	for range mostReferences {
		switch {
		case s.at == nil:
			return s
		case s.at.Ref != "":
			s.at = s.target(s.at.Ref)
		case len(s.at.AllOf) == 1 && s.at.Type == "" && s.at.Types == nil && s.at.Properties == nil:
			s.at = s.at.AllOf[0] // how some write a reference with a description
		default:
			return s
		}
	}
	return shape{}
}

func (s shape) target(ref string) *jsonschema.Schema {
	if name, ok := strings.CutPrefix(ref, "#/$defs/"); ok {
		return s.root.Defs[name]
	}
	if name, ok := strings.CutPrefix(ref, "#/definitions/"); ok {
		return s.root.Definitions[name]
	}
	if ref == "#" {
		return s.root
	}
	return nil
}

// accepted are the kinds of values that a shape takes.
type accepted struct {
	anything                                            bool
	null, boolean, integer, number, text, array, object bool
	// values are the only ones, besides null; nil where there are others.
	values []any
}

func (s shape) accepts() accepted {
	left := mostAlternatives
	return s.acceptsWithin(&left)
}

func (s shape) acceptsWithin(left *int) (a accepted) {
	s = s.resolved()
	if *left--; s.at == nil || *left < 0 {
		return accepted{anything: true}
	}
	only := s.at.Enum
	if s.at.Const != nil {
		only = []any{*s.at.Const}
	}
	if only != nil {
		for _, value := range only {
			if value == nil {
				a.null = true
				continue
			}
			a.values = append(a.values, value)
		}
		return a
	}
	if alternatives := append(slices.Clip(s.at.AnyOf), s.at.OneOf...); len(alternatives) > 0 {
		open := false
		for _, alternative := range alternatives {
			other := shape{s.root, alternative}.acceptsWithin(left)
			if *left < 0 {
				return accepted{anything: true}
			}
			a.anything = a.anything || other.anything
			a.null, a.boolean = a.null || other.null, a.boolean || other.boolean
			a.integer, a.number = a.integer || other.integer, a.number || other.number
			a.text, a.array, a.object = a.text || other.text, a.array || other.array, a.object || other.object
			a.values = append(a.values, other.values...)
			open = open || other.values == nil && (other.kinds() != "null" || other.anything)
		}
		if open && a.values != nil {
			// Values and kinds side by side: too clever for us to check.
			return accepted{anything: true}
		}
		return a
	}
	types := s.at.Types
	if s.at.Type != "" {
		types = []string{s.at.Type}
	}
	for _, t := range types {
		switch t {
		case "null":
			a.null = true
		case "boolean":
			a.boolean = true
		case "integer":
			a.integer = true
		case "number":
			a.number = true
		case "string":
			a.text = true
		case "array":
			a.array = true
		case "object":
			a.object = true
		}
	}
	if a.kinds() == "" {
		switch {
		case s.at.Properties != nil:
			a.object = true
		case s.at.Items != nil:
			a.array = true
		default:
			a.anything = true
		}
	}
	return a
}

// kinds names the kinds, joined by "or"; empty for none.
func (a accepted) kinds() string {
	var names []string
	for _, kind := range []struct {
		name string
		is   bool
	}{
		{"text", a.text}, {"boolean", a.boolean}, {"integer", a.integer}, {"number", a.number},
		{"list", a.array}, {"object", a.object}, {"null", a.null},
	} {
		if kind.is {
			names = append(names, kind.name)
		}
	}
	return orList(names)
}

// wanted names the kinds for somebody who gave something else.
func (a accepted) wanted() string {
	if some := a; a.kinds() != "null" {
		some.null = false
		return some.kinds()
	}
	return "null"
}

// flag tells that a flag of this shape needs no value: it is true then.
func (a accepted) flag() bool {
	return a.boolean && !a.anything && !a.integer && !a.number && !a.text && !a.array && !a.object && a.values == nil
}

// item is the shape of the elements of a list.
func (s shape) item() shape {
	s = s.open(func(a *jsonschema.Schema) bool { return a.Items != nil })
	if s.at == nil {
		return shape{}
	}
	return shape{s.root, s.at.Items}
}

// open finds the alternative, of those that may be null and the like, that
// has what is wanted; nothing where there is none.
func (s shape) open(wanted func(*jsonschema.Schema) bool) shape {
	s = s.resolved()
	if s.at == nil || wanted(s.at) {
		return s
	}
	for _, alternative := range append(slices.Clip(s.at.AnyOf), s.at.OneOf...) {
		if found := (shape{s.root, alternative}).resolved(); found.at != nil && wanted(found.at) {
			return found
		}
	}
	return shape{}
}

// property is one of an object.
type property struct {
	name string
	shape
	required bool
}

// properties are those that an object is known to have, those that it must
// have first; nil for what is no object, or one of any properties.
func (s shape) properties() (all []property) {
	s = s.open(func(a *jsonschema.Schema) bool { return len(a.Properties) > 0 })
	if s.at == nil {
		return nil
	}
	required := map[string]bool{}
	for _, name := range s.at.Required {
		required[name] = true
	}
	order := s.at.PropertyOrder
	if order == nil { // where it is not known
		order = slices.Sorted(maps.Keys(s.at.Properties))
	}
	var optional []property
	for _, name := range order {
		p := s.at.Properties[name]
		switch {
		case p == nil:
		case required[name]:
			all = append(all, property{name, shape{s.root, p}, true})
		default:
			optional = append(optional, property{name, shape{s.root, p}, false})
		}
	}
	return append(all, optional...)
}

// others tells whether an object may have properties that are not listed, as
// one has to that lists none.
func (s shape) others() (shape, bool) {
	s = s.open(func(a *jsonschema.Schema) bool { return len(a.Properties) > 0 || a.AdditionalProperties != nil })
	switch {
	case s.at == nil:
		return shape{}, true
	case s.at.AdditionalProperties == nil:
		return shape{}, len(s.at.Properties) == 0
	case s.at.AdditionalProperties.Not != nil: // how "false" is kept
		return shape{}, false
	}
	return shape{s.root, s.at.AdditionalProperties}, true
}

// describe words what a value has to be, for help: "TEXT", "INTEGER 1 to 5".
func (s shape) describe() string { return s.describeWithin(mostNested) }

func (s shape) describeWithin(depth int) string {
	a := s.accepts()
	switch {
	case a.values != nil:
		var values []string
		for _, value := range a.values {
			values = append(values, valueText(value))
		}
		return strings.Join(values, "|")
	case a.anything || depth == 0:
		return "JSON"
	case a.kinds() == "list" || a.kinds() == "list or null":
		return s.item().describeWithin(depth-1) + " …"
	}
	a.null = false
	kinds := strings.ToUpper(a.kinds())
	if format := s.format(); a.text && format != "" {
		kinds = strings.Replace(kinds, "TEXT", formatName(format), 1)
	}
	if least, most := s.bounds(); least != nil && most != nil {
		kinds += fmt.Sprintf(" %s to %s", number(*least), number(*most))
	} else if least != nil {
		kinds += fmt.Sprintf(" from %s", number(*least))
	} else if most != nil {
		kinds += fmt.Sprintf(" to %s", number(*most))
	}
	return kinds
}

// bounds are those of a number; nil for none, or those of its whole format.
func (s shape) bounds() (least, most *float64) {
	s = s.open(func(a *jsonschema.Schema) bool { return a.Minimum != nil || a.Maximum != nil })
	if s.at == nil {
		return nil, nil
	}
	least, most = s.at.Minimum, s.at.Maximum
	if least != nil && *least <= math.MinInt32 {
		least = nil
	}
	if most != nil && *most >= math.MaxUint32 {
		most = nil
	}
	return least, most
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// fallback is the default, as JSON; empty for none, or one that means none.
func (s shape) fallback() string {
	for range mostReferences {
		if s.at == nil {
			return ""
		}
		if text := string(s.at.Default); text != "" {
			if text == "null" {
				return ""
			}
			return text
		}
		if s.at.Ref == "" {
			return ""
		}
		s.at = s.target(s.at.Ref)
	}
	return ""
}

// summary is the description, or that of what is referred to.
func (s shape) summary() string {
	if s.at == nil {
		return ""
	}
	if s.at.Description != "" {
		return s.at.Description
	}
	if s = s.resolved(); s.at != nil {
		return s.at.Description
	}
	return ""
}

// valueText is how a value is written on the command line.
func valueText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
