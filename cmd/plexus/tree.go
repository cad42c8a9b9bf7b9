// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/plexus-go/plexus/transport/client"
)

// spot is where a path leads to.
type spot struct {
	*hub
	words []string // the path behind the hub's name
	level *level   // where the path ends, or the last one that it passed
	// method is what the path ends with; nil for a level.
	method *method
	// untold is the first word that no schema tells of, or -1: children may
	// be found at run time only, so a call has to show whether there is one.
	untold int
}

// path is the name of the method, or of the level, for the hub.
func (s *spot) path() string {
	if len(s.words) == 1 && s.isCall() {
		return s.Hub() + "." + s.words[0] // one of the hub's own
	}
	return strings.Join(s.words, ".")
}

// command is how the spot is reached from the command line.
func (s *spot) command() string {
	return strings.Join(append([]string{"plexus", s.Hub()}, s.words...), " ")
}

// isCall tells that the path ends with a method, as far as anybody can tell.
func (s *spot) isCall() bool { return s.method != nil || s.untold >= 0 }

// find follows a path. It asks no more than it must: the level that a method
// is in is mostly the only one.
func (h *hubs) find(ctx context.Context, at *hub, words []string) (*spot, error) {
	s := &spot{hub: at, words: words, untold: -1}
	if len(words) == 0 {
		var err error
		s.level, err = h.levelAt(ctx, at, nil)
		return s, err
	}
	before, last := words[:len(words)-1], words[len(words)-1]
	parent, err := h.levelAt(ctx, at, before)
	switch {
	case unanswered(err):
		return nil, err
	case err != nil:
		return s, h.whereItEnds(ctx, s)
	}
	m := parent.method(last)
	if m != nil && !m.isChild() {
		s.level, s.method = parent, m
		return s, nil
	}
	s.level, err = h.levelAt(ctx, at, words)
	switch {
	case unanswered(err):
		return nil, err
	case err != nil && m != nil:
		s.level, s.method = parent, m
		return s, nil
	case err != nil:
		s.level, s.words = parent, before
		return nil, s.misspelt(last)
	}
	return s, nil
}

// whereItEnds finds the last level of a path that can be asked for its
// schema.
func (h *hubs) whereItEnds(ctx context.Context, s *spot) error {
	for s.untold = range s.words {
		next, err := h.levelAt(ctx, s.hub, s.words[:s.untold])
		if unanswered(err) {
			return err
		}
		if err != nil {
			s.untold = max(0, s.untold-1)
			return s.behindMethod()
		}
		s.level = next
	}
	return s.behindMethod()
}

// behindMethod refuses a path that goes on behind a method.
func (s *spot) behindMethod() error {
	if s.level == nil {
		return nil
	}
	name := s.words[s.untold]
	if m := s.level.method(name); m == nil || m.isChild() || s.untold+1 == len(s.words) {
		return nil
	}
	at := &spot{hub: s.hub, words: s.words[:s.untold+1]}
	return usagef("%s follows %s, which is a method", quoted(s.words[s.untold+1]), name).
		withHint("Its parameters are flags: see " + at.command() + " --help.")
}

// levelAt asks for the schema of a level, by its path from the hub.
func (h *hubs) levelAt(ctx context.Context, at *hub, path []string) (*level, error) {
	name := at.Hub()
	if len(path) > 0 {
		name = strings.Join(path, ".")
	}
	content, err := h.one(ctx, at, name+".schema", nil)
	if err != nil && len(path) == 0 && !unanswered(err) {
		// Not every hub serves itself through its own call.
		ctx, cancel := h.bounded(ctx)
		defer cancel()
		own, direct := at.Schema(ctx, "")
		if direct != nil {
			return nil, direct
		}
		if content, err = json.Marshal(own); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	return readLevel(content)
}

// unanswered tells that the hub did not even say no.
func unanswered(err error) bool {
	var call *client.CallError
	return errors.As(err, &call)
}

// misspelt says that a level has nothing of that name.
func (s *spot) misspelt(word string) error {
	names := []string{}
	if s.level != nil {
		names = s.level.names()
	}
	near := didYouMean(word, names)
	if near == "" && len(names) > 0 && len(names) <= 20 {
		near = "There is " + strings.Join(names, ", ") + "."
	}
	return usagef("%s has no %s", strings.TrimPrefix(s.command(), "plexus "), quoted(word)).
		withHint(near, "See "+s.command()+" --help.")
}

// wrongWord is the error of a path whose untold word is nothing to the hub.
func (s *spot) wrongWord() error {
	at := &spot{hub: s.hub, words: s.words[:s.untold], level: s.level}
	return at.misspelt(s.words[s.untold])
}
