// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
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

// parameter is a flag that sets a parameter.
type parameter struct {
	property
	keys []string // the names of the properties that lead to it
}

var _ pflag.Value = (*parameter)(nil)

// String is the default, as JSON.
func (f *parameter) String() string { return f.fallback() }

// Set is for completion only, since read finds the parameters itself.
func (f *parameter) Set(string) error { return nil }

// Type is what cobra goes by to know which flags may be repeated.
func (f *parameter) Type() string {
	if f.rules().has(listKind) {
		return "stringArray"
	}
	return "string"
}

// flagsOf are the properties of an object as flags: a property that is an
// object itself is followed by its own.
func flagsOf(n node) (all []property) {
	var walk func(n node, prefix string, depth int)
	walk = func(n node, prefix string, depth int) {
		if depth == maxNested {
			return
		}
		for _, p := range n.rules().properties {
			if len(all) == maxFlags {
				return
			}
			p.name = prefix + p.name
			all = append(all, p)
			walk(p.node, p.name+".", depth+1)
		}
	}
	walk(n, "", 0)
	return all
}

// define gives a command the flags of all parameters, for help and completion.
func (p *parameters) define(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	for _, q := range flagsOf(p.node) {
		f, ok := p.find(cmd, q.name, true)
		if !ok || flags.Lookup(q.name) != nil {
			continue
		}
		f.name, f.required = q.name, q.required
		flag := flags.VarPF(f, q.name, "", f.summary())
		flag.Hidden = !isPlain(q.name)
		r := f.rules()
		if r.isSwitch() {
			flag.NoOptDefVal = "true"
		}
		values := valueTexts(r.values)
		if r.has(booleanKind) {
			values = append(values, "true", "false")
		}
		_ = cmd.RegisterFlagCompletionFunc(q.name, completeWords(values)) // the flag is there
	}
}

// read parses what follows the path: the flags of parameters, and those of
// plexus. What pflag does not know is known here: a value may be a negative
// number, a switch takes true or false behind a space, an object of any
// properties takes flags that no schema lists, and behind "--" all flags are
// parameters.
func (p *parameters) read(cmd *cobra.Command, args []string) error {
	var own []string
	for all := false; len(args) > 0; {
		arg := args[0]
		args = args[1:]
		if arg == "--" && !all {
			all = true
			continue
		}
		name, value, given := strings.Cut(arg, "=")
		f, ok := p.find(cmd, strings.TrimPrefix(name, "--"), all)
		switch {
		case ok && strings.HasPrefix(arg, "--"):
			if !given {
				var err error
				if value, args, err = f.next(name, args); err != nil {
					return err
				}
			}
			p.said = append(p.said, assignment{f, value})
		case all && isFlag(arg):
			return p.unknown(name)
		default:
			own = append(own, arg)
			if isFlag(arg) && !given && len(args) > 0 && takesValue(cmd, arg) {
				own, args = append(own, args[0]), args[1:]
			}
		}
	}
	if err := cmd.ParseFlags(own); err != nil {
		return cmd.FlagErrorFunc()(cmd, err)
	}
	if words := cmd.Flags().Args(); len(words) > 0 {
		return usagef("%s follows a flag, where no word of the path can be", quoted(words[0])).
			withHint("The path comes first, then its flags: " + p.target.command() + " --flag value")
	}
	return nil
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
func (f *parameter) next(name string, args []string) (value string, rest []string, err error) {
	r := f.rules()
	there := len(args) > 0 && !(strings.HasPrefix(args[0], "-") && len(args[0]) > 1 && (args[0][1] < '0' || args[0][1] > '9'))
	switch {
	case r.isSwitch() && (!there || args[0] != "true" && args[0] != "false" && !(r.has(nullKind) && args[0] == "null")):
		return "true", args, nil
	case there:
		return args[0], args[1:], nil
	case f.at == nil: // anything, of what no schema lists
		return "true", args, nil
	}
	return "", nil, usagef("%s needs a value: %s %s", name, name, f.describe()).
		withHint("A value that begins with a dash is given as " + name + "=VALUE.")
}

// find finds the parameter that a flag sets. An object of any properties takes
// any name, but a flag of plexus itself is not meant for it, unless all flags are
// parameters.
func (p *parameters) find(cmd *cobra.Command, name string, all bool) (*parameter, bool) {
	if name == "" || p.nothing {
		return nil, false
	}
	root := cmd.Root()
	own := root.Flags().Lookup(name) != nil || root.PersistentFlags().Lookup(name) != nil
	f := &parameter{property: property{node: p.node}}
	for rest := name; rest != ""; {
		r := f.rules()
		next, left := propertyOf(r.properties, rest)
		if next.name == "" {
			next.node = r.others
			next.name, left, _ = strings.Cut(rest, ".")
			if r.closed || next.name == "" || own && !all && f.keys == nil {
				return nil, false
			}
		}
		f.keys, f.node, rest = append(f.keys, next.name), next.node, left
	}
	f.name = strings.Join(f.keys, ".")
	return f, true
}

// propertyOf finds the property that name begins with, and what of the name is left:
// the longest one, since names may have dots. "-" stands for "_".
func propertyOf(properties []property, name string) (found property, left string) {
	plain := strings.NewReplacer("-", "_").Replace
	for _, q := range properties {
		if len(q.name) > len(name) || len(q.name) <= len(found.name) || plain(q.name) != plain(name[:len(q.name)]) {
			continue
		}
		rest := name[len(q.name):]
		if after, dotted := strings.CutPrefix(rest, "."); rest == "" || dotted && after != "" {
			found, left = q, after
		}
	}
	return found, left
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
		return usagef("%s must stand before the path", name).withHint("For example: " + p.target.command(shellWord(name), "…"))
	case !p.target.isCall():
		return usagef("%s is not a method, so it takes no %s", command, name).withHint(near, see)
	case p.nothing:
		return usagef("%s takes no parameters, so no %s", command, name).withHint(near, see)
	}
	return usagef("%s has no parameter %s", command, name).withHint(near, see)
}
