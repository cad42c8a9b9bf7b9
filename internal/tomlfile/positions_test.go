// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// documents are valid TOML that is hard to walk over.
var documents = []string{
	"[[backend]]\nname = \"good\"\nhost = \"localhost\"\nport = 1\n",
	"backend = []",
	"backend = [{name='a', host='b', port=1}, {\"name\" = 'c'}, ]",
	"backend = [\n[{name='a'}], # ]\n'''\n]''', 3, {x = [{name = 1}], name.y = 2}\n]",
	"[[backend]]\n[backend.tls]\nname = 1\n[[backend.more]]\n[[backend.more]]\nx=1\n[[backend]]\nhost.name = 'x'",
	"[[ 'backend' ]] # ]]\n\"name\" = \"\"\"\"\"\"\n[[\"backend\"]]",
	"a.b.'c.d'.\"e\\\"f\" = 1\n[a.g]\nbackend = [1]\n[[x.backend]]\nname = 1",
	"d = 1979-05-27 07:32:00Z # x\nf = -1e-7\nt = 07:32:00\nb = true\ni = [+1,0x_,]",
	"s = \"\"\"a\\\"\"\"\\\n  \"\"b\"\"\"\"\"\n[t]\n's' = '''\n'a''b'''''\n",
	"\"\" = 1\n'\"' = 2\n\"\\\\e\" = 3\n\"\\e\" = 4\n\"\\t\\u00e9\" = 5",
	"x = {a = {b = [\"}\", ']']}, c = \"\"\"\n\"\"\"}\r\ny = 2\r\n",
	"x = {\n a = 1, # }\n b = 2,\n}\ny = 1",
	"\t[ a . b ]\t# c\n\tc\t=\t1\n",
	"backend.x = 1",
	"[backend]\nname = 'x'",
}

func TestPositions(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       positions
	}{
		{"tables", "top = 1\n\n[[backend]]\nname = 'a'\nhost = '''\nb'''\nport = 1\n" +
			"[backend.tls]\nname = 'not the one'\nkey = 1\n[[backend]]\n\n\"na\\u006de\" = 'c'\n[other]\nname = 2\n[[more]]\nx=1", positions{
			map[string]int{"top": 1, "backend": 3, "other": 14, "more": 16},
			map[string][]tablePosition{
				"backend": {{3, map[string]int{"name": 4, "host": 5, "port": 7, "tls": 8}}, {11, map[string]int{"name": 13}}},
				"more":    {{16, map[string]int{"x": 17}}},
			}}},
		{"arrays", "backend = [ {name='a',\nhost='b'},\n\n# {\n{port=1, name.x=2}, 3,\n[{name=4}]]", positions{
			map[string]int{"backend": 1},
			map[string][]tablePosition{"backend": {
				{1, map[string]int{"name": 1, "host": 2}}, {5, map[string]int{"port": 5, "name": 5}}, {5, map[string]int{}},
				// What is in an array within the array is found too; nobody asks for it.
				{6, map[string]int{"name": 6}},
			}}}},
	} {
		got, err := findPositions(test.text, []string{"backend", "more"})
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got  %+v (%v)\nwant %+v", test.name, got, err, test.want)
		}
	}
}

// The library recurses without a bound, and needs the square of a key's parts in
// time and in memory.
func TestDocumentsThatAreTooDeepAreRejected(t *testing.T) {
	nest := func(depth int) string { return "\nx = " + strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	for _, text := range []string{nest(maxDepth) + nest(maxDepth), "a" + strings.Repeat(".a", maxDepth-1) + " = 1\n"} {
		if _, err := findPositions(text, nil); err != nil {
			t.Errorf("at the bound: %v", err)
		}
	}
	for text, want := range map[string]string{
		nest(maxDepth + 1):                                                  "f:2: values are nested more than 64 deep",
		"x=" + strings.Repeat("[", 1<<20):                                   "f:1: values are nested more than 64 deep",
		"x=" + strings.Repeat("{a=", 1<<20):                                 "f:1: values are nested more than 64 deep",
		"a" + strings.Repeat(".a", 1<<20) + " = 1\n":                        "f:1: a key has more than 64 parts",
		"[a" + strings.Repeat(" . a", 1<<20) + "]\n":                        "f:1: a key has more than 64 parts",
		"[[backend]]\nx = { a" + strings.Repeat(".'a'", 1<<20) + " = 1 }\n": "f:2: a key has more than 64 parts",
	} {
		if _, err := Parse("f", []byte(text), "backend"); err == nil || err.Error() != want {
			t.Errorf("%.20q…: got %v, want %s", text, err, want)
		}
	}
}

// Whatever the library reads, must have been found at its place.
func checkPositions(t *testing.T, text string) {
	text = strings.TrimPrefix(text, "\ufeff")
	found, tooDeep := findPositions(text, []string{"backend"})
	document, err := decode(text)
	if err != nil || tooDeep != nil {
		return
	}
	count := 1 + strings.Count(text, "\n")
	check := func(what string, lines map[string]int, table map[string]any) {
		got, want := slices.Sorted(maps.Keys(lines)), slices.Sorted(maps.Keys(table))
		if !slices.Equal(got, want) {
			t.Errorf("keys of %s: got %q, want %q\n%s", what, got, want, text)
		}
		for key, line := range lines {
			if line < 1 || line > count {
				t.Errorf("%s of %s is on line %d of %d", key, what, line, count)
			}
		}
	}
	check("the document", found.keys, document)

	entries, _ := arrayOf(document["backend"])
	if len(found.tables["backend"]) != len(entries) {
		t.Fatalf("%d backends, want %d\n%s", len(found.tables["backend"]), len(entries), text)
	}
	for i, entry := range entries {
		if table, ok := entry.(map[string]any); ok {
			check("a backend", found.tables["backend"][i].keys, table)
		}
	}
}

func TestPositionsAgreeWithTheLibrary(t *testing.T) {
	for _, text := range documents {
		checkPositions(t, text)
		checkPositions(t, strings.ReplaceAll(text, "\n", "\r\n"))
	}
}

func FuzzPositions(f *testing.F) {
	for _, seed := range documents {
		f.Add(seed)
	}
	f.Fuzz(checkPositions)
}
