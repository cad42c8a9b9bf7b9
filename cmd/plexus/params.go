// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"io"
	"slices"
	"strings"
)

// parameters gathers those of a call from the flags that follow its path.
type parameters struct {
	shape
	path    string // for messages: "plexus hub2 cone list"
	none    bool   // the method has no parameters
	level   bool   // there is no method: all flags are ours
	stdin   io.Reader
	options *options

	said  []assignment // what the flags set, until it is resolved
	given *object      // nil for nothing
	seen  map[string]bool
	only  bool // flags of ours are parameters, too
}

// assignment is a flag that sets a parameter. Its text may be that of a file,
// which is read when all flags are known: --timeout may be the last.
type assignment struct {
	name string
	keys []string
	shape
	text string
}

// newParameters begins with those of a method, which is nil for one that the
// hub has not told of: then flags are what they look like.
func newParameters(m *method, path string, stdin io.Reader, o *options) *parameters {
	p := &parameters{path: path, stdin: stdin, options: o, seen: map[string]bool{}}
	if m != nil {
		p.shape = shape{m.params, m.params}
		p.none = m.paramless
	}
	return p
}

// read takes the arguments apart. Parameters of the method go before flags of
// ours; after "--" there are only parameters.
func (p *parameters) read(args []string) error {
	known := flags()
	for len(args) > 0 {
		arg := args[0]
		var err error
		switch {
		case arg == "--" && !p.only:
			p.only, args = true, args[1:]
			continue
		case !isFlag(arg):
			return usagef("%s follows a flag, where no word of the path can be", quoted(arg)).
				withHint("The path comes first, then its flags: " + p.path + " --flag value")
		}
		if keys, s, ok := p.find(arg); ok {
			if args, err = p.take(keys, s, args); err != nil {
				return err
			}
			continue
		}
		f, _, _ := findFlag(known, arg)
		switch {
		case f == nil || p.only:
			return p.unknown(arg, known)
		case f.early:
			return usagef("--%s has to stand before the path", f.name).
				withHint("For example: plexus --" + f.name + " " + f.value + " " + strings.TrimPrefix(p.path, "plexus "))
		}
		if args, err = p.options.take(known, args); err != nil {
			return err
		}
	}
	return nil
}

func (p *parameters) unknown(arg string, known []flag) error {
	name, _, _ := strings.Cut(arg, "=")
	if p.level {
		return usagef("%s is no method, so it takes no %s", p.path, name).withHint(didYouMean(name, spellings(known)), "See "+p.path+" --help.")
	}
	if p.none {
		return usagef("%s takes no parameters, so no %s", p.path, name)
	}
	var names []string
	for _, f := range p.flagNames() {
		names = append(names, "--"+f)
	}
	near := didYouMean(name, names)
	if near == "" {
		near = didYouMean(name, spellings(known))
	}
	return usagef("%s has no parameter %s", p.path, name).withHint(near, "See "+p.path+" --help.")
}

// flagNames are the names of all flags of the method, the dotted ones
// included.
func (p *parameters) flagNames() (names []string) {
	for _, f := range flagsOf(p.shape) {
		names = append(names, f.name)
	}
	return names
}

// mostNested bounds how deep the flags for properties of properties go, and
// mostFlags how many there are: an object may be a property of itself.
const (
	mostNested = 4
	mostFlags  = 1000
)

// flagsOf are the properties of an object as flags: a property that is an
// object itself is followed by its own.
func flagsOf(s shape) []property { return appendFlags(nil, s, "", mostNested) }

func appendFlags(all []property, s shape, prefix string, depth int) []property {
	if depth == 0 {
		return all
	}
	for _, p := range s.properties() {
		if len(all) == mostFlags {
			break
		}
		name := prefix + p.name
		all = append(all, property{name, p.shape, p.required})
		all = appendFlags(all, p.shape, name+".", depth-1)
	}
	return all
}

// find finds the parameter that a flag sets: the names of the properties that
// lead to it, and its shape.
func (p *parameters) find(arg string) (keys []string, s shape, ok bool) {
	name, long := strings.CutPrefix(arg, "--")
	name, _, _ = strings.Cut(name, "=")
	if !long || name == "" || p.none || p.level {
		return nil, shape{}, false
	}
	for s, rest := p.shape, name; ; {
		key, inner, left, ok := step(s, rest)
		if !ok {
			// An object of any properties takes any, but our own flags are
			// not meant for it, unless it is said so.
			if f, _, _ := findFlag(flags(), arg); f != nil && len(keys) == 0 && !p.only {
				return nil, shape{}, false
			}
			var open bool
			if inner, open = s.others(); !open || s.at != nil && !s.accepts().object && !s.accepts().anything {
				return nil, shape{}, false
			}
			key, left, _ = strings.Cut(rest, ".")
			if key == "" {
				return nil, shape{}, false
			}
		}
		keys, s, rest = append(keys, key), inner, left
		if rest == "" {
			return keys, s, true
		}
	}
}

