// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// level is what a schema says of a hub, of an activation, or of a child of
// one. Of other hubs' schemas as much is read as makes sense: what is null,
// or of another type, is absent.
type level struct {
	namespace   string
	version     string
	description string
	methods     []method
	children    []child
	text        json.RawMessage // the schema as it came
}

// child is what a schema tells of each child.
type child struct{ name, description string }

// method is what a schema tells of each method.
type method struct {
	name          string
	description   string
	params        *jsonschema.Schema // nil for none, or one that makes no sense
	paramless     bool               // it has no parameters
	returns       *jsonschema.Schema
	streaming     bool
	bidirectional bool
	role          string
	list          string // for a dynamic_child, the method beside it that lists them
	deprecation   string // why not to use it; empty where it may be used
	text          json.RawMessage
}

// isChild tells that the method stands for a child that is asked for its own
// schema.
func (m *method) isChild() bool { return m.role == "static_child" || m.role == "dynamic_child" }

var errNoSchema = errors.New("the answer is no schema")

// readLevel reads a schema. It fails where the content is none, as is the
// schema of a method.
func readLevel(content json.RawMessage) (*level, error) {
	told := members(content)
	if told == nil || told["methods"] == nil && told["children"] == nil && textOf(told["namespace"]) == "" {
		return nil, errNoSchema
	}
	l := &level{
		namespace:   textOf(told["namespace"]),
		version:     textOf(told["version"]),
		description: cmp.Or(textOf(told["long_description"]), textOf(told["description"])),
		text:        content,
	}
	for _, text := range elements(told["methods"]) {
		if m := readMethod(text); m.name != "" {
			l.methods = append(l.methods, m)
		}
	}
	for _, text := range elements(told["children"]) {
		told := members(text)
		if name := textOf(told["namespace"]); name != "" {
			l.children = append(l.children, child{name, textOf(told["description"])})
		}
	}
	return l, nil
}

func readMethod(text json.RawMessage) method {
	told := members(text)
	m := method{
		name:        textOf(told["name"]),
		description: textOf(told["description"]),
		params:      readShape(told["params"]),
		paramless:   told["params"] == nil || string(told["params"]) == "null",
		returns:     readShape(told["returns"]),
		role:        textOf(members(told["role"])["kind"]),
		list:        textOf(members(told["role"])["list_method"]),
		text:        text,
	}
	// What is no boolean is false.
	_ = json.Unmarshal(told["streaming"], &m.streaming)
	_ = json.Unmarshal(told["bidirectional"], &m.bidirectional)
	if d := members(told["deprecation"]); d != nil {
		m.deprecation = cmp.Or(textOf(d["message"]), "Deprecated")
	}
	return m
}

// readShape reads a JSON Schema, nil where it makes no sense, and keeps the
// order of its properties.
func readShape(text json.RawMessage) *jsonschema.Schema {
	var s *jsonschema.Schema
	if text == nil || json.Unmarshal(text, &s) != nil || s == nil {
		return nil
	}
	if whole, err := parse(text); err == nil {
		keepOrder(s, whole)
	}
	return s
}

// keepOrder notes in which order the properties stood, which a map forgets.
func keepOrder(s *jsonschema.Schema, text any) {
	o, ok := text.(*object)
	if s == nil || !ok {
		return
	}
	if properties, ok := o.values["properties"].(*object); ok {
		s.PropertyOrder = properties.names
		for name, p := range s.Properties {
			keepOrder(p, properties.values[name])
		}
	}
	keepOrder(s.Items, o.values["items"])
	keepOrder(s.AdditionalProperties, o.values["additionalProperties"])
	for key, all := range map[string][]*jsonschema.Schema{"anyOf": s.AnyOf, "oneOf": s.OneOf, "allOf": s.AllOf} {
		if told, ok := o.values[key].([]any); ok && len(told) == len(all) {
			for i, a := range all {
				keepOrder(a, told[i])
			}
		}
	}
	for key, defs := range map[string]map[string]*jsonschema.Schema{"$defs": s.Defs, "definitions": s.Definitions} {
		if told, ok := o.values[key].(*object); ok {
			for name, d := range defs {
				keepOrder(d, told.values[name])
			}
		}
	}
}

// method finds a method by its name; nil where there is none.
func (l *level) method(name string) *method {
	for i := range l.methods {
		if l.methods[i].name == name {
			return &l.methods[i]
		}
	}
	return nil
}

// below are the children to show: those that are listed, and those that only a
// method stands for.
func (l *level) below() []child {
	all := slices.Clone(l.children)
	for _, m := range l.methods {
		at := slices.IndexFunc(all, func(c child) bool { return c.name == m.name })
		switch {
		case !m.isChild():
			continue
		case at < 0:
			at = len(all)
			all = append(all, child{m.name, m.description})
		case all[at].description == "":
			all[at].description = m.description
		}
		if m.role == "dynamic_child" {
			about := "finds children at run time"
			if m.list != "" {
				about += "; see " + m.list
			}
			all[at].description = strings.TrimSpace(firstLine(all[at].description) + " (" + about + ")")
		}
	}
	return all
}

// calls are the methods to show: those that do not stand for a child.
func (l *level) calls() []method {
	return slices.DeleteFunc(slices.Clone(l.methods), func(m method) bool { return m.isChild() })
}

// names are those of the children and of the methods, each once.
func (l *level) names() (names []string) {
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, c := range l.children {
		add(c.name)
	}
	for _, m := range l.methods {
		add(m.name)
	}
	return names
}

// members are those of a JSON object; nil where text is none.
func members(text json.RawMessage) (m map[string]json.RawMessage) {
	if json.Unmarshal(text, &m) != nil {
		return nil
	}
	return m
}

// elements are those of a JSON array; nil where text is none.
func elements(text json.RawMessage) (list []json.RawMessage) {
	if json.Unmarshal(text, &list) != nil {
		return nil
	}
	return list
}

// textOf is a JSON string, and empty for anything else.
func textOf(text json.RawMessage) (s string) {
	if json.Unmarshal(text, &s) != nil {
		return ""
	}
	return s
}
