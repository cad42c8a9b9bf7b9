// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// entry is a table with a key of each type.
type entry struct {
	name  string
	port  int
	list  []string
	until time.Time
}

func read(text string) (all []entry, err error) {
	document, err := Parse("f", []byte(text), "entry", "more")
	if err != nil {
		return nil, err
	}
	for _, t := range document.Tables("entry") {
		e := entry{t.String("name"), t.Int("port"), t.Strings("list"), t.Time("until")}
		t.Require("name", "port")
		t.Unique("name")
		if err := t.Err(); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func Example() {
	_, err := read("[[entry]]\nname = \"a\"\nport = \"80\"\n")
	fmt.Println(err)
	// Output: f:3: entry "a": port is a string, not an integer
}

func TestTables(t *testing.T) {
	until := time.Date(2030, 1, 31, 11, 0, 0, 0, time.UTC)
	a, b := entry{name: "a", port: 1}, entry{"b", 65535, []string{"x", "y"}, until}
	const two = "[[entry]]\nname = \"a\"\nport = 1\n[[entry]]\nname = 'b'\nport = 65_535\nlist = ['x','y']\nuntil = 2030-01-31T12:00:00+01:00\n"
	for name, test := range map[string]struct {
		text string
		want []entry
	}{
		"nothing":                        {"", nil},
		"a comment":                      {"# [[entry]]", nil},
		"an empty array":                 {"entry = []", nil},
		"two":                            {two, []entry{a, b}},
		"carriage returns":               {strings.ReplaceAll(two, "\n", "\r\n"), []entry{a, b}},
		"a byte order mark":              {"\ufeff" + two, []entry{a, b}},
		"quoted keys":                    {"[[ \"entry\" ]]\n'name' = \"a\"\n\"po\\u0072t\" = 0x1", []entry{a}},
		"an array in a line":             {"entry = [{name='a',port=1}, {name='b',port=65535,list=['x','y'],until=2030-01-31 11:00:00Z}]", []entry{a, b}},
		"an array over several lines":    {"entry = [\n  # first\n  {name='a',port=1},\n]", []entry{a}},
		"tables of another name between": {"[[entry]]\nname='a'\nport=1\n[[more]]\nname='b'\n", []entry{a}},
	} {
		got, err := read(test.text)
		for i := range got {
			got[i].until = got[i].until.UTC()
		}
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, test.want)
		}
	}
}

