// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// format is what a text has to be, besides a text, as far as we know it:
// "duration" or "date-time"; empty for anything.
func (s shape) format() string {
	s = s.resolved()
	if s.at == nil {
		return ""
	}
	format := s.at.Format
	if alternatives := append(slices.Clip(s.at.AnyOf), s.at.OneOf...); len(alternatives) > 0 {
		texts := 0
		for _, alternative := range alternatives {
			if other := (shape{s.root, alternative}).resolved(); other.at != nil && other.accepts().text {
				texts++
				format = other.at.Format
			}
		}
		if texts != 1 {
			return ""
		}
	}
	if format == "duration" || format == "date-time" {
		return format
	}
	return ""
}

// formatName is what help calls a text of a format.
func formatName(format string) string {
	if format == "duration" {
		return "DURATION (90s, PT1M30S)"
	}
	return strings.ToUpper(format)
}

// checkFormat tells whether a text has the format. A date and time is for the
// hub to judge.
func checkFormat(name, text, format string) error {
	if format != "duration" {
		return nil
	}
	if _, err := time.ParseDuration(text); err == nil {
		return nil
	}
	if isoDuration.MatchString(text) && strings.ContainsAny(text, "0123456789") {
		return nil
	}
	return usagef("%s is a duration such as 90s or PT1M30S, not %s", name, quoted(text))
}

// isoDuration is about what ISO 8601 allows: hubs differ in what they take of
// it.
var isoDuration = regexp.MustCompile(`^[+-]?P(?:\d+(?:[.,]\d+)?[YMWD])*(?:T(?:\d+(?:[.,]\d+)?[HMS])+)?$`)
