// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// maxNested bounds how deep the flags for properties of properties go, and
// maxFlags how many there are: an object may be a property of itself.
const (
	maxNested = 4
	maxFlags  = 1000
)

// parameter is the value of a flag that sets a parameter.
type parameter struct {
	of *parameters
	property
	keys []string // the names of the properties that lead to it
}

var _ pflag.Value = (*parameter)(nil)

// String is the default, as JSON.
func (p *parameter) String() string { return p.fallback() }

// Set notes what is to be set. The text may be that of a file, which is read
// when all flags are known: --timeout may be the last.
func (p *parameter) Set(text string) error {
	p.of.said = append(p.of.said, assignment{p, text})
	return nil
}

// Type is what cobra goes by to know which flags may be repeated.
func (p *parameter) Type() string {
	if p.accepts().has(listKind) {
		return "stringArray"
	}
	return "string"
}

// flagsOf are the properties of an object as flags: a property that is an
// object itself is followed by its own.
func flagsOf(n node) []property { return appendFlags(nil, n, "", maxNested) }

func appendFlags(all []property, n node, prefix string, depth int) []property {
	if depth == 0 {
		return all
	}
	for _, p := range n.properties() {
		if len(all) == maxFlags {
			break
		}
		name := prefix + p.name
		all = append(all, property{name, p.node, p.required})
		all = appendFlags(all, p.node, name+".", depth-1)
	}
	return all
}

// defineAll gives a command the flags of all parameters.
func (p *parameters) defineAll(cmd *cobra.Command) {
	for _, q := range flagsOf(p.node) {
		if keys, n, ok := p.find(cmd, q.name, true); ok && cmd.Flags().Lookup(q.name) == nil {
			p.define(cmd, keys, property{q.name, n, q.required})
		}
	}
}

// define gives a command the flag of a parameter.
func (p *parameters) define(cmd *cobra.Command, keys []string, q property) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&parameter{p, q, keys}, q.name, q.summary())
	flags.Lookup(q.name).Hidden = !isPlain(q.name)
	a := q.accepts()
	if a.isSwitch() {
		flags.Lookup(q.name).NoOptDefVal = "true"
	}
	values := valueTexts(a.values)
	if a.has(booleanKind) && !a.anything {
		values = append(values, "true", "false")
	}
	complete := func(_ *cobra.Command, _ []string, last string) ([]cobra.Completion, cobra.ShellCompDirective) {
		other := func(value string) bool { return !strings.HasPrefix(value, last) || !isPlain(value) }
		return slices.DeleteFunc(values, other), cobra.ShellCompDirectiveNoFileComp
	}
	_ = cmd.RegisterFlagCompletionFunc(q.name, complete) // the flag is there
}

// read parses what follows the path.
func (p *parameters) read(cmd *cobra.Command, args []string) error {
	flags, err := p.normalize(cmd, args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(flags); err != nil {
		return cmd.FlagErrorFunc()(cmd, err)
	}
	if words := cmd.Flags().Args(); len(words) > 0 {
		return usagef("%s follows a flag, where no word of the path can be", quoted(words[0])).
			withHint("The path comes first, then its flags: " + p.target.command() + " --flag value")
	}
	return nil
}

// normalize writes the flags of parameters as --NAME=VALUE, with the name that
// the schema has, and defines those that are given. Other flags stay as they
// are. What pflag does not know is known here: a value may be a negative
// number, a switch takes true or false behind a space, an object of any
// properties takes flags that no schema lists, and behind "--" all flags are
// parameters.
func (p *parameters) normalize(cmd *cobra.Command, args []string) (flags []string, err error) {
	all := false
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" && !all {
			all = true
			continue
		}
		name, value, given := strings.Cut(arg, "=")
		keys, n, ok := p.find(cmd, strings.TrimPrefix(name, "--"), all)
		switch {
		case ok && strings.HasPrefix(arg, "--"):
			if !given {
				if value, args, err = next(name, n, args); err != nil {
					return nil, err
				}
			}
			canonical := strings.Join(keys, ".")
			if cmd.Flags().Lookup(canonical) == nil {
				p.define(cmd, keys, property{name: canonical, node: n})
			}
			flags = append(flags, "--"+canonical+"="+value)
		case all && isFlag(arg):
			return nil, p.unknown(name)
		default:
			flags = append(flags, arg)
			if isFlag(arg) && !given && len(args) > 0 && takesValue(cmd, arg) {
				flags, args = append(flags, args[0]), args[1:]
			}
		}
	}
	return flags, nil
}