// step finds the property that name begins with, and what of the name is
// left: the longest wins, since names may have dots. "-" does for "_".
func step(s shape, name string) (key string, inner shape, left string, ok bool) {
	same := func(a, b string) bool {
		return a == b || strings.ReplaceAll(a, "-", "_") == strings.ReplaceAll(b, "-", "_")
	}
	for _, q := range s.properties() {
		if len(q.name) > len(name) || len(q.name) <= len(key) || !same(q.name, name[:len(q.name)]) {
			continue
		}
		rest := name[len(q.name):]
		if after, dotted := strings.CutPrefix(rest, "."); rest == "" || dotted && after != "" {
			key, inner, left, ok = q.name, q.shape, after, true
		}
	}
	return key, inner, left, ok
}

// take sets the parameter that args begin with and returns what follows it.
func (p *parameters) take(keys []string, s shape, args []string) ([]string, error) {
	name, text, given := strings.Cut(args[0], "=")
	args = args[1:]
	a := s.accepts()
	if !given {
		boolean := a.flag() || a.anything && s.at == nil
		next := len(args) > 0 && !(strings.HasPrefix(args[0], "-") && len(args[0]) > 1 && (args[0][1] < '0' || args[0][1] > '9'))
		switch {
		case a.flag() && (!next || args[0] != "true" && args[0] != "false" && !(a.null && args[0] == "null")):
			text = "true"
		case next:
			text, args = args[0], args[1:]
		case boolean:
			text = "true"
		default:
			return nil, usagef("%s needs a value: %s %s", name, name, s.describe()).
				withHint("One that begins with a dash is given as " + name + "=VALUE.")
		}
	}
	p.said = append(p.said, assignment{name, keys, s, text})
	return args, nil
}

func (p *parameters) set(name string, keys []string, s shape, text string) error {
	a := s.accepts()
	if !a.text && !a.anything {
		text = strings.TrimSpace(text) // of a file
	}
	at, err := p.parent(name, keys)
	if err != nil {
		return err
	}
	last := keys[len(keys)-1]
	id := strings.Join(keys, "\x00")
	again := p.seen[id]
	p.seen[id] = true
	if a.array && !a.text && text != "null" {
		return p.add(at, last, name, s, text, again)
	}
	value, err := s.value(name, text)
	if err != nil {
		return err
	}
	if again {
		if !a.anything {
			return usagef("%s is given twice", name)
		}
		// Nobody knows what it is: what is given more than once is a list.
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
func (p *parameters) add(at *object, last, name string, s shape, text string, again bool) error {
	list := []any{}
	if again {
		list, _ = at.values[last].([]any)
	}
	if whole, err := parse([]byte(text)); err == nil {
		if elements, ok := whole.([]any); ok && !s.item().accepts().array {
			if err := s.check(name, whole); err != nil {
				return err
			}
			at.set(last, append(list, elements...))
			return nil
		}
	}
	value, err := s.item().value(name, text)
	if err != nil {
		return err
	}
	at.set(last, append(list, value))
	return nil
}

// parent finds, or makes, the object that the last of keys is to be set in.
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

// finish sets what the flags say, puts it on top of -p, and checks the whole.
// It returns nil where no parameter is given.
func (p *parameters) finish(ctx context.Context) (any, error) {
	for _, a := range p.said {
		text, err := content(ctx, a.text, p.stdin)
		if err != nil {
			return nil, err
		}
		if err := p.set(a.name, a.keys, a.shape, text); err != nil {
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
		return nil, usagef("%s is missing", strings.Join(missing, ", ")).withHint("See " + p.path + " --help.")
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
	return p.given, nil
}

// under puts the parameters of -p under those of the flags.
func (p *parameters) under(ctx context.Context, text string) error {
	text, err := content(ctx, text, p.stdin)
	if err != nil {
		return err
	}
	value, err := parse([]byte(text))
	if err != nil {
		return usagef("--params %s is no JSON: %v", quoted(text), err)
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
