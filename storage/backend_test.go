// SPDX-License-Identifier: AGPL-3.0-only

package storage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/plexus-go/plexus/storage"
)

func valid() storage.Backend {
	return storage.Backend{Name: "prod", Host: "localhost", Port: 4444, Protocol: "ws", Source: storage.SourceManual}
}

func text(s string) *string { return &s }

func TestValidateAccepts(t *testing.T) {
	for name, change := range map[string]func(*storage.Backend){
		"a plain one":             func(*storage.Backend) {},
		"a name of one letter":    func(b *storage.Backend) { b.Name = "x" },
		"a name with space in it": func(b *storage.Backend) { b.Name = "my hub" },
		"a name in any script":    func(b *storage.Backend) { b.Name = "雪 ☃ é" },
		"the longest name":        func(b *storage.Backend) { b.Name = strings.Repeat("é", 127) + "x" },
		"a host name":             func(b *storage.Backend) { b.Host = "plexus.example.com" },
		"a rooted host name":      func(b *storage.Backend) { b.Host = "example.com." },
		"a host with underscore":  func(b *storage.Backend) { b.Host = "my_hub" },
		"a host with hyphen":      func(b *storage.Backend) { b.Host = "my-hub.x--y" },
		"a host in any script":    func(b *storage.Backend) { b.Host = "bücher.example" },
		"a host with digits":      func(b *storage.Backend) { b.Host = "1.2.3.x4" },
		"the longest label":       func(b *storage.Backend) { b.Host = strings.Repeat("a", 63) },
		"the longest host":        func(b *storage.Backend) { b.Host = strings.Repeat("a.", 126) + "a" },
		"the longest rooted host": func(b *storage.Backend) { b.Host = strings.Repeat("a.", 126) + "a." },
		"IPv4":                    func(b *storage.Backend) { b.Host = "192.0.2.1" },
		"IPv6":                    func(b *storage.Backend) { b.Host = "2001:db8::1" },
		"IPv6, mapped":            func(b *storage.Backend) { b.Host = "::ffff:192.0.2.1" },
		"IPv6 with a zone":        func(b *storage.Backend) { b.Host = "fe80::1%eth0" },
		"the lowest port":         func(b *storage.Backend) { b.Port = 1 },
		"the highest port":        func(b *storage.Backend) { b.Port = 65535 },
		"wss":                     func(b *storage.Backend) { b.Protocol = "wss" },
		"empty texts":             func(b *storage.Backend) { b.Description, b.Namespace, b.Version = text(""), text(""), text("") },
		"the longest description": func(b *storage.Backend) { b.Description = text(strings.Repeat("x", 4096)) },
		"the longest namespace":   func(b *storage.Backend) { b.Namespace = text(strings.Repeat("x", 255)) },
		"the longest version":     func(b *storage.Backend) { b.Version = text(strings.Repeat("x", 255)) },
		"no metadata":             func(b *storage.Backend) { b.Metadata = nil },
		"empty metadata":          func(b *storage.Backend) { b.Metadata = json.RawMessage("{}") },
		"metadata":                func(b *storage.Backend) { b.Metadata = json.RawMessage("{\"a\": [1, null]\n}") },
		"the deepest metadata": func(b *storage.Backend) {
			b.Metadata = json.RawMessage(`{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + "}")
		},
		"metadata with a number in a string": func(b *storage.Backend) {
			b.Metadata = json.RawMessage(`{"a":"\"1e999"}`)
		},
		"the longest metadata": func(b *storage.Backend) { b.Metadata = object(16 << 10) },
		"source auto":          func(b *storage.Backend) { b.Source = storage.SourceAuto },
		"source file":          func(b *storage.Backend) { b.Source = storage.SourceFile },
		"source env":           func(b *storage.Backend) { b.Source = storage.SourceEnv },
	} {
		t.Run(name, func(t *testing.T) {
			b := valid()
			change(&b)
			if err := b.Validate(); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

// Two names that look alike must be alike.
func TestInvisibleCharactersInNames(t *testing.T) {
	for _, r := range []rune{
		0x00AD, 0x034F, // soft hyphen, combining grapheme joiner
		0x115F, 0x1160, 0x3164, 0xFFA0, // Hangul fillers
		0x17B4, 0x180B, 0x180E, // Khmer inherent vowel, Mongolian variation selector and vowel separator
		0x200B, 0x200D, 0x2060, 0xFEFF, // zero width: space, joiner, word joiner, byte order mark
		0x2028, 0x2029, // line and paragraph separator
		0x202E, 0x2066, // right-to-left override, left-to-right isolate
		0x2800,                   // empty Braille pattern
		0xFE0F, 0xE0041, 0xE0100, // variation selectors, tag
		0x2065, 0xFFF0, 0xE01F0, // default ignorable, unassigned
	} {
		err := storage.ValidateName("alpha" + string(r) + "beta")
		if err == nil || !strings.Contains(err.Rule, fmt.Sprintf("U+%04X", r)) {
			t.Errorf("U+%04X: %v", r, err)
		}
	}
	for _, name := range []string{"한글", "ខ្មែរ", "ᠮᠣᠩᠭᠣᠯ", "⠁⠃", "हिन्दी", "עברית", "العربية", "☃", "e\u0301"} {
		if err := storage.ValidateName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
}

// object returns a JSON object of so many bytes.
func object(size int) json.RawMessage {
	const frame = `{"x":""}`
	return json.RawMessage(`{"x":"` + strings.Repeat("y", size-len(frame)) + `"}`)
}

func TestValidateRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*storage.Backend)
		field  string
		rule   string // what it says
	}{
		"no name":                  {func(b *storage.Backend) { b.Name = "" }, "name", "is empty"},
		"a longer name":            {func(b *storage.Backend) { b.Name = strings.Repeat("x", 256) }, "name", "longer than 255 bytes"},
		"a name that is not UTF-8": {func(b *storage.Backend) { b.Name = "a\xff" }, "name", "UTF-8"},
		"space before the name":    {func(b *storage.Backend) { b.Name = " a" }, "name", "space"},
		"space after the name":     {func(b *storage.Backend) { b.Name = "a\u3000" }, "name", "space"},
		"a name of space":          {func(b *storage.Backend) { b.Name = " " }, "name", "space"},
		"NUL in the name":          {func(b *storage.Backend) { b.Name = "a\x00b" }, "name", "control"},
		"a tab in the name":        {func(b *storage.Backend) { b.Name = "a\tb" }, "name", "control"},
		"DEL in the name":          {func(b *storage.Backend) { b.Name = "a\x7fb" }, "name", "control"},
		"a line break in the name": {func(b *storage.Backend) { b.Name = "a\nb" }, "name", "control"},
		"a C1 control in the name": {func(b *storage.Backend) { b.Name = "a\u0085b" }, "name", "control"},

		"no host":                     {func(b *storage.Backend) { b.Host = "" }, "host", "is empty"},
		"a URL":                       {func(b *storage.Backend) { b.Host = "ws://localhost" }, "host", "no scheme"},
		"host and port":               {func(b *storage.Backend) { b.Host = "localhost:4444" }, "host", "no scheme, path or port"},
		"host and path":               {func(b *storage.Backend) { b.Host = "localhost/x" }, "host", "path"},
		"host and user":               {func(b *storage.Backend) { b.Host = "me@localhost" }, "host", "host name"},
		"a host with space":           {func(b *storage.Backend) { b.Host = "local host" }, "host", "host name"},
		"a host with NUL":             {func(b *storage.Backend) { b.Host = "local\x00" }, "host", "host name"},
		"a host that is not UTF-8":    {func(b *storage.Backend) { b.Host = "local\xff" }, "host", "host name"},
		"IPv6 in brackets":            {func(b *storage.Backend) { b.Host = "[::1]" }, "host", "host name"},
		"a wrong IPv6":                {func(b *storage.Backend) { b.Host = "::1::" }, "host", "host name"},
		"a wrong IPv4":                {func(b *storage.Backend) { b.Host = "256.0.0.1" }, "host", "IPv4"},
		"a zone with a path":          {func(b *storage.Backend) { b.Host = "fe80::1%eth0/x" }, "host", "host name"},
		"a zone with a line break":    {func(b *storage.Backend) { b.Host = "fe80::1%a\nb" }, "host", "host name"},
		"a zone that is not UTF-8":    {func(b *storage.Backend) { b.Host = "fe80::1%\xff" }, "host", "host name"},
		"a host of loose UTF-8 bytes": {func(b *storage.Backend) { b.Host = strings.Repeat("\x80", 80) }, "host", "host name"},
		"a short IPv4":                {func(b *storage.Backend) { b.Host = "127.1" }, "host", "IPv4"},
		"a rooted IPv4":               {func(b *storage.Backend) { b.Host = "127.0.0.1." }, "host", "IPv4"},
		"a number for a host":         {func(b *storage.Backend) { b.Host = "2130706433" }, "host", "IPv4"},
		"the root for a host":         {func(b *storage.Backend) { b.Host = "." }, "host", "host name"},
		"an empty label":              {func(b *storage.Backend) { b.Host = "a..b" }, "host", "host name"},
		"an empty first label":        {func(b *storage.Backend) { b.Host = ".a" }, "host", "host name"},
		"a label with a hyphen first": {func(b *storage.Backend) { b.Host = "-a.b" }, "host", "host name"},
		"a label with a hyphen last":  {func(b *storage.Backend) { b.Host = "a-.b" }, "host", "host name"},
		"a longer label":              {func(b *storage.Backend) { b.Host = strings.Repeat("a", 64) }, "host", "host name"},
		"a longer host":               {func(b *storage.Backend) { b.Host = strings.Repeat("a.", 126) + "aa" }, "host", "host name"},
		"port 0":                      {func(b *storage.Backend) { b.Port = 0 }, "port", "1–65535"},
		"a negative port":             {func(b *storage.Backend) { b.Port = -1 }, "port", "1–65535"},
		"port 65536":                  {func(b *storage.Backend) { b.Port = 65536 }, "port", "1–65535"},
		"no protocol":                 {func(b *storage.Backend) { b.Protocol = "" }, "protocol", "neither"},
		"another protocol":            {func(b *storage.Backend) { b.Protocol = "http" }, "protocol", "neither"},
		"a protocol not normalized":   {func(b *storage.Backend) { b.Protocol = "WS" }, "protocol", "neither"},
		"a longer description":        {func(b *storage.Backend) { b.Description = text(strings.Repeat("x", 4097)) }, "description", "longer than 4096"},
		"a longer namespace":          {func(b *storage.Backend) { b.Namespace = text(strings.Repeat("x", 256)) }, "namespace", "longer than 255"},
		"a longer version":            {func(b *storage.Backend) { b.Version = text(strings.Repeat("x", 256)) }, "version", "longer than 255"},
		"a description not UTF-8":     {func(b *storage.Backend) { b.Description = text("\xff") }, "description", "UTF-8"},
		"a namespace not UTF-8":       {func(b *storage.Backend) { b.Namespace = text("\xff") }, "namespace", "UTF-8"},
		"a version not UTF-8":         {func(b *storage.Backend) { b.Version = text("\xff") }, "version", "UTF-8"},
		"deeper metadata": {func(b *storage.Backend) {
			b.Metadata = json.RawMessage(`{"a":"[[[\"[","b":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}")
		}, "metadata", "deeper than 64"},
		"longer metadata":                {func(b *storage.Backend) { b.Metadata = object(16<<10 + 1) }, "metadata", "longer than 16384"},
		"metadata of no bytes":           {func(b *storage.Backend) { b.Metadata = json.RawMessage{} }, "metadata", "JSON object"},
		"metadata null":                  {func(b *storage.Backend) { b.Metadata = json.RawMessage("null") }, "metadata", "JSON object"},
		"metadata that is an array":      {func(b *storage.Backend) { b.Metadata = json.RawMessage("[]") }, "metadata", "JSON object"},
		"metadata that is not JSON":      {func(b *storage.Backend) { b.Metadata = json.RawMessage("{a}") }, "metadata", "JSON object"},
		"metadata of two objects":        {func(b *storage.Backend) { b.Metadata = json.RawMessage("{}{}") }, "metadata", "JSON object"},
		"metadata beyond a double":       {func(b *storage.Backend) { b.Metadata = json.RawMessage(`{"a":[1,"1e999",-1e999]}`) }, "metadata", "too large for a double"},
		"a name with a format character": {func(b *storage.Backend) { b.Name = "a\u202eb" }, "name", "invisible character U+202E"},
		"all addresses":                  {func(b *storage.Backend) { b.Host = "0.0.0.0" }, "host", "not the address of a machine"},
		"all addresses, by IPv6":         {func(b *storage.Backend) { b.Host = "::%eth0" }, "host", "not the address of a machine"},
		"a multicast address":            {func(b *storage.Backend) { b.Host = "ff02::1%eth0" }, "host", "many machines"},
		"the broadcast address":          {func(b *storage.Backend) { b.Host = "255.255.255.255" }, "host", "many machines"},
		"a digit of another script":      {func(b *storage.Backend) { b.Host = "hub٣.example" }, "host", "host name"},
		"a hexadecimal IPv4":             {func(b *storage.Backend) { b.Host = "0x7f000001" }, "host", "IPv4"},
		"a longer zone":                  {func(b *storage.Backend) { b.Host = "fe80::1%" + strings.Repeat("a", 64) }, "host", "host name"},
		"a zone in another script":       {func(b *storage.Backend) { b.Host = "fe80::1%é" }, "host", "host name"},
		"a host with a filler":           {func(b *storage.Backend) { b.Host = "local\u3164host" }, "host", "host name"},
		"a zone with a filler":           {func(b *storage.Backend) { b.Host = "fe80::1%eth\u3164" }, "host", "host name"},
		"metadata that is cut":           {func(b *storage.Backend) { b.Metadata = json.RawMessage("{") }, "metadata", "JSON object"},
		"no source":                      {func(b *storage.Backend) { b.Source = "" }, "source", "not one of"},
		"another source":                 {func(b *storage.Backend) { b.Source = "Auto" }, "source", "not one of"},
		"two wrong fields: the first":    {func(b *storage.Backend) { b.Source, b.Port = "", 0 }, "port", "1–65535"},
		"everything missing: the name":   {func(b *storage.Backend) { *b = storage.Backend{} }, "name", "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			b := valid()
			test.change(&b)
			err := b.Validate()
			var field *storage.FieldError
			if !errors.As(err, &field) {
				t.Fatalf("answers %v", err)
			}
			if field.Field != test.field || !strings.Contains(field.Rule, test.rule) {
				t.Errorf("%s %q, want %s %q", field.Field, field.Rule, test.field, test.rule)
			}
			if want := field.Field + " " + field.Value + " " + field.Rule; err.Error() != want {
				t.Errorf("error %q, want %q", err, want)
			}
		})
	}
}

