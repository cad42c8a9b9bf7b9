// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
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
	"# a\n\n # b\n#\n[[backend]] # c\nname = 'x'\n\n# d",
	"backend.x = 1",
	"[backend]\nname = 'x'",
}

// The library recurses without a bound, and needs the square of a key's parts in
// time and in memory.
func TestDocumentsThatAreTooDeepAreRejected(t *testing.T) {
	nest := func(depth int) string { return "\nx = " + strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	for _, text := range []string{nest(maxDepth) + nest(maxDepth), "a" + strings.Repeat(".a", maxDepth-1) + " = 1\n"} {
		if _, err := findPositions(text); err != nil {
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

// The library decides what is valid; every table and key that it finds has a line.
func checkParse(t *testing.T, text string) {
	document, err := Parse("f", []byte(text), "backend")
	values, want := decode(strings.TrimPrefix(text, "\ufeff"))
	if err == nil && want != nil {
		t.Fatalf("no error, but the library has one: %v\n%s", want, text)
	}
	if err != nil {
		if want == nil && !strings.Contains(err.Error(), "unknown key") && !strings.Contains(err.Error(), "not a") && !strings.Contains(err.Error(), "more than 64") {
			t.Errorf("the library has no error, but there is %v\n%s", err, text)
		}
		return
	}
	count := 1 + strings.Count(text, "\n")
	for _, table := range document.Tables("backend") {
		for key := range table.values {
			if line := table.Line(key); line < 1 || line > count {
				t.Errorf("%s is on line %d of %d\n%s", key, line, count, text)
			}
		}
	}
	if entries, _ := arrayOf(values["backend"]); len(document.Tables("backend")) != len(entries) {
		t.Errorf("%d backends, want %d\n%s", len(document.Tables("backend")), len(entries), text)
	}
}

func TestParseAgreesWithTheLibrary(t *testing.T) {
	for _, text := range documents {
		checkParse(t, text)
		checkParse(t, strings.ReplaceAll(text, "\n", "\r\n"))
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range documents {
		f.Add(seed)
	}
	f.Fuzz(checkParse)
}
