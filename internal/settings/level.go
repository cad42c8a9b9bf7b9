// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"errors"
	"log/slog"
	"math"
	"strings"
)

// Levels that slog has no name for.
const (
	levelTrace = slog.LevelDebug - 4 // more than debug
	levelOff   = slog.Level(math.MaxInt)
)

var levels = map[string]slog.Level{
	"off": levelOff, "error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug, "trace": levelTrace,
}

// parseLevel reads a level as Rust programs take it in RUST_LOG: a level, or
// directives such as "plexus=debug,info", upper or lower case. This program
// has one level for everything, so a level without a target wins (the last,
// if there are several), and otherwise the most verbose of those with one.
// Directives without a level are passed over; it is an error if none has one.
func parseLevel(directives string) (level slog.Level, err error) {
	found, bare := false, false // whether there was any, and one without a target
	for directive := range strings.SplitSeq(directives, ",") {
		// A target may hold a "=" of its own: plexus[call{id=7}]=debug.
		at := strings.LastIndexByte(directive, '=')
		// env_logger takes a filter after a slash: info/some text.
		name, _, _ := strings.Cut(directive[at+1:], "/")
		named, ok := levels[strings.ToLower(strings.TrimSpace(name))]
		switch {
		case !ok:
		case at < 0:
			level, found, bare = named, true, true
		case !bare && (!found || named < level):
			level, found = named, true
		}
	}
	if !found {
		return 0, errors.New("must be off, error, warn, info, debug or trace, or directives with one of them")
	}
	return level, nil
}

func formatLevel(level slog.Level) string { return strings.ToLower(level.String()) }