func TestFieldErrorShowsTheValue(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{" a", `name " a" begins or ends with space`},
		{"a\x00b\x1b[31m", `name "a\x00b\x1b[31m" contains a control character`},
		{strings.Repeat("x", 300), `name "` + strings.Repeat("x", 64) + `…" is longer than 255 bytes`},
		{"x" + strings.Repeat("é", 200), `name "x` + strings.Repeat("é", 31) + `…" is longer than 255 bytes`},
	} {
		if got := storage.ValidateName(test.name); got == nil || got.Error() != test.want {
			t.Errorf("got  %v\nwant %s", got, test.want)
		}
	}
	b := valid()
	b.Port = 70000
	if err := b.Validate(); err == nil || err.Error() != "port 70000 is not 1–65535" {
		t.Errorf("error %v", err)
	}
}

func TestNormalize(t *testing.T) {
	for given, want := range map[string]string{"": "ws", "ws": "ws", "WS": "ws", "Wss": "wss", "HTTP": "http"} {
		b := valid()
		b.Protocol = given
		b.Normalize()
		if b.Protocol != want {
			t.Errorf("%q becomes %q, want %q", given, b.Protocol, want)
		}
	}
	for given, want := range map[string]string{
		"Localhost": "Localhost", "2001:DB8::1": "2001:DB8::1", "fe80::1%eth0": "fe80::1%eth0",
		"Bücher.example": "xn--bcher-kva.example", "bu\u0308cher.example": "xn--bcher-kva.example",
		"hub٣": "hub٣", "ü:1": "ü:1", "": "",
	} {
		b := valid()
		b.Host = given
		b.Normalize()
		if b.Host != want {
			t.Errorf("%q becomes %q, want %q", given, b.Host, want)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("prod", "localhost", 4444, "ws", "a hub", "substrate", "1.0", `{"a":1}`, "manual")
	f.Add("雪", "::1", 0, "WS", "", "", "", "", "auto")
	f.Add("a\x00", "127.1", 65536, "http", "\xff", "\xff", "\xff", "[]", "")
	f.Add(strings.Repeat("é", 200), "a.-b", -1, "WSS", "x", "y", "z", "{}{}", "env")
	f.Add("x", "fe80::1%a/b\n", 1, "ws", "", "", "", "{}", "file")
	f.Add("x", strings.Repeat("\x80", 80), 1, strings.Repeat("\xbf", 80), "", "", "", "{", "file")
	f.Fuzz(func(t *testing.T, name, host string, port int, protocol, description, namespace, version, metadata, source string) {
		b := storage.Backend{
			Name: name, Host: host, Port: port, Protocol: protocol, Source: storage.Source(source),
			Description: &description, Namespace: &namespace, Version: &version, Metadata: json.RawMessage(metadata),
		}
		b.Normalize()
		once := b.Protocol + b.Host
		if b.Normalize(); b.Protocol+b.Host != once {
			t.Errorf("normalizing again makes %q of %q", b.Protocol+b.Host, once)
		}
		if err := b.Validate(); err != nil {
			checkFieldError(t, err)
		} else {
			checkAccepted(t, b)
		}
	})
}

// checkFieldError checks that an error can be shown as it is.
func checkFieldError(t *testing.T, err error) {
	var field *storage.FieldError
	if !errors.As(err, &field) {
		t.Fatalf("error of type %T", err)
	}
	text := err.Error()
	if field.Field == "" || field.Rule == "" || field.Value == "" {
		t.Errorf("error %q lacks a part", text)
	}
	// Each of the at most 64 bytes of the value may need an escape.
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n\r\x1b") || len(text) > 64*10+200 {
		t.Errorf("error %q can't be shown", text)
	}
}

// checkAccepted checks what others rely on for a backend that was accepted.
func checkAccepted(t *testing.T, b storage.Backend) {
	for _, text := range []string{b.Name, b.Host, *b.Description, *b.Namespace, *b.Version, string(b.Source)} {
		if !utf8.ValidString(text) {
			t.Errorf("%q is not valid UTF-8", text)
		}
	}
	if b.Name == "" || len(b.Name) > storage.MaxNameBytes || strings.ContainsAny(b.Name, "\x00\r\n\t\x1b\x7f") {
		t.Errorf("name %q", b.Name)
	}
	if b.Host == "" || strings.ContainsAny(b.Host, "/@?#[] \x00\r\n\t\"\\") {
		t.Errorf("host %q", b.Host)
	}
	if b.Port < 1 || b.Port > 65535 || b.Protocol != "ws" && b.Protocol != "wss" {
		t.Errorf("address %s", fmt.Sprint(b.Protocol, b.Port))
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(b.Metadata, &object); err != nil || object == nil || len(b.Metadata) > 16<<10 {
		t.Errorf("metadata %q: %v", b.Metadata, err)
	}
	// Validating changes nothing, and answers the same again.
	if err := b.Validate(); err != nil {
		t.Errorf("refused at the second time: %v", err)
	}
}
