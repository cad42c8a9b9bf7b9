// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var hashOf = func(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func TestParse(t *testing.T) {
	for name, text := range map[string]string{
		"tables": `
# Our tokens.
[[token]]
name = "ci"
hash = "` + hashOf(1) + `"   # of the build server
scopes = [
	"registry:read",
	"*",
]
expires = 2030-01-31T12:00:00+01:00
description = """
[[token]]
"""

[[certificate]]
name = "spiffe://example.org/web"
scopes = []
description = "x"
`,
		"inline": `token = [{name = "ci", hash = '` + hashOf(1) + `', scopes = ["registry:read", "*"], expires = 2030-01-31 11:00:00Z, description = "[[token]]\n"}]
certificate = [{name = "spiffe://example.org/web", scopes = []}]`,
		"with a mark": "\ufeff[[token]]\r\nname = \"ci\"\r\nhash = \"" + hashOf(1) + "\"\r\nscopes = [\"registry:read\", \"*\"]\r\nexpires = 2030-01-31T11:00:00Z\r\ndescription = \"[[token]]\\n\"\r\n" +
			"[[certificate]]\r\nname = \"spiffe://example.org/web\"\r\nscopes = []\r\n",
	} {
		got, err := parse("f", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		entries := slices.Collect(maps.Values(got.tokens))
		if len(entries) != 1 || !entries[0].Expires.Equal(time.Date(2030, 1, 31, 11, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: got %+v", name, got)
			continue
		}
		entries[0].Expires = time.Time{}
		want := Entry{Name: "ci", Hash: hashOf(1), Scopes: []string{"registry:read", "*"}, Description: "[[token]]\n"}
		if !reflect.DeepEqual(entries[0], want) {
			t.Errorf("%s: got %+v", name, entries[0])
		}
		if scopes, ok := got.certificates["spiffe://example.org/web"]; !ok || len(scopes) > 0 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	for _, text := range []string{"", " \n", "# nothing\n", "token = []\n"} {
		if got, err := parse("f", []byte(text)); err != nil || len(got.tokens)+len(got.certificates) > 0 {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	token, _ := newToken(t, "x", time.Time{})
	first := "[[token]]\nname = \"a\"\nhash = \"" + hashOf(1) + "\"\nscopes = []\n" // 4 lines
	second := func(lines string) string {
		return first + "\n[[token]]\nname = \"b\"\n" + lines + "\n" // from line 6
	}
	hash := "hash = \"" + hashOf(2) + "\"\n"
	for name, c := range map[string]struct{ text, want string }{
		"no TOML":              {"[[token]\n", "f:1: "},
		"an unknown table":     {first + "[other]\nx = 1\n", `f:5: unknown key "other"`},
		"an unknown key":       {"version = 1\n" + first, `f:1: unknown key "version"`},
		"a table, not a list":  {"[token]\nname = \"a\"\n", `f:1: token is a table, not an array`},
		"an unknown field":     {second(hash + "scopes = []\nrole = \"x\""), `f:10: token "b": unknown key "role"`},
		"a quoted field":       {second(hash + "scopes = []\n\"r\\u001b\" = 1"), `f:10: token "b": unknown key "r\x1b"`},
		"no name":              {"[[token]]\n" + hash + "scopes = []", `f:1: token 1: name is missing`},
		"no hash":              {second("scopes = []"), `f:6: token "b": hash is missing`},
		"no scopes":            {second(hash), `f:6: token "b": scopes is missing`},
		"a name twice":         {first + "[[token]]\nname = \"a\"\n" + hash + "scopes = []", `f:6: token "a": name is already used on line 2`},
		"a hash twice":         {second("hash = \"" + hashOf(1) + "\"\nscopes = []"), `f:8: token "b": hash is already used on line 3`},
		"an empty name":        {"[[token]]\nname = \"\"\n" + hash + "scopes = []", `f:2: token 1: name is empty`},
		"a long name":          {"[[token]]\nname = \"" + strings.Repeat("n", 257) + "\"\n" + hash + "scopes = []", `f:2: token 1: name is longer than 256`},
		"a name with controls": {"[[token]]\nname = \"a\\u0000\"\n" + hash + "scopes = []", `f:2: token 1: name contains`},
		"a name with marks":    {"[[token]]\nname = \"a\\u202e\"\n" + hash + "scopes = []", `f:2: token 1: name contains`},
		"a number as a hash":   {second("hash = 1\nscopes = []"), `f:8: token "b": hash is an integer, not a string`},
		"the token as hash":    {second("hash = \"" + token + "\"\nscopes = []"), `f:8: a token is written here`},
		"a token in a comment": {second(hash + "scopes = [] # " + token + "!"), `f:9: a token is written here`},
		"another secret":       {second("hash = \"hunter2hunter2\"\nscopes = []"), `f:8: token "b": hash is not sha256: and 64`},
		"upper case":           {second("hash = \"sha256:" + strings.Repeat("A", 64) + "\"\nscopes = []"), `f:8: token "b": hash is not sha256:`},
		"no hexadecimals":      {second("hash = \"sha256:" + strings.Repeat("g", 64) + "\"\nscopes = []"), `f:8: token "b": hash has other`},
		"another hash":         {second("hash = \"sha512:" + strings.Repeat("a", 64) + "\"\nscopes = []"), `f:8: token "b": hash is not`},
		"scopes as text":       {second(hash + "scopes = \"*\""), `f:9: token "b": scopes is a string, not an array of strings`},
		"scopes of numbers":    {second(hash + "scopes = [1]"), `f:9: token "b": scopes has an integer in it`},
		"an empty scope":       {second(hash + "scopes = [\"\"]"), `f:9: token "b": scopes has "", which is empty`},
		"a star within":        {second(hash + "scopes = [\"a:*:b\"]"), `f:9: token "b": scopes has "a:*:b", which has a star`},
		"an empty word":        {second(hash + "scopes = [\"a::b\"]"), `f:9: token "b": scopes has "a::b", which has an empty word`},
		"a colon at the end":   {second(hash + "scopes = [\"a:\"]"), `which has an empty word`},
		"space around a scope": {second(hash + "scopes = [\"a \"]"), `which begins or ends with space`},
		"a long scope":         {second(hash + "scopes = [\"" + strings.Repeat("s", 513) + "\"]"), `which is longer than 512`},
		"an expiry as text":    {second(hash + "scopes = []\nexpires = \"2030-01-31T12:00:00Z\""), `f:10: token "b": expires is a string, not a date and time`},
		"an expiry's zone":     {second(hash + "scopes = []\nexpires = 2030-01-31T12:00:00"), `f:10: token "b": expires is not`},
		"an expiry's time":     {second(hash + "scopes = []\nexpires = 2030-01-31"), `f:10: token "b": expires is not`},
		"an expiry of zero":    {second(hash + "scopes = []\nexpires = 0001-01-01T00:00:00Z"), `f:10: token "b": expires is not within`},
		"an old expiry":        {second(hash + "scopes = []\nexpires = 1960-01-01T00:00:00Z"), `f:10: token "b": expires is not within`},
		"many parts":           {strings.Repeat("a.", 100_000) + "a = 1", "f:1: a key has more than 64 parts"},
		"nested deeply":        {"token = " + strings.Repeat(strings.Repeat("[", 8000)+"\n", 100), "f:1: values are nested more than 64 deep"},
		"certificate: hash":    {"[[certificate]]\nname = \"a\"\nscopes = []\n" + hash, `f:4: certificate "a": unknown key "hash"`},
		"certificate twice":    {strings.Repeat("[[certificate]]\nname = \"a\"\nscopes = []\n", 2), `f:5: certificate "a": name is already used on line 2`},
		"certificate: scope":   {"[[certificate]]\nname = \"a\"\nscopes = [\"*a\"]\n", `f:3: certificate "a": scopes has "*a"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse("f", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			for _, secret := range []string{token, "hunter2"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v shows a secret", err)
				}
			}
			if strings.ContainsFunc(err.Error(), unprintable) {
				t.Errorf("%q breaks a line", err)
			}
		})
	}
}

func TestTokenForm(t *testing.T) {
	token, entry := newToken(t, "a", time.Date(2030, 1, 1, 0, 0, 0, 5, time.FixedZone("", 3600)), "*")
	if len(token) != 52 || !strings.HasPrefix(token, "plx_") || strings.ContainsAny(token, "=+/.") {
		t.Errorf("got %q", token)
	}
	hash, err := digestOf(token)
	if err != nil || entry.Hash != hash.String() || entry.Expires.Format(time.RFC3339Nano) != "2029-12-31T23:00:00Z" {
		t.Errorf("got %+v, %v", entry, err)
	}
	again, _ := newToken(t, "a", time.Time{})
	if again == token {
		t.Error("two tokens are the same")
	}
	// Every other character makes another token, which is found to be mistyped.
	for i := len(tokenPrefix); i < len(token); i++ {
		other := []byte(token)
		other[i]++
		if _, err := digestOf(string(other)); err == nil {
			t.Errorf("%q passes for %q", other, token)
		}
	}
	for _, text := range []string{token, "x" + token + "x", "plx_plx_" + token, "plx_ " + token} {
		if !holdsToken(text) {
			t.Errorf("%q holds a token", text)
		}
	}
	if holdsToken(token[:51]) || holdsToken("plx_"+strings.Repeat("A", 60)) {
		t.Error("found a token where there is none")
	}
	for _, c := range []struct {
		name, scope string
		expires     time.Time
	}{{"", "a", time.Time{}}, {"a", "", time.Time{}}, {"a", "a", time.Unix(-1, 0)}} {
		if token, _, err := NewToken(c.name, []string{c.scope}, c.expires); err == nil || token != "" {
			t.Errorf("%+v: got %q, %v", c, token, err)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add("[[token]]\nname = \"a\"\nhash = \"" + hashOf(1) + "\"\nscopes = [\"a:b*\"]\nexpires = 2030-01-31T12:00:00Z\n")
	f.Add("[[certificate]]\nname = \"a\"\nscopes = []\n# no line end")
	f.Add("token = [{name = \"a\", hash = \"" + hashOf(1) + "\", scopes = []}]")
	f.Add("[[token]]\nname = \"\"\"\n[[token]]\n\"\"\"\n")
	f.Add("\ufeff[token]\n")
	_, added, err := NewToken("added", []string{"*"}, time.Time{})
	must(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parse("f", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") || strings.ContainsFunc(err.Error(), unprintable) {
				t.Errorf("got %q", err)
			}
			return
		}
		for hash, entry := range got.tokens {
			if checked, wrong := entry.check(); wrong != nil || checked != hash {
				t.Errorf("%+v is in force: %v", entry, wrong)
			}
		}
		for name, scopes := range got.certificates {
			if err := checkEntry(name, scopes); err != nil {
				t.Errorf("%q is in force: %v", name, err)
			}
		}
		// What is appended adds one, and changes nothing.
		more, err := appended([]byte(text), added)
		if err != nil {
			t.Fatal(err)
		}
		after, err := parse("f", more)
		if err != nil {
			return // a list that is written inline can't be added to
		}
		hash, _ := added.check()
		delete(after.tokens, hash)
		if len(after.tokens) != len(got.tokens) || len(after.certificates) != len(got.certificates) {
			t.Errorf("got %+v, then %+v", got, after)
		}
	})
}
