// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
)

// Tree is an activation with all its fixed children, each asked once for its
// definition. Hubs make it of what is registered.
type Tree struct {
	Activation Activation
	Definition Definition
	// Methods are all that the schema shows: those of the definition and of
	// its dynamic children, inside its middleware, and those that lead to the
	// fixed ones.
	Methods  []Method
	Children []*Tree
}

// Bounds of a tree. More is taken for a cycle.
const (
	maxLevels      = 16
	maxActivations = 10_000
)

// versions are those of semver.org.
var versions = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// TreeOf asks an activation and its children for their definitions, and fails
// where one of them is malformed: a bad name, a name that is there twice, an
// activation that is its own descendant.
func TreeOf(a Activation) (*Tree, error) {
	return treeOf(a, nil, 1, new(int))
}

// TreeOfChild is [TreeOf] for a dynamic child. Its namespace is the name that it
// was found by, which may be any: no path leads there by another.
func TreeOfChild(name string, a Activation) (*Tree, error) {
	return treeOf(a, &name, 1, new(int))
}

func treeOf(a Activation, foundBy *string, level int, known *int) (*Tree, error) {
	if a == nil {
		return nil, errors.New("a nil activation")
	}
	if *known++; level > maxLevels || *known > maxActivations {
		return nil, fmt.Errorf("activation %q: more than %d levels or %d activations: is it its own descendant?",
			a.Define().Namespace, maxLevels, maxActivations)
	}
	d := a.Define()
	if foundBy != nil {
		d.Namespace = *foundBy
	} else if err := ValidateName(d.Namespace); err != nil {
		return nil, fmt.Errorf("namespace %w", err)
	}
	d.Version = cmp.Or(d.Version, defaultVersion)
	if !versions.MatchString(d.Version) {
		return nil, fmt.Errorf("activation %q: version %q: expected one like \"1.0.0\"", d.Namespace, d.Version)
	}
	t := &Tree{Activation: a, Definition: d}
	for _, child := range d.Children {
		c, err := treeOf(child, nil, level+1, known)
		if err != nil {
			return nil, fmt.Errorf("activation %q: %w", d.Namespace, err)
		}
		t.Children = append(t.Children, c)
	}
	for _, m := range d.Methods {
		if m.handle == nil {
			return nil, fmt.Errorf("activation %q: a method that neither Unary nor Stream made", d.Namespace)
		}
		t.Methods = append(t.Methods, m.With(d.Middleware...))
	}
	for _, c := range t.Children {
		t.Methods = append(t.Methods, c.method())
	}
	if d.Dynamic != nil {
		if d.Dynamic.Find == nil {
			return nil, fmt.Errorf("activation %q: dynamic children %q without Find", d.Namespace, d.Dynamic.Kind)
		}
		for _, m := range d.Dynamic.methods() {
			t.Methods = append(t.Methods, m.With(d.Middleware...))
		}
	}
	seen := map[string]bool{"schema": true, "hash": true}
	for _, m := range t.Methods {
		if err := ValidateName(m.Name()); err != nil {
			return nil, fmt.Errorf("activation %q: method %w", d.Namespace, err)
		}
		if seen[m.Name()] {
			return nil, fmt.Errorf("activation %q: method %q is taken", d.Namespace, m.Name())
		}
		seen[m.Name()] = true
	}
	return t, nil
}

// method is what the schema of the parent shows for a fixed child.
func (t *Tree) method() Method {
	d := t.Definition
	return Unary(d.Namespace, d.Description, func(context.Context, None) (childSummary, error) {
		return summaryOf(d), nil
	}, withRole(Role{Kind: "static_child"}))
}
