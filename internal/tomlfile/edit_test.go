// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	const b = "[[entry]]\nlist = [\"x\"]\nname = \"b\"\n"
	for before, want := range map[string]string{
		"":                           b,
		"# c":                        "# c\n\n" + b,
		"[[entry]]\nname = 'a'\n":    "[[entry]]\nname = 'a'\n\n" + b,
		"entry = []":                 b,
		"entry = []\n":               b,
		"# c\nentry=[ ] # none\n# d": "# c\n# d\n\n" + b,
		"\ufeff\"entry\" = []\r\n":   "\ufeff\n" + b,
		"[[entry]]\nx = 'y'\n[[more]]\nentry = []": "[[entry]]\nx = 'y'\n[[more]]\nentry = []\n\n" + b,
	} {
		got, err := Append([]byte(before), "entry", map[string]any{"name": "b", "list": []string{"x"}})
		if err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v, want %q", before, got, err, want)
		}
	}
}

// A table goes with its keys, and everything else stays.
func TestWithout(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"alone":                   {"[[entry]]\nname = 'x'\n", ""},
		"without an end of line":  {"[[entry]]\nname = 'x'", ""},
		"the first":               {"[[entry]]\nname = 'x'\n\n[[entry]]\nname = 'b'\n", "\n[[entry]]\nname = 'b'\n"},
		"the last":                {"[[entry]]\nname = 'b'\n\n[[entry]]\nname = 'x'\nport = 1\n", "[[entry]]\nname = 'b'\n"},
		"between":                 {"[[entry]]\nname='a'\n\n[[entry]]\nname='x'\n\n[[more]]\nname='c'\n", "[[entry]]\nname='a'\n\n[[more]]\nname='c'\n"},
		"comments":                {"# ours\n\n# x\n[[entry]] # c\nname='x' # d\n# e\n\n# f\n", "# ours\n\n# x\n# e\n\n# f\n"},
		"a comment of the next":   {"[[entry]]\nname='x'\n# the next\n[[entry]]\nname='b'", "# the next\n[[entry]]\nname='b'"},
		"comments within":         {"[[entry]]\n# c\nname='x'\n\n# d\nport=1\n", ""},
		"carriage returns":        {"[[entry]]\r\nname='x'\r\n\r\n[[entry]]\r\nname='b'\r\n", "\r\n[[entry]]\r\nname='b'\r\n"},
		"a byte order mark":       {"\ufeff[[entry]]\nname='x'\n[[more]]\n", "\ufeff[[more]]\n"},
		"a string of many lines":  {"[[entry]]\nname='x'\nlist=['''\n[[entry]]\n\n# c\n''']\n[[more]]\n", "[[more]]\n"},
		"its last line a comment": {"[[entry]]\nname='x'\ntext='''\n# c'''\n\n[[more]]\n", "\n[[more]]\n"},
		"an array of many lines":  {"[[entry]]\nname='x'\nlist=[\n# c\n'y',\n\n]\n[[more]]\n", "[[more]]\n"},
	} {
		document, err := Parse("f", []byte(test.text), "entry", "more")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, table := range document.Tables("entry") {
			if table.String("name") != "x" {
				continue
			}
			if got, err := document.Without(table); err != nil || string(got) != test.want {
				t.Errorf("%s: got %q, %v, want %q", name, got, err, test.want)
			}
		}
	}
	document, err := Parse("f", []byte("entry = [{name='x'},\n{name='y'}]"), "entry")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := document.Without(document.Tables("entry")[1]); err == nil || !strings.Contains(err.Error(), `f:1: entry "y": is written within entry = […]`) {
		t.Errorf("got %v", err)
	}
}
