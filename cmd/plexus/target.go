// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/plexus-go/plexus/transport/client"
)

// target is what a path leads to.
type target struct {
	*hub
	words  []string // the path behind the hub's name
	schema *schema  // of the activation where the path ends, or the last one on it
	// method is what the path ends with; nil for an activation.
	method *method
	// unknown is the index of the first word that no schema lists, or -1:
	// children may be found at run time only, so a call must show whether
	// there is one.
	unknown int
	missing error // why there is no schema of the word that is looked for
}

// path is the name of the method, or of the activation, for the hub.
func (t *target) path() string {
	if len(t.words) == 1 && t.isCall() {
		return t.name + "." + t.words[0] // one of the hub's own
	}
	return strings.Join(t.words, ".")
}

// title is the hub, as the command line names it, and the path.
func (t *target) title() string {
	return strings.Join(append([]string{cmp.Or(t.called, t.name)}, t.words...), " ")
}

// command is how the target is reached from a shell, whose words are these: as the
// hub's name may be like a flag or a command of plexus.
func (t *target) command(flags ...string) string {
	words := append([]string{"plexus"}, flags...)
	name := cmp.Or(t.called, t.name)
	if t.hub.command || isFlag(name) {
		words = append(words, "--")
	}
	for _, word := range append([]string{name}, t.words...) {
		words = append(words, shellWord(word))
	}
	return strings.Join(words, " ")
}

// shellWord quotes a word for a shell, where it must be.
func shellWord(word string) string {
	if isPlain(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// isCall reports whether the path ends with a method, as far as the schemas
// say.
func (t *target) isCall() bool { return t.method != nil || t.unknown >= 0 }

// find follows a path. It asks no more than it must: the schema of the
// activation that a method is in is mostly the only one. A hub that does not
// even say no (a CallError) ends the search.
func (h *hubs) find(ctx context.Context, at *hub, words []string) (*target, error) {
	t := &target{hub: at, words: words, unknown: -1}
	last := max(0, len(words)-1) // the first word that no schema is known of
	for {
		var err error
		if t.schema, err = h.schemaAt(ctx, at, words[:last]); err == nil {
			break
		}
		switch {
		case is[*client.CallError](err) || len(words) == 0:
			return nil, err
		case last == 0:
			t.unknown = 0
			return t, nil
		}
		t.missing = err
		last--
	}
	if len(words) == 0 {
		return t, nil
	}
	word, behind := words[last], words[last+1:]
	m := t.schema.method(word)
	isMethod := m != nil && !m.isChild()
	switch {
	case isMethod && len(behind) > 0:
		at := &target{hub: at, words: words[:last+1]}
		return nil, usagef("%s follows %s, which is a method", quoted(behind[0]), word).
			withHint("Its parameters are flags: see " + at.command() + " --help.")
	case isMethod:
		t.method = m
		return t, nil
	case len(behind) > 0:
		t.unknown = last
		return t, nil
	}
	child, err := h.schemaAt(ctx, at, words)
	switch {
	case err == nil:
		t.schema = child
	case is[*client.CallError](err):
		return nil, err
	case m != nil:
		t.method = m
	default:
		t.words, t.missing = words[:last], err
		return nil, t.noSuch(word)
	}
	return t, nil
}

// schemaAt asks for the schema of the hub, or of the activation at a path.
func (h *hubs) schemaAt(ctx context.Context, at *hub, path []string) (*schema, error) {
	name := at.name
	if len(path) > 0 {
		name = strings.Join(path, ".")
	}
	content, err := h.one(ctx, at, name+".schema", nil)
	if err != nil && len(path) == 0 && !is[*client.CallError](err) {
		// Not every hub serves itself through its own call.
		ctx, cancel := h.bounded(ctx)
		defer cancel()
		own, direct := at.Schema(ctx, "")
		if direct != nil {
			return nil, direct
		}
		content, err = json.Marshal(own)
	}
	if err != nil {
		return nil, err
	}
	return readSchema(content)
}

// noSuch is the error of a path to what an activation does not have.
func (t *target) noSuch(word string) error {
	names := []string{}
	if t.schema != nil {
		names = t.schema.names()
	}
	if slices.Contains(names, word) {
		return fmt.Errorf("%s lists %s, but does not find it: %w", t.title(), quoted(word), t.missing)
	}
	near := didYouMean(word, names)
	if near == "" && len(names) > 0 && len(names) <= 20 {
		near = "There is " + strings.Join(names, ", ") + "."
	}
	return usagef("%s has no %s", t.title(), quoted(word)).withHint(near, "See "+t.command()+" --help.")
}

// notThere is the error of a path whose unknown word the hub does not know
// either.
func (t *target) notThere() error {
	at := &target{hub: t.hub, words: t.words[:t.unknown], schema: t.schema, missing: t.missing}
	return at.noSuch(t.words[t.unknown])
}
