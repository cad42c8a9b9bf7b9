// SPDX-License-Identifier: AGPL-3.0-only

package helptext

import (
	"strings"
	"testing"
)

func TestCells(t *testing.T) {
	for _, test := range []struct {
		text  string
		cells int
		cut   string // to 3 cells
	}{
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abcd", 4, "ab…"},
		{"日本", 4, "日…"},
		{"a日本", 5, "a…"},
		{"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
		{"e\u0301e\u0301e\u0301e", 4, "e\u0301e\u0301…"},
		{"\u1100\u1161\u11a8", 2, "\u1100\u1161\u11a8"}, // one syllable in three letters
		{"ＡＢ", 4, "Ａ…"},
		{"ﾊﾌﾞ", 3, "ﾊﾌﾞ"},
		{"😀", 2, "😀"},
		{"नमस्ते", 4, "नम…"},
	} {
		if got := Cells(test.text); got != test.cells {
			t.Errorf("%s takes %d cells, want %d", test.text, got, test.cells)
		}
		if got := Cut(test.text, 3); got != test.cut {
			t.Errorf("%s is cut to %q, want %q", test.text, got, test.cut)
		}
	}
}

// TestWideHelp: columns and paragraphs of wide characters are aligned, and no wider
// than others.
func TestWideHelp(t *testing.T) {
	var text Text
	text.Columns([][2]string{{"日本", "one"}, {"abcdef", "two"}, {"cafe\u0301", "three"}})
	text.Paragraphs("  ", strings.Repeat("日", 100))
	want := "  日本    one\n  abcdef  two\n  cafe\u0301    three\n  " +
		strings.Repeat("日", 39) + "\n  " + strings.Repeat("日", 39) + "\n  " + strings.Repeat("日", 22) + "\n"
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
}
