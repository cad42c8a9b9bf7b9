// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// completionTime is how long somebody who has pressed the tabulator may be
// kept waiting.
const completionTime = 800 * time.Millisecond

// candidate is what a word may be completed to.
type candidate struct{ word, about string }

// complete prints what the last of words, which may be empty, can be completed
// to: a line each, the word and, behind a tabulator, what it is. What goes
// wrong is no more than nothing to complete.
func (c *command) complete(ctx context.Context, words []string) error {
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.options.timeout, completionTime))
	defer cancel()
	var text strings.Builder
	last := words[len(words)-1]
	for _, found := range c.candidates(ctx, words[:len(words)-1], last) {
		if !strings.HasPrefix(found.word, last) || strings.ContainsAny(found.word, "\n\t ") {
			continue
		}
		text.WriteString(found.word)
		if about := firstLine(found.about); about != "" {
			text.WriteString("\t" + about)
		}
		text.WriteString("\n")
	}
	return c.printer.text(text.String())
}

// candidates are the words that may follow those before.
func (c *command) candidates(ctx context.Context, before []string, last string) (all []candidate) {
	known := flags()
	// The value of a flag of ours is for the user to know.
	if n := len(before); n > 0 {
		if f, _, given := findFlag(known, before[n-1]); f != nil && f.early && f.value != "" && !given {
			return nil
		}
	}
	a, err := split(before)
	if err != nil {
		return nil
	}
	*c.options = a.options
	if len(a.words) == 0 && len(a.rest) == 0 {
		if isFlag(last) {
			return ourFlags(known, false)
		}
		if !a.literal {
			for _, own := range ownCommands() {
				all = append(all, candidate{own.name, own.summary})
			}
		}
		return append(all, c.backendCandidates(ctx)...)
	}
	if !a.literal && len(a.words) > 0 {
		switch a.words[0] {
		case "call", "help":
			if a.words = a.words[1:]; len(a.words) == 0 {
				return c.backendCandidates(ctx)
			}
		case "ping", "watch":
			return c.backendCandidates(ctx)
		case "completion":
			return []candidate{{"bash", ""}, {"zsh", ""}, {"fish", ""}}
		case "doctor", "bench", "version":
			return nil
		}
	}
	if len(a.words) == 0 {
		return ourFlags(known, false)
	}
	return c.pathCandidates(ctx, &a, last)
}

func (c *command) backendCandidates(ctx context.Context) (all []candidate) {
	first, err := c.hubs.registry(ctx)
	if err != nil {
		return nil
	}
	all = append(all, candidate{first.Hub(), "The hub at " + first.url})
	backends, err := c.hubs.backends(ctx, first)
	if err != nil {
		return all
	}
	for _, b := range backends {
		if b.Name != first.Hub() {
			all = append(all, candidate{b.Name, b.Description})
		}
	}
	return all
}

// pathCandidates are those for the path, and for the flags behind it.
func (c *command) pathCandidates(ctx context.Context, a *arguments, last string) (all []candidate) {
	at, err := c.hubs.named(ctx, a.words[0])
	if err != nil {
		return nil
	}
	s, err := c.hubs.find(ctx, at, a.words[1:])
	if err != nil || s.untold >= 0 {
		return nil
	}
	if s.method == nil && !isFlag(last) && len(a.rest) == 0 {
		for _, child := range s.level.below() {
			all = append(all, candidate{child.name, child.description})
		}
		for _, m := range s.level.calls() {
			all = append(all, candidate{m.name, m.description})
		}
		return all
	}
	var parameters []property
	if s.method != nil {
		parameters = flagsOf(shape{s.method.params, s.method.params})
	}
	// A flag whose value is to be completed stands right before, or is the
	// beginning of the word.
	if flag, _, ok := strings.Cut(last, "="); ok {
		return valueCandidates(parameters, flag, flag+"=")
	}
	if n := len(a.rest); n > 0 && !isFlag(last) {
		return valueCandidates(parameters, a.rest[n-1], "")
	}
	for _, p := range parameters {
		if !slices.Contains(a.rest, "--"+p.name) || p.accepts().array {
			all = append(all, candidate{"--" + p.name, p.summary()})
		}
	}
	return append(all, ourFlags(flags(), true)...)
}

// valueCandidates are the values that a parameter may have.
func valueCandidates(parameters []property, flag, prefix string) (all []candidate) {
	i := slices.IndexFunc(parameters, func(p property) bool { return "--"+p.name == flag })
	if i < 0 {
		return nil
	}
	a := parameters[i].accepts()
	for _, value := range a.values {
		all = append(all, candidate{prefix + valueText(value), ""})
	}
	if a.boolean && !a.anything {
		all = append(all, candidate{prefix + "true", ""}, candidate{prefix + "false", ""})
	}
	return all
}

func ourFlags(known []flag, behind bool) (all []candidate) {
	for _, f := range known {
		if !behind || !f.early {
			all = append(all, candidate{"--" + f.name, f.help})
		}
	}
	return all
}