func TestWhatIsWrongIsSaidWithItsLine(t *testing.T) {
	const first = "[[entry]]\nname = \"a\"\nport = 1\n" // 3 lines
	// second is the lines of another table, from line 6.
	second := func(lines string) string { return first + "\n[[entry]]\nname = \"x\"\n" + lines + "\n" }
	for name, test := range map[string]struct{ text, want string }{
		"an unknown table":           {first + "[other]\nx = 1\n", `f:4: unknown key "other": there may only be [[entry]] and [[more]] tables`},
		"an unknown key":             {"version = 1\n" + first, `f:1: unknown key "version": there may only be`},
		"the first of several":       {"b=1\na=1\n", `f:1: unknown key "b"`},
		"one table":                  {"\n[entry]\nname=\"x\"", `f:2: entry is a table, not an array: write [[entry]]`},
		"a number for all":           {"entry = 3", `f:1: entry is an integer, not an array`},
		"numbers for tables":         {"entry = [{name='a',port=1},\n3]", `f:1: entry 2: the entry is an integer, not a table`},
		"an unknown key in a table":  {second("prot = 1\nport = 1"), `f:7: entry "x": unknown key "prot": there may be name, port, list and until`},
		"a key of another case":      {second("Port = 1"), `f:7: entry "x": unknown key "Port"`},
		"a key with a line end":      {second("\"a\\nb\" = 1"), `f:7: entry "x": unknown key "a\nb"`},
		"a table in a table":         {second("[entry.tls]\ncert='x'"), `f:7: entry "x": unknown key "tls"`},
		"a missing key":              {second("list = []"), `f:5: entry "x": port is missing`},
		"nothing at all":             {"[[entry]]", `f:1: entry 1: name is missing`},
		"nothing in an array":        {"entry = [\n{name='a',port=1},\n{}]", `f:1: entry 2: name is missing`},
		"the first thing wrong":      {second("prot = 1\nport = '80'"), `f:7: entry "x": unknown key "prot"`},
		"another first thing":        {second("port = '80'\nprot = 1"), `f:7: entry "x": port is a string, not an integer`},
		"a fraction":                 {second("port = 80.0"), `f:7: entry "x": port is a float, not an integer`},
		"a number that is too large": {second("port = 99999999999999999999"), `f:7: 99999999999999999999 is out of range for int64`},
		"a dotted key":               {second("port.number = 80"), `f:7: entry "x": port is a table, not an integer`},
		"a number for a name":        {"[[entry]]\nname = 5\nport = 1", `f:2: entry 1: name is an integer, not a string`},
		"text for an array":          {second("list = 'x'"), `f:7: entry "x": list is a string, not an array of strings`},
		"numbers in an array":        {second("list = ['x', 1]"), `f:7: entry "x": list has an integer in it, and may only have strings`},
		"text for a time":            {second("until = 'x'"), `f:7: entry "x": until is a string, not a date and time`},
		"a time without an offset":   {second("until = 2030-01-31T12:00:00"), `f:7: entry "x": until is not a date and time with an offset`},
		"a date":                     {second("until = 2030-01-31"), `f:7: entry "x": until is not a date and time with an offset`},
		"a name twice":               {first + "\n" + first, `f:6: entry "a": name is already used on line 2`},
		"a name twice, in an array":  {"entry = [\n{name='a',port=1},\n\n{port=2,name='''a'''}]", `f:1: entry "a": name is already used on line 1`},
		"a name with controls":       {"[[entry]]\nname = \"a\\u0000\"", `f:1: entry 1: port is missing`},
		"a name with marks":          {"[[entry]]\nname = \"a\\u202e\"", `f:1: entry 1: port is missing`},
		"a long name":                {"[[entry]]\nname = '" + strings.Repeat("n", 256) + "'", `f:1: entry 1: port is missing`},
		"no value":                   {"[[entry]]\nname =", `f:2: `},
		"no quote":                   {"[[entry]]\nname = \"x\nport=1", `f:2: strings cannot contain newlines`},
		"in a string of many lines":  {"[[entry]]\nname = \"\"\"a\n\\q\n\"\"\"", `f:3: invalid escape`},
		"the first of two mistakes":  {"[[entry]]\nname\nport = '''x\n", `f:2: expected`},
		"a header without an end":    {first + "\n[[entry]\n", `f:5: `},
		"the same key twice":         {second("port=1\nport=2"), `f:8: Key 'entry.port' has already been defined.`},
		"an array and tables":        {"entry=[]\n" + first, `f:2: `},
		"words":                      {"hello world", `f:1: `},
		"binary":                     {"\x00\x01\x02", `f:1: `},
		"not UTF-8":                  {first + "# caf\xe9", `f:4: invalid UTF-8 byte: 0xe9`},
		"UTF-16":                     {"\xff\xfe[\x00[\x00b\x00", `f:1: `},
	} {
		_, err := read(test.text)
		if located := (*Error)(nil); !errors.As(err, &located) || located.Path != "f" || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		} else if oneLine(err.Error()) != err.Error() {
			t.Errorf("%s: not one line: %q", name, err)
		}
	}
}

// Strings and comments that look like tables do not shift any line.
func TestLinesAreFoundBehindWhatLooksLikeTables(t *testing.T) {
	for name, before := range map[string]string{
		"multi-line string":                    "list = [\"\"\"\n[[entry]]\nport = 1\n\\\"\"\"\n\"\"\"]\n",
		"multi-line string that ends in quote": "list = [\"\"\"\n[[entry]]\n\"\"\"\"\"]\n",
		"escaped line end":                     "list = [\"\"\"\\\n   [[entry]]\\\\\"\"\"]\n",
		"raw multi-line string":                "list = ['''\n[[entry]]\\\nport = 1\n''\n''']\n",
		"raw string":                           "list = ['\"\"\"\\']\n",
		"string":                               "list = [\"'''\\\"#\"]\n",
		"empty strings":                        "list = [\"\", # \"\"\"\n '' # '''\n]\n",
		"empty multi-line string":              "list = [\"\"\"\"\"\"]\n",
		"comment":                              "# [[entry]]\n# port = \"\"\"\n",
		"comment after a value":                "list = ['x'] # \"\"\"\n",
		"blank lines":                          "\n\n\t\n  ",
	} {
		for ending, text := range map[string]string{"\n": before, "\r\n": strings.ReplaceAll(before, "\n", "\r\n")} {
			text := "[[entry]]\nname = 'a'\nport = 1\n[[entry]]\nname = 'x'\n" + text + "port = 'wrong'\n"
			_, err := read(text)
			if want := fmt.Sprintf("f:%d: entry \"x\": port is", strings.Count(text, "\n")); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s %q: got %v, want %s", name, ending, err, want)
			}
		}
	}
}

func FuzzTables(f *testing.F) {
	for _, seed := range documents {
		f.Add(strings.ReplaceAll(seed, "backend", "entry"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := read(text)
		if err != nil && (!strings.HasPrefix(err.Error(), "f:") || oneLine(err.Error()) != err.Error()) {
			t.Errorf("not one line that begins with the path: %q", err)
		}
		names := map[string]bool{}
		for _, e := range all {
			if names[e.name] {
				t.Errorf("%q is there twice", e.name)
			}
			names[e.name] = true
		}
	})
}
