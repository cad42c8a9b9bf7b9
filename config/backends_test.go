// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/storage"
)

func ExampleParseBackends() {
	_, err := ParseBackends("/etc/plexus/backends.toml", []byte(`
[[backend]]
name = "prod"
host = "hub.example.com"
port = 70000
`))
	fmt.Println(err)
	// Output: /etc/plexus/backends.toml:5: backend "prod": port 70000 is not 1–65535
}

// fromFile is a backend as the file gives it.
func fromFile(name, host string, port int) storage.Backend {
	return storage.Backend{Name: name, Host: host, Port: port, Protocol: "ws", Source: storage.SourceFile, Active: true}
}

func TestParseBackends(t *testing.T) {
	full := fromFile("prod", "hub.example.com", 4444)
	full.Protocol, full.Description, full.Namespace = "wss", new("The hub\nof all"), new("")
	a, b := fromFile("a", "::1", 1), fromFile("b", "10.0.0.1", 65535)
	const two = "[[backend]]\nname = \"a\"\nhost = \"::1\"\nport = 1\n[[backend]]\nname = 'b'\nhost = \"10.0.0.1\"\nport = 65_535\n"
	for _, test := range []struct {
		name, text string
		want       []storage.Backend
	}{
		{"nothing", "", nil},
		{"a comment", "# [[backend]]", nil},
		{"an empty array", "backend = []", nil},
		{"everything", "[[backend]]\nname=\"prod\"\nhost=\"hub.example.com\"\nport=4444\nprotocol=\"WSS\"\ndescription=\"\"\"\nThe hub\nof all\"\"\"\nnamespace=\"\"\n", []storage.Backend{full}},
		{"two", two, []storage.Backend{a, b}},
		{"in the order of the file", "[[backend]]\nname='b'\nhost='10.0.0.1'\nport=65535\n[[backend]]\nname='a'\nhost='::1'\nport=1", []storage.Backend{b, a}},
		{"carriage returns", strings.ReplaceAll(two, "\n", "\r\n"), []storage.Backend{a, b}},
		{"byte order mark", "\ufeff" + two, []storage.Backend{a, b}},
		{"quoted keys", "[[ \"backend\" ]]\n'name' = \"a\"\n\"ho\\u0073t\" = \"::1\"\nport = 0x1", []storage.Backend{a}},
		{"an array of tables in a line", "backend = [{name='a',host='::1',port=1}, {name='b',host='10.0.0.1',port=65535}]", []storage.Backend{a, b}},
		{"an array over several lines", "backend = [\n  # first\n  {name='a',host='::1',port=1},\n  {name='b',host='10.0.0.1',port=65535},\n]", []storage.Backend{a, b}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseBackends("backends.toml", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(test.want) || len(got) > 0 && !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

const good = "[[backend]]\nname = \"good\"\nhost = \"localhost\"\nport = 1\n" // 4 lines

func TestParseBackendsRefuses(t *testing.T) {
	const path = "/path/backends.toml"
	// entry is the lines of one backend, of which the given one is on line 9.
	entry := func(line string) string {
		return good + "\n[[backend]]\nname = \"x\"\n# host and port follow\n" + line + "\n"
	}
	many := strings.Repeat("[", maxDepth+1)
	for _, test := range []struct {
		name, text, want string
	}{
		// What is missing is reported where the backend begins.
		{"no port", good + "\n\n[[backend]]\nname = \"x\"\nhost = \"localhost\"", `:7: backend "x": port is missing`},
		{"no host", good + "[[backend]]\nport = 1\nname = \"x\"", `:5: backend "x": host is missing`},
		{"no name", good + "[[backend]]\nport = 1\n", `:5: backend 2: name is missing`},
		{"nothing at all", "[[backend]]", `:1: backend 1: name is missing`},
		{"nothing in a list", "backend = [\n{name='a',host='b',port=1},\n{}]", `:3: backend 2: name is missing`},
		{"no port before the next", "[[backend]]\nname='x'\nhost='y'\n" + good, `:1: backend "x": port is missing`},

		// Bad values, where they stand.
		{"port too high", "[[backend]]\nname=\"prod\"\nhost=\"h\"\nport=70000", `:4: backend "prod": port 70000 is not 1–65535`},
		{"port zero", entry("port=0\nhost='h'"), `:9: backend "x": port 0 is not 1–65535`},
		{"negative port", entry("port=-1\nhost='h'"), `:9: backend "x": port -1 is not 1–65535`},
		{"huge port", entry("port=4294967297\nhost='h'"), `:9: backend "x": port 4294967297 is not 1–65535`},
		{"host with a scheme", entry("host='ws://h'\nport=1"), `:9: backend "x": host "ws://h" is not a host name, IPv4 or IPv6 address (no scheme, path or port)`},
		{"empty host", entry("host=''\nport=1"), `:9: backend "x": host "" is empty`},
		{"protocol", entry("protocol='http'\nhost='h'\nport=1"), `:9: backend "x": protocol "http" is neither "ws" nor "wss"`},
		{"long description", entry("description='" + strings.Repeat("d", 4097) + "'\nhost='h'\nport=1"), `:9: backend "x": description "dddd`},
		{"long namespace", entry("namespace='" + strings.Repeat("d", 256) + "'\nhost='h'\nport=1"), `:9: backend "x": namespace "dddd`},
		{"empty name", "[[backend]]\nhost='h'\nport=1\nname=''", `:4: backend 1: name "" is empty`},
		{"line end in a name", "[[backend]]\nhost='h'\nport=1\nname=\"a\\nb\"", `:4: backend 1: name "a\nb" contains a control character`},
		{"long name", "[[backend]]\nname='" + strings.Repeat("n", 256) + "'\nhost='h'\nport=1", `:2: backend 1: name "nnn`},
		{"bad value in a list", "backend = [\n{name='a',host='b',port=1},\n{name='b',\nhost='-',\nport=1}]", `:4: backend "b": host "-" is not`},

		// Wrong types.
		{"port in quotes", entry("port=\"80\"\nhost='h'"), `:9: backend "x": port is a string, not an integer`},
		{"port with a fraction", entry("port=80.0\nhost='h'"), `:9: backend "x": port is a float, not an integer`},
		{"port table", entry("[backend.port]\nnumber=80"), `:9: backend "x": port is a table, not an integer`},
		{"dotted port", entry("port.number=80"), `:9: backend "x": port is a table, not an integer`},
		{"port out of bounds", entry("port=99999999999999999999"), `:9: 99999999999999999999 is out of range for int64`},
		{"name", "[[backend]]\nname=5\nhost='h'\nport=1", `:2: backend 1: name is an integer, not a string`},
		{"host", entry("host=[\"h\"]"), `:9: backend "x": host is an array, not a string`},
		{"protocol true", entry("protocol=true"), `:9: backend "x": protocol is a boolean, not a string`},
		{"description", entry("description=1979-05-27 07:32:00Z"), `:9: backend "x": description is a date or time, not a string`},
		{"namespace", entry("namespace={}"), `:9: backend "x": namespace is a table, not a string`},
		{"host tables", entry("[[backend.host]]\nx=1"), `:9: backend "x": host is an array, not a string`},
		{"one table", "\n[backend]\nname=\"x\"", `:2: backend is a table, not an array: write [[backend]]`},
		{"a number for all", "backend = 3", `:1: backend is an integer, not an array: write [[backend]]`},
		{"numbers for tables", "backend = [{name='a',host='b',port=1},\n3]", `:2: backend 2: the entry is an integer, not a table`},

		// Unknown keys.
		{"backends", "\n\n[[backends]]\nname=\"x\"", `:3: unknown key "backends": there may only be [[backend]] tables`},
		{"stray key", "# comment\nname = \"x\"\n" + good, `:2: unknown key "name": there may only be`},
		{"stray table after", good + "[server]\n", `:5: unknown key "server": there may only be`},
		{"the first of several", "b=1\na=1\n", `:1: unknown key "b"`},
		{"empty key", "\"\" = 1", `:1: unknown key "": there may only be`},
		{"in a backend", entry("hots='h'"), `:9: backend "x": unknown key "hots": there may be name, host, port, protocol, description and namespace`},
		{"of another case", entry("Host='h'"), `:9: backend "x": unknown key "Host"`},
		{"a table in a backend", entry("[backend.tls]\ncert='x'"), `:9: backend "x": unknown key "tls"`},
		{"in a backend without a name", "[[backend]]\nx=1", `:2: backend 1: unknown key "x"`},
		{"with a line end", entry("\"a\\nb\"=1"), `:9: backend "x": unknown key "a\nb"`},
		{"the first thing wrong", entry("hots='h'\nport='80'"), `:9: backend "x": unknown key "hots"`},
		{"what is not for files", entry("id='7'"), `:9: backend "x": unknown key "id"`},

		// Names that are there twice.
		{"duplicate", good + "\n" + good, `:7: backend "good": name is already used on line 2`},
		{"duplicate in another spelling", good + "\n" + strings.ReplaceAll(good, "\"good\"", "'''good'''"), `:7: backend "good": name is already used on line 2`},
		{"duplicate in a list", "backend = [\n{name='a',host='b',port=1},\n\n{host='c',port=2,name='a'}]", `:4: backend "a": name is already used on line 2`},

		// No TOML.
		{"no value", "[[backend]]\nname =", `:2: `},
		{"no quote", good + "[[backend]]\nname = \"x\nhost=1", `:6: strings cannot contain newlines`},
		{"the same key twice", entry("port=1\nport=2"), `:10: Key 'backend.port' has already been defined.`},
		{"table and list", "backend=[]\n" + good, `:2: `},
		{"words", "hello world", `:1: `},
		{"binary", "\x00\x01\x02", `:1: `},
		{"not UTF-8", good + "# caf\xe9", `:5: invalid UTF-8 byte: 0xe9`},
		{"UTF-16", "\xff\xfe[\x00[\x00b\x00", `:1: `},
		{"too deep", good + "x=" + many, `:5: values are nested more than 64 deep`},
		{"much too deep", "x=" + strings.Repeat("[", 1<<20), `:1: values are nested more than 64 deep`},
		{"too deep in tables", "x=" + strings.Repeat("{a=", 1<<20), `:1: values are nested more than 64 deep`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseBackends(path, []byte(test.text))
			checkFileError(t, path, got, err)
			if !strings.HasPrefix(err.Error(), path+test.want) {
				t.Errorf("got  %s\nwant %s%s", err, path, test.want)
			}
		})
	}
}

// checkFileError expects what is true of every refusal.
func checkFileError(t *testing.T, path string, got []storage.Backend, err error) {
	t.Helper()
	var refused *FileError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v and %v, want a FileError", got, err)
	}
	if refused.File != path || refused.Err == nil {
		t.Errorf("incomplete: %#v", refused)
	}
	if got != nil {
		t.Errorf("backends with an error: %+v", got)
	}
	if text := err.Error(); !strings.HasPrefix(text, path+":") || oneLine(text) != text {
		t.Errorf("not one line that begins with the path: %q", text)
	}
}

func TestFileErrorTellsItsParts(t *testing.T) {
	_, err := ParseBackends("f", []byte(good+"[[backend]]\nname='x'\nhost='h'\nport=0"))
	var refused *FileError
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	if refused.File != "f" || refused.Line != 8 || refused.Index != 2 || refused.Backend != "x" {
		t.Errorf("got %#v", refused)
	}
	var field *storage.FieldError
	if !errors.As(err, &field) || field.Field != "port" {
		t.Errorf("%v does not wrap the error about the port", err)
	}
}

// Strings and comments that look like tables must not shift any line.
func TestLinesAreFoundBehindWhatLooksLikeTables(t *testing.T) {
	for name, before := range map[string]string{
		"multi-line string":                    "description = \"\"\"\n[[backend]]\nport = 1\n\\\"\"\"\n\"\"\"\n",
		"multi-line string that ends in quote": "description = \"\"\"\n[[backend]]\n\"\"\"\"\"\n",
		"escaped line end":                     "description = \"\"\"\\\n   [[backend]]\\\\\"\"\"\n",
		"raw multi-line string":                "description = '''\n[[backend]]\\\nport = 1\n''\n'''\n",
		"raw string":                           "description = '\"\"\"\\'\n",
		"string":                               "description = \"'''\\\"#\"\n",
		"empty strings":                        "description = \"\" # \"\"\"\nnamespace = '' # '''\n",
		"empty multi-line string":              "description = \"\"\"\"\"\"\n",
		"comment":                              "# [[backend]]\n# port = \"\"\"\n",
		"comment after a value":                "namespace = 'x' # \"\"\"\n",
		"blank lines":                          "\n\n\t\n  ",
	} {
		for ending, text := range map[string]string{"\n": before, "\r\n": strings.ReplaceAll(before, "\n", "\r\n")} {
			t.Run(fmt.Sprintf("%s %q", name, ending), func(t *testing.T) {
				text := good + "[[backend]]\nname = 'x'\n" + text + "host = 'h'\nport = 0\n"
				_, err := ParseBackends("f", []byte(text))
				var refused *FileError
				if !errors.As(err, &refused) {
					t.Fatalf("got %v, want a FileError", err)
				}
				if want := strings.Count(text, "\n"); refused.Line != want || refused.Backend != "x" {
					t.Errorf("got %v, want line %d", err, want)
				}
			})
		}
	}
}

func TestReadBackends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backends.toml")
	write(t, path, []byte(good))
	got, err := ReadBackends(path)
	if want := []storage.Backend{fromFile("good", "localhost", 1)}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}

	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	if got, err := ReadBackends(link); err != nil || len(got) != 1 {
		t.Errorf("through a link: got %+v and %v", got, err)
	}
}

func TestReadBackendsWithoutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backends.toml")
	got, err := ReadBackends(path)
	checkFileError(t, path, got, err)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if count := strings.Count(err.Error(), path); count != 1 {
		t.Errorf("the path is there %d times: %v", count, err)
	}
}

func TestReadBackendsRefuses(t *testing.T) {
	directory := t.TempDir()
	in := func(name string) string { return filepath.Join(directory, name) }
	write(t, in("invalid"), []byte("[[backend]]"))
	write(t, in("large"), bytes.Repeat([]byte("#\n"), maxFileBytes/2+1))
	write(t, in("one byte too large"), bytes.Repeat([]byte("#"), maxFileBytes+1))
	if err := os.Symlink(in("loop"), in("loop")); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	for _, test := range []struct{ path, want string }{
		{in("invalid"), `:1: backend 1: name is missing`},
		{in("large"), `: cannot be read: larger than 16 MiB`},
		{in("one byte too large"), `: cannot be read: larger than 16 MiB`},
		{directory, `: cannot be read: not a regular file`},
		{in("loop"), `: cannot be read: `},
		{os.DevNull, `: cannot be read: not a regular file`},
		{filepath.Join(in("invalid"), "below"), `: cannot be read: `},
	} {
		t.Run(filepath.Base(test.path), func(t *testing.T) {
			got, err := ReadBackends(test.path)
			checkFileError(t, test.path, got, err)
			if !strings.HasPrefix(err.Error(), test.path+test.want) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v, want %s%s", err, test.path, test.want)
			}
		})
	}
}

func TestReadBackendsTakesTheLargestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backends.toml")
	write(t, path, append([]byte(good), bytes.Repeat([]byte("#"), maxFileBytes-len(good))...))
	if got, err := ReadBackends(path); err != nil || len(got) != 1 {
		t.Errorf("got %+v and %v", got, err)
	}
}

func TestReadBackendsWithoutPermission(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backends.toml")
	write(t, path, []byte(good))
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if file, err := os.Open(path); err == nil {
		_ = file.Close()
		t.Skip("this user may read everything")
	}
	got, err := ReadBackends(path)
	checkFileError(t, path, got, err)
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want fs.ErrPermission", err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzParseBackends(f *testing.F) {
	for _, seed := range documents {
		f.Add([]byte(seed))
	}
	f.Add([]byte(good + good))
	f.Add([]byte(strings.ReplaceAll(good, "1", "70000")))
	f.Fuzz(func(t *testing.T, data []byte) {
		backends, err := ParseBackends("/f", data)
		if err != nil {
			checkFileError(t, "/f", backends, err)
			return
		}
		names := map[string]bool{}
		for _, backend := range backends {
			if err := backend.Validate(); err != nil {
				t.Errorf("%+v: %v", backend, err)
			}
			if backend.Source != storage.SourceFile || !backend.Active || names[backend.Name] {
				t.Errorf("of another source, inactive, or there twice: %+v", backend)
			}
			names[backend.Name] = true
		}
	})
}

// TestSyntaxErrorAtTheEndOfALine is about a library that counts the line end
// before it complains.
func TestSyntaxErrorAtTheEndOfALine(t *testing.T) {
	_, err := ParseBackends("backends.toml", []byte("[[backend]]\nname = \"a\"\nhost = \"h\"\nport = 1\n\n[[backend]\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "backends.toml:6: ") {
		t.Errorf("the error is %v, and should be on line 6", err)
	}
}
