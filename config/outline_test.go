// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// documents are valid TOML that is hard to walk over.
var documents = []string{
	good,
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

func TestSketch(t *testing.T) {
	got, err := sketch("top = 1\n\n[[backend]]\nname = 'a'\nhost = '''\nb'''\nport = 1\n" +
		"[backend.tls]\nname = 'not the one'\nkey = 1\n[[backend]]\n\n\"na\\u006de\" = 'c'\n[other]\nname = 2\n")
	want := outline{
		keys: map[string]int{"top": 1, "backend": 3, "other": 14},
		backends: []place{
			{line: 3, keys: map[string]int{"name": 4, "host": 5, "port": 7, "tls": 8}},
			{line: 11, keys: map[string]int{"name": 13}},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v (%v)\nwant %+v", got, err, want)
	}
}

func TestSketchOfLists(t *testing.T) {
	got, err := sketch("backend = [ {name='a',\nhost='b'},\n\n# {\n{port=1, name.x=2}, 3,\n[{name=4}]]")
	want := outline{
		keys: map[string]int{"backend": 1},
		backends: []place{
			{line: 1, keys: map[string]int{"name": 1, "host": 2}},
			{line: 5, keys: map[string]int{"port": 5, "name": 5}},
			{line: 5, keys: map[string]int{}},
			// What is in a list within the list is found too; nobody asks for it.
			{line: 6, keys: map[string]int{"name": 6}},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v (%v)\nwant %+v", got, err, want)
	}
}

func TestPlaceOfMissingKeyIsThatOfTheBackend(t *testing.T) {
	at := place{line: 7, keys: map[string]int{"name": 8}}
	if at.of("name") != 8 || at.of("host") != 7 || (place{}).of("x") != 0 {
		t.Errorf("got lines %d, %d, %d", at.of("name"), at.of("host"), place{}.of("x"))
	}
}

func TestSketchStopsAtMaxDepth(t *testing.T) {
	nest := func(depth int) string { return "\nx = " + strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	if _, err := sketch(nest(maxDepth)); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	if _, err := sketch(nest(maxDepth) + nest(maxDepth)); err != nil {
		t.Errorf("twice at the bound: %v", err)
	}
	_, err := sketch(nest(maxDepth + 1))
	if located, ok := err.(*FileError); !ok || located.Line != 2 {
		t.Errorf("above the bound: got %v, want an error on line 2", err)
	}
}

// Whatever the library reads, the outline must have found at its place.
func checkSketch(t *testing.T, text string) {
	text = strings.TrimPrefix(text, "\ufeff")
	drawn, tooDeep := sketch(text)
	document, err := decode(text)
	if err != nil || tooDeep != nil {
		return
	}
	lines := 1 + strings.Count(text, "\n")
	check := func(what string, found map[string]int, table map[string]any) {
		got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(table))
		if !slices.Equal(got, want) {
			t.Errorf("keys of %s: got %q, want %q\n%s", what, got, want, text)
		}
		for key, line := range found {
			if line < 1 || line > lines {
				t.Errorf("%s of %s is on line %d of %d", key, what, line, lines)
			}
		}
	}
	check("the document", drawn.keys, document)

	var entries []any
	switch value := document["backend"].(type) {
	case []any:
		entries = value
	case []map[string]any:
		for _, table := range value {
			entries = append(entries, table)
		}
	}
	if len(drawn.backends) != len(entries) {
		t.Fatalf("%d backends, want %d\n%s", len(drawn.backends), len(entries), text)
	}
	for i, entry := range entries {
		if table, ok := entry.(map[string]any); ok {
			check("a backend", drawn.backends[i].keys, table)
		}
	}
}

func TestSketchAgreesWithTheLibrary(t *testing.T) {
	for _, text := range documents {
		checkSketch(t, text)
		checkSketch(t, strings.ReplaceAll(text, "\n", "\r\n"))
	}
}

func FuzzSketch(f *testing.F) {
	for _, seed := range documents {
		f.Add(seed)
	}
	f.Fuzz(checkSketch)
}

// TestLongKeysAreRefused is about a library that needs the square of the parts
// of a key, in time and in memory.
func TestLongKeysAreRefused(t *testing.T) {
	for _, text := range []string{
		"a" + strings.Repeat(".a", 1<<20) + " = 1\n",
		"[a" + strings.Repeat(" . a", 1<<20) + "]\n",
		"[[backend]]\nx = { a" + strings.Repeat(".'a'", 1<<20) + " = 1 }\n",
	} {
		_, err := ParseBackends("backends.toml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "a key has more than 64 parts") {
			t.Errorf("%.20s…: %v", text, err)
		}
	}
	if _, err := sketch("a" + strings.Repeat(".a", maxDepth-1) + " = 1\n"); err != nil {
		t.Errorf("%d parts: %v", maxDepth, err)
	}
}
