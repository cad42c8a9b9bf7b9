// SPDX-License-Identifier: AGPL-3.0-only

package helptext

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Cells is how many columns of a terminal a text takes: two for a wide character,
// none for a mark on the one before it.
func Cells(text string) (n int) {
	for _, r := range text {
		n += cells(r)
	}
	return n
}

func cells(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf), r >= 0x1160 && r <= 0x11ff, r >= 0xd7b0 && r <= 0xd7ff: // also vowels and ends of Hangul syllables
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Cut shortens a text to so many cells.
func Cut(text string, maxCells int) string {
	if Cells(text) <= maxCells {
		return text
	}
	head, _ := split(text, maxCells-1)
	return head + "…"
}

// split returns as much of the start of a text as so many cells hold, and the rest.
func split(text string, room int) (head, rest string) {
	for i, r := range text {
		if room -= cells(r); room < 0 {
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// Pad fills a text up to so many cells.
func Pad(text string, minCells int) string {
	return text + strings.Repeat(" ", max(0, minCells-Cells(text)))
}
