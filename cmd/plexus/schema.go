// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// schema is what a hub or an activation says of itself. Other hubs' schemas
// are read as far as they make sense: what is null, or of another type, is
// absent.
type schema struct {
	*object
	methods  []method
	children []child
}

// child is what a schema says of a child.
type child struct{ name, description string }

// method is what a schema says of a method.
type method struct {
	*object
	name string
}

var errNoSchema = errors.New("the answer is not a schema")

// readSchema reads a schema. It fails where the content is none, as that of a
// method.
func readSchema(content []byte) (*schema, error) {
	s := &schema{object: parseObject(content)}
	if s.get("methods") == nil && s.get("children") == nil && s.text("namespace") == "" {
		return nil, errNoSchema
	}
	for _, value := range s.list("methods") {
		if o, _ := value.(*object); o.text("name") != "" {
			s.methods = append(s.methods, method{o, o.text("name")})
		}
	}
	for _, value := range s.list("children") {
		if o, _ := value.(*object); o.text("namespace") != "" {
			s.children = append(s.children, child{o.text("namespace"), o.text("description")})
		}
	}
	return s, nil
}

// description is the longer one of the two, where there is one.
func (s *schema) description() string {
	return cmp.Or(s.text("long_description"), s.text("description"))
}

// method finds a method by its name; nil where there is none.
func (s *schema) method(name string) *method {
	i := slices.IndexFunc(s.methods, func(m method) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return &s.methods[i]
}

// isChild reports whether the method stands for a child that is asked for its
// own schema.
func (m method) isChild() bool {
	role := m.object.object("role").text("kind")
	return role == "static_child" || role == "dynamic_child"
}

// params is the schema of the parameters.
func (m method) params() node { return schemaNode(m.get("params")) }

// takesNothing reports whether the method has no parameters.
func (m method) takesNothing() bool { return m.get("params") == nil }

// deprecation says why not to use the method; empty where it may be used.
func (m method) deprecation() string {
	if d := m.object.object("deprecation"); d != nil {
		return cmp.Or(d.text("message"), "Deprecated")
	}
	return ""
}

// shownChildren are those that are listed, and those that only a method stands
// for.
func (s *schema) shownChildren() []child {
	all := slices.Clone(s.children)
	for _, m := range s.methods {
		at := slices.IndexFunc(all, func(c child) bool { return c.name == m.name })
		switch {
		case !m.isChild():
			continue
		case at < 0:
			at = len(all)
			all = append(all, child{m.name, m.text("description")})
		case all[at].description == "":
			all[at].description = m.text("description")
		}
		if role := m.object.object("role"); role.text("kind") == "dynamic_child" {
			about := "finds children at run time"
			if role.text("list_method") != "" {
				about += "; see " + role.text("list_method")
			}
			all[at].description = strings.TrimSpace(firstLine(all[at].description) + " (" + about + ")")
		}
	}
	return all
}

// shownMethods are those that do not stand for a child.
func (s *schema) shownMethods() []method {
	return slices.DeleteFunc(slices.Clone(s.methods), method.isChild)
}

// names are those of the children and of the methods, each once.
func (s *schema) names() (names []string) {
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			names = append(names, name)
		}
		seen[name] = true
	}
	for _, c := range s.children {
		add(c.name)
	}
	for _, m := range s.methods {
		add(m.name)
	}
	return names
}
