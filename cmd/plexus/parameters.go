// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
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

	said []assignment // what the flags set, until it is resolved
}

// assignment is a flag that sets a parameter. The text may name a file, which is
// read when all flags are known: --timeout may be the last.
type assignment struct {
	*parameter
	text string
}

func newParameters(t *target, stdin io.Reader, o *options) *parameters {
	p := &parameters{target: t, nothing: !t.isCall(), stdin: stdin, options: o}
	if t.method != nil {
		p.node, p.nothing = t.method.params(), t.method.takesNothing()
	}
	return p
}

// finish puts what the flags set on top of --params, and checks the whole. It
// returns a json.RawMessage, or nil where no parameter is given.
func (p *parameters) finish(ctx context.Context) (any, error) {
	flags := newObject()
	seen := map[string]bool{}
	for _, a := range p.said {
		text, err := content(ctx, a.text, p.stdin)
		if err != nil {
			return nil, err
		}
		if err := a.set(flags, text, seen[a.name]); err != nil {
			return nil, err
		}
		seen[a.name] = true
	}
	given, err := p.whole(ctx)
	if err != nil {
		return nil, err
	}
	if given == nil && p.said != nil {
		given = newObject()
	}
	merge(given, flags)
	var missing []string
	var wrong error
	for _, q := range p.rules().properties {
		value, there := given.lookup(q.name)
		switch {
		case there:
			wrong = cmp.Or(wrong, q.check("--"+q.name, value))
		case q.required:
			missing = append(missing, "--"+q.name+" "+q.describe())
		}
	}
	switch {
	case missing != nil:
		return nil, usagef("%s is missing", strings.Join(missing, ", ")).withHint("See " + p.target.command() + " --help.")
	case wrong != nil || given == nil:
		return nil, wrong
	}
	text, err := encode(given)
	return json.RawMessage(text), err
}

// set sets the parameter in the object of all of them. It may be set again if it
// is a list.
func (f *parameter) set(at *object, text string, again bool) error {
	r, name := f.rules(), "--"+f.name
	if !r.has(textKind) && !r.anything {
		text = strings.TrimSpace(text) // of a file
	}
	last := len(f.keys) - 1
	for _, key := range f.keys[:last] {
		inner, ok := at.values[key].(*object)
		if !ok {
			if at.values[key] != nil {
				return usagef("%s sets a part of what is set as a whole", name)
			}
			inner = newObject()
			at.set(key, inner)
		}
		at = inner
	}
	list := []any{}
	if again {
		old, isList := at.values[f.keys[last]].([]any)
		if list = old; !isList {
			list = []any{at.values[f.keys[last]]}
		}
	}
	if r.has(listKind) && !r.has(textKind) && text != "null" {
		elements, err := f.elements(name, text)
		at.set(f.keys[last], append(list, elements...))
		return err
	}
	value, err := f.value(name, text)
	switch {
	case err != nil:
		return err
	case again && !r.anything:
		return usagef("%s is given twice", name)
	case again: // its type is unknown: what is given more than once is a list
		value = append(list, value)
	}
	at.set(f.keys[last], value)
	return nil
}

// whole reads --params; nil for none.
func (p *parameters) whole(ctx context.Context) (*object, error) {
	if p.options.params == nil {
		return nil, nil
	}
	text, err := content(ctx, *p.options.params, p.stdin)
	if err != nil {
		return nil, err
	}
	value, err := parse([]byte(text))
	if err != nil {
		return nil, usagef("--params %s is not JSON: %v", quoted(text), err)
	}
	all, ok := value.(*object)
	if !ok && value != nil { // null is how other clients send no parameters
		return nil, usagef("--params %s: parameters must be an object", quoted(text))
	}
	return all, nil
}

// merge sets the members of over in base; objects are merged in turn.
func merge(base, over *object) {
	for _, name := range over.names {
		inner, ok := over.values[name].(*object)
		if old, both := base.get(name).(*object); ok && both {
			merge(old, inner)
			continue
		}
		base.set(name, over.values[name])
	}
}
