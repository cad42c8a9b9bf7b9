// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/tomlfile"
	"github.com/plexus-go/plexus/storage"
)

// fromFile is a backend as the file gives it.
func fromFile(name, host string, port int) storage.Backend {
	return storage.Backend{Name: name, Host: host, Port: port, Protocol: "ws", Source: storage.SourceFile}
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
		{"an empty array", "backend = []", nil},
		{"everything", "[[backend]]\nname=\"prod\"\nhost=\"hub.example.com\"\nport=4444\nprotocol=\"WSS\"\ndescription=\"\"\"\nThe hub\nof all\"\"\"\nnamespace=\"\"\n", []storage.Backend{full}},
		{"two", two, []storage.Backend{a, b}},
		{"in the order of the file", "[[backend]]\nname='b'\nhost='10.0.0.1'\nport=65535\n[[backend]]\nname='a'\nhost='::1'\nport=1", []storage.Backend{b, a}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseBackends("backends.toml", []byte(test.text))
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

// The tests of tomlfile have all else that can be wrong with tables.
func TestParseBackendsRejects(t *testing.T) {
	const path = "/path/backends.toml"
	// entry is the lines of one backend, of which the given one is on line 9.
	entry := func(line string) string {
		return good + "\n[[backend]]\nname = \"x\"\n# host and port follow\n" + line + "\n"
	}
	for _, test := range []struct {
		name, text, want string
	}{
		{"one name, composed and not", "[[backend]]\nname = \"café\"\nhost = \"h\"\nport = 1\n[[backend]]\nname = \"cafe\u0301\"\nhost = \"h\"\nport = 1", `:6: backend "cafe` + "\u0301" + `": name is already used on line 2`},
		// What is missing is reported where the backend begins.
		{"no port", good + "\n\n[[backend]]\nname = \"x\"\nhost = \"localhost\"", `:7: backend "x": port is missing`},
		{"no host", good + "[[backend]]\nport = 1\nname = \"x\"", `:5: backend "x": host is missing`},

		// Bad values, where they stand.
		{"port too high", "[[backend]]\nname=\"prod\"\nhost=\"h\"\nport=70000", `:4: backend "prod": port 70000 is not 1–65535`},
		{"port zero", entry("port=0\nhost='h'"), `:9: backend "x": port 0 is not 1–65535`},
		{"negative port", entry("port=-1\nhost='h'"), `:9: backend "x": port -1 is not 1–65535`},
		{"host with a scheme", entry("host='ws://h'\nport=1"), `:9: backend "x": host "ws://h" is not a host name, IPv4 or IPv6 address (no scheme, path or port)`},
		{"empty host", entry("host=''\nport=1"), `:9: backend "x": host "" is empty`},
		{"protocol", entry("protocol='http'\nhost='h'\nport=1"), `:9: backend "x": protocol "http" is neither "ws" nor "wss"`},
		{"long description", entry("description='" + strings.Repeat("d", 4097) + "'\nhost='h'\nport=1"), `:9: backend "x": description "dddd`},
		{"long namespace", entry("namespace='" + strings.Repeat("d", 256) + "'\nhost='h'\nport=1"), `:9: backend "x": namespace "dddd`},
		{"empty name", "[[backend]]\nhost='h'\nport=1\nname=''", `:4: backend 1: name "" is empty`},

		// Wrong types.
		{"port in quotes", entry("port=\"80\"\nhost='h'"), `:9: backend "x": port is a string, not an integer`},
		{"description", entry("description=1979-05-27 07:32:00Z"), `:9: backend "x": description is a date or time, not a string`},

		// Unknown keys.
		{"in a backend", entry("hots='h'"), `:9: backend "x": unknown key "hots": there may be name, host, port, protocol, description and namespace`},
		{"what is not for files", entry("id='7'"), `:9: backend "x": unknown key "id"`},

		// Names that are there twice.
		{"duplicate", good + "\n" + good, `:7: backend "good": name is already used on line 2`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseBackends(path, []byte(test.text))
			checkError(t, path, got, err)
			if !strings.HasPrefix(err.Error(), path+test.want) {
				t.Errorf("got  %s\nwant %s%s", err, path, test.want)
			}
		})
	}
}

// checkError expects what is true of every error.
func checkError(t *testing.T, path string, got []storage.Backend, err error) {
	t.Helper()
	if located := (*tomlfile.Error)(nil); got != nil || !errors.As(err, &located) || located.Path != path {
		t.Fatalf("got %v and %v", got, err)
	}
}

func FuzzParseBackends(f *testing.F) {
	f.Add([]byte(good + good))
	f.Add([]byte(strings.ReplaceAll(good, "1", "70000")))
	f.Add([]byte("backend = [{name='a', host='b', port=1}, {\"name\" = 'c'}, ]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		backends, err := parseBackends("/f", data)
		if err != nil {
			checkError(t, "/f", backends, err)
			return
		}
		names := map[string]bool{}
		for _, backend := range backends {
			if err := backend.Validate(); err != nil {
				t.Errorf("%+v: %v", backend, err)
			}
			if backend.Source != storage.SourceFile || !backend.Active() || names[backend.Name] {
				t.Errorf("of another source, inactive, or there twice: %+v", backend)
			}
			names[backend.Name] = true
		}
	})
}