// takesValue reports whether a flag of plexus takes the next argument.
func takesValue(cmd *cobra.Command, arg string) bool {
	flags := cmd.Root().PersistentFlags()
	f := flags.Lookup(strings.TrimPrefix(arg, "--"))
	if !strings.HasPrefix(arg, "--") && len(arg) == 2 {
		f = flags.ShorthandLookup(arg[1:])
	}
	return f != nil && f.NoOptDefVal == ""
}

// next is the value of a flag that has none by "=".
func next(name string, n node, args []string) (value string, rest []string, err error) {
	a := n.accepts()
	there := len(args) > 0 && !(strings.HasPrefix(args[0], "-") && len(args[0]) > 1 && (args[0][1] < '0' || args[0][1] > '9'))
	switch {
	case a.isSwitch() && (!there || args[0] != "true" && args[0] != "false" && !(a.has(nullKind) && args[0] == "null")):
		return "true", args, nil
	case there:
		return args[0], args[1:], nil
	case a.isSwitch() || a.anything && n.at == nil:
		return "true", args, nil
	}
	return "", nil, usagef("%s needs a value: %s %s", name, name, n.describe()).
		withHint("A value that begins with a dash is given as " + name + "=VALUE.")
}

// find finds the parameter that a flag sets: the names of the properties that
// lead to it, and its node. An object of any properties takes any name, but a
// flag of plexus itself is not meant for it, unless all flags are parameters.
func (p *parameters) find(cmd *cobra.Command, name string, all bool) (keys []string, n node, ok bool) {
	if name == "" || p.nothing {
		return nil, node{}, false
	}
	for n, rest := p.node, name; ; {
		key, inner, left, ok := step(n, rest)
		if !ok {
			root := cmd.Root()
			own := len(keys) == 0 && (root.Flags().Lookup(name) != nil || root.PersistentFlags().Lookup(name) != nil)
			var open bool
			inner, open = n.others()
			key, left, _ = strings.Cut(rest, ".")
			if own && !all || !open || key == "" || n.at != nil && !n.accepts().has(objectKind) && !n.accepts().anything {
				return nil, node{}, false
			}
		}
		keys, n, rest = append(keys, key), inner, left
		if rest == "" {
			return keys, n, true
		}
	}
}

// step finds the property that name begins with, and what of the name is
// left: the longest one, since names may have dots. "-" stands for "_".
func step(n node, name string) (key string, inner node, left string, ok bool) {
	same := func(a, b string) bool {
		return a == b || strings.ReplaceAll(a, "-", "_") == strings.ReplaceAll(b, "-", "_")
	}
	for _, q := range n.properties() {
		if len(q.name) > len(name) || len(q.name) <= len(key) || !same(q.name, name[:len(q.name)]) {
			continue
		}
		rest := name[len(q.name):]
		if after, dotted := strings.CutPrefix(rest, "."); rest == "" || dotted && after != "" {
			key, inner, left, ok = q.name, q.node, after, true
		}
	}
	return key, inner, left, ok
}

// unknown is the error of a flag that the method does not have.
func (p *parameters) unknown(name string) error {
	command := p.target.command()
	var own, names []string
	(&options{}).commonFlags().VisitAll(func(f *pflag.Flag) { own = append(own, "--"+f.Name) })
	for _, q := range flagsOf(p.node) {
		names = append(names, "--"+q.name)
	}
	near, see := cmp.Or(didYouMean(name, names), didYouMean(name, own)), "See "+command+" --help."
	switch {
	case (&options{}).connectionFlags().Lookup(strings.TrimPrefix(name, "--")) != nil:
		return usagef("%s must stand before the path", name).withHint("For example: plexus " + name + " … " + p.target.title())
	case !p.target.isCall():
		return usagef("%s is not a method, so it takes no %s", command, name).withHint(near, see)
	case p.nothing:
		return usagef("%s takes no parameters, so no %s", command, name).withHint(near, see)
	}
	return usagef("%s has no parameter %s", command, name).withHint(near, see)
}
