// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"slices"
	"strings"
)

// arguments are a command line, taken apart as far as that is possible
// without knowing what the hub offers.
type arguments struct {
	options
	// words are the path: a backend, children of its hub, and a method.
	words []string
	// rest is what follows the path, and begins with a flag.
	rest []string
	// literal tells that the first word is a backend, though it may be the
	// name of a command.
	literal bool
}

// split takes a command line apart: flags of ours, the path, and the rest.
func split(args []string) (a arguments, err error) {
	known := flags()
	for len(args) > 0 && isFlag(args[0]) {
		if args[0] == "--" {
			a.literal, args = true, args[1:]
			break
		}
		if args, err = a.take(known, args); err != nil {
			return a, err
		}
	}
	path := slices.IndexFunc(args, isFlag)
	if path < 0 {
		path = len(args)
	}
	a.words, a.rest = args[:path], args[path:]
	return a, nil
}

// isFlag tells flags from words: a lone dash is none of either, but can't be
// a name.
func isFlag(arg string) bool { return strings.HasPrefix(arg, "-") }

// take sets the flag that args begin with and returns what follows it.
func (o *options) take(known []flag, args []string) ([]string, error) {
	f, value, given := findFlag(known, args[0])
	if f == nil {
		name, _, _ := strings.Cut(args[0], "=")
		return nil, usagef("there is no flag %s", name).withHint(didYouMean(name, spellings(known)), seeHelp)
	}
	args = args[1:]
	switch {
	case f.value == "" && given:
		return nil, usagef("--%s takes no value", f.name)
	case f.value != "" && !given:
		if len(args) == 0 {
			return nil, usagef("--%s needs a value: --%s %s", f.name, f.name, f.value)
		}
		value, args = args[0], args[1:]
	}
	return args, f.set(o, value)
}

const seeHelp = "See plexus --help."

// findFlag finds the flag that an argument is, "--port", "--port=1", "-P" or
// "-P1", and the value in it; nil where there is none.
func findFlag(known []flag, arg string) (f *flag, value string, given bool) {
	long, value, given := strings.Cut(arg, "=")
	for i := range known {
		f = &known[i]
		switch {
		case long == "--"+f.name:
			return f, value, given
		case f.short == "" || strings.HasPrefix(arg, "--") || !strings.HasPrefix(arg, "-"+f.short):
		case len(arg) == 2:
			return f, "", false
		case f.value != "":
			return f, strings.TrimPrefix(arg[2:], "="), true
		}
	}
	return nil, "", false
}

func spellings(known []flag) (names []string) {
	for _, f := range known {
		names = append(names, "--"+f.name)
	}
	return names
}

// loose takes the arguments of one of our own commands: words, with flags
// anywhere between them.
func (a *arguments) loose(args []string) (words []string, err error) {
	known := flags()
	for len(args) > 0 {
		switch {
		case args[0] == "--":
			return append(words, args[1:]...), nil
		case !isFlag(args[0]):
			words, args = append(words, args[0]), args[1:]
		default:
			if args, err = a.take(known, args); err != nil {
				return nil, err
			}
		}
	}
	return words, nil
}
