// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// parameters gathers those of a call from its flags. Its node is the schema of
// all of them: the zero node for a method that no schema lists.
type parameters struct {
	node
	target  *target
	nothing bool // no flag is a parameter
	stdin   io.Reader
	options *options

	said  []assignment // what the flags set, until it is resolved
	given *object      // nil for nothing
	seen  map[string]bool
}

// assignment is a flag that sets a parameter.
type assignment struct {
	*parameter
	text string
}

func newParameters(t *target, stdin io.Reader, o *options) *parameters {
	p := &parameters{target: t, nothing: !t.isCall(), stdin: stdin, options: o, seen: map[string]bool{}}
	if t.method != nil {
		p.node, p.nothing = t.method.params(), t.method.takesNothing()
	}
	return p
}

func (p *parameters) set(f *parameter, text string) error {
	a, name := f.accepts(), "--"+f.name
	if !a.has(textKind) && !a.anything {
		text = strings.TrimSpace(text) // of a file
	}
	at, err := p.parent(name, f.keys)
	if err != nil {
		return err
	}
	last := f.keys[len(f.keys)-1]
	id := strings.Join(f.keys, "\x00")
	again := p.seen[id]
	p.seen[id] = true
	if a.has(listKind) && !a.has(textKind) && text != "null" {
		return p.add(at, last, name, f.node, text, again)
	}
	value, err := f.value(name, text)
	if err != nil {
		return err
	}
	if again {
		if !a.anything {
			return usagef("%s is given twice", name)
		}
		// Its type is unknown: what is given more than once is a list.
		if list, ok := at.values[last].([]any); ok {
			value = append(list, value)
		} else {
			value = []any{at.values[last], value}
		}
	}
	at.set(last, value)
	return nil
}

// add adds an element to a list, or all those of a list in JSON.
func (p *parameters) add(at *object, last, name string, n node, text string, again bool) error {
	elements := []any{}
	if again {
		elements, _ = at.values[last].([]any)
	}
	if whole, err := parse([]byte(text)); err == nil {
		if more, ok := whole.([]any); ok && !n.item().accepts().has(listKind) {
			if err := n.check(name, whole); err != nil {
				return err
			}
			at.set(last, append(elements, more...))
			return nil
		}
	}
	value, err := n.item().value(name, text)
	if err != nil {
		return err
	}
	at.set(last, append(elements, value))
	return nil
}

// parent finds, or makes, the object that the last of keys is set in.
func (p *parameters) parent(name string, keys []string) (*object, error) {
	if p.given == nil {
		p.given = newObject()
	}
	at := p.given
	for _, key := range keys[:len(keys)-1] {
		inner, ok := at.values[key].(*object)
		if !ok {
			if at.values[key] != nil {
				return nil, usagef("%s sets a part of what is set as a whole", name)
			}
			inner = newObject()
			at.set(key, inner)
		}
		at = inner
	}
	return at, nil
}

// finish sets what the flags say, puts it on top of --params, and checks the
// whole. It returns a json.RawMessage, or nil where no parameter is given.
func (p *parameters) finish(ctx context.Context) (any, error) {
	for _, a := range p.said {
		text, err := content(ctx, a.text, p.stdin)
		if err != nil {
			return nil, err
		}
		if err := p.set(a.parameter, text); err != nil {
			return nil, err
		}
	}
	if p.options.params != nil {
		if err := p.under(ctx, *p.options.params); err != nil {
			return nil, err
		}
	}
	var missing []string
	for _, q := range p.properties() {
		if q.required && (p.given == nil || !slices.Contains(p.given.names, q.name)) {
			missing = append(missing, "--"+q.name+" "+q.describe())
		}
	}
	if len(missing) > 0 {
		return nil, usagef("%s is missing", strings.Join(missing, ", ")).withHint("See " + p.target.command() + " --help.")
	}
	if p.given == nil {
		return nil, nil
	}
	for _, q := range p.properties() {
		if value, ok := p.given.values[q.name]; ok {
			if err := q.check("--"+q.name, value); err != nil {
				return nil, err
			}
		}
	}
	text, err := encode(p.given)
	return json.RawMessage(text), err
}

// under puts the parameters of --params under those of the flags.
func (p *parameters) under(ctx context.Context, text string) error {
	text, err := content(ctx, text, p.stdin)
	if err != nil {
		return err
	}
	value, err := parse([]byte(text))
	if err != nil {
		return usagef("--params %s is not JSON: %v", quoted(text), err)
	}
	if value == nil {
		return nil // null is how other clients send no parameters
	}
	base, ok := value.(*object)
	if !ok {
		return usagef("--params %s: parameters must be an object", quoted(text))
	}
	merge(base, p.given)
	p.given = base
	return nil
}

// merge sets the members of over in base; objects are merged in turn.
func merge(base, over *object) {
	if over == nil {
		return
	}
	for _, name := range over.names {
		inner, ok := over.values[name].(*object)
		if old, both := base.values[name].(*object); ok && both {
			merge(old, inner)
			continue
		}
		base.set(name, over.values[name])
	}
}
