// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

const (
	maxFileBytes = 1 << 20
	// maxLineBytes bounds a line of the file of tokens. The toml library takes
	// time and memory by the square of a key's parts, which are on one line.
	maxLineBytes = 8 << 10
	// maxOpen bounds how many brackets may be open at the end of a line, since
	// the library takes a kilobyte of stack and more for each. Two are of use.
	maxOpen = 64
)

// book is what a file of tokens says.
type book struct {
	tokens       map[digest]Entry
	certificates map[string][]string // scopes by name
}

// parser reads one file of tokens.
type parser struct {
	path   string // for the errors
	layout layout
	lines  map[string]int // of each name and hash, by table and value
	book   book
}

// parse reads a file of tokens: tables [[token]] with name, hash and scopes, and
// optionally expires and description, and [[certificate]] with name and scopes,
// and optionally description. A file is taken whole or not at all; the error is
// one line and begins with path and line. It holds no token.
func parse(path string, data []byte) (book, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	p := parser{
		path:  path,
		lines: map[string]int{},
		book:  book{tokens: map[digest]Entry{}, certificates: map[string][]string{}},
	}
	number, open := 0, 0
	for line := range strings.Lines(text) {
		number++
		for _, c := range []byte(line) {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			}
		}
		if open > maxOpen {
			return book{}, p.fail(number, "more than %d brackets are open", maxOpen)
		}
		if len(line) > maxLineBytes {
			return book{}, p.fail(number, "the line is longer than %d bytes", maxLineBytes)
		}
		if holdsToken(line) {
			return book{}, p.fail(number, "a token itself is written here, where at most its hash belongs: whoever has seen the file knows it, so make a new one")
		}
	}
	p.layout = sketch(text)
	document, err := p.decode(text)
	if err != nil {
		return book{}, err
	}
	for _, kind := range slices.Sorted(maps.Keys(document)) {
		if kind != kindToken && kind != kindCertificate {
			return book{}, p.fail(p.layout.of("", 0, kind), "unknown key %.64q: there may only be [[token]] and [[certificate]] tables", kind)
		}
		if err := p.tables(kind, document[kind]); err != nil {
			return book{}, err
		}
	}
	return p.book, nil
}

// fail makes an error about a line; 0 is none.
func (p *parser) fail(line int, format string, args ...any) error {
	where := p.path
	if line > 0 {
		where = fmt.Sprintf("%s:%d", p.path, line)
	}
	return fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...))
}

// decode parses TOML.
func (p *parser) decode(text string) (document map[string]any, err error) {
	defer func() {
		// The library panics where it finds a bug of its own.
		if bug := recover(); bug != nil {
			document, err = nil, p.fail(0, "cannot be parsed: %.200q", fmt.Sprint(bug))
		}
	}()
	_, err = toml.Decode(text, &document)
	if syntax := (toml.ParseError{}); errors.As(err, &syntax) {
		line := syntax.Position.Line
		if strings.Contains(syntax.Message, `got '\n'`) {
			line-- // the library has counted the end of the line already
		}
		return nil, p.fail(line, "%.200s", printable(syntax.Message))
	}
	if err != nil {
		return nil, p.fail(0, "cannot be parsed: %.200s", printable(err.Error()))
	}
	return document, nil
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return ' '
		}
		return r
	}, text)
}

// tables reads all tables of one kind.
func (p *parser) tables(kind string, value any) error {
	var tables []map[string]any
	switch value := value.(type) {
	case []map[string]any: // [[token]]
		tables = value
	case []any: // token = [{…}]
		for _, entry := range value {
			table, ok := entry.(map[string]any)
			if !ok {
				return p.fail(p.layout.of("", 0, kind), "%s is not an array of tables: write [[%s]]", kind, kind)
			}
			tables = append(tables, table)
		}
	default:
		return p.fail(p.layout.of("", 0, kind), "%s is not an array of tables: write [[%s]]", kind, kind)
	}
	p.layout.expect(kind, len(tables))
	for i, table := range tables {
		read := p.certificate
		if kind == kindToken {
			read = p.token
		}
		if refused := read(i, table); refused != nil {
			who := fmt.Sprintf("%s %d", kind, i+1)
			if name, _ := table["name"].(string); checkName(name) == nil {
				who = fmt.Sprintf("%s %q", kind, name)
			}
			return p.fail(p.layout.of(kind, i, refused.key), "%s: %w", who, refused)
		}
	}
	return nil
}

func (p *parser) token(i int, table map[string]any) *keyError {
	refused := checkKeys(table, "name, hash, scopes, expires and description", "name", "hash", "scopes")
	var e Entry
	e.Name, refused = text(table, "name", refused)
	e.Hash, refused = text(table, "hash", refused)
	e.Scopes, refused = texts(table, "scopes", refused)
	e.Expires, refused = moment(table, "expires", refused)
	e.Description, refused = text(table, "description", refused)
	if refused != nil {
		return refused
	}
	hash, err := e.check()
	if errors.As(err, &refused) {
		return refused
	}
	refused = cmp.Or(p.unique(kindToken, i, "name", e.Name), p.unique(kindToken, i, "hash", e.Hash))
	p.book.tokens[hash] = e
	return refused
}

func (p *parser) certificate(i int, table map[string]any) *keyError {
	refused := checkKeys(table, "name, scopes and description", "name", "scopes")
	name, refused := text(table, "name", refused)
	scopes, refused := texts(table, "scopes", refused)
	_, refused = text(table, "description", refused)
	if refused != nil {
		return refused
	}
	if err := checkTable(name, scopes); errors.As(err, &refused) {
		return refused
	}
	p.book.certificates[name] = scopes
	return p.unique(kindCertificate, i, "name", name)
}

// unique refuses a value that an earlier table of the kind has.
func (p *parser) unique(kind string, i int, key, value string) *keyError {
	id := kind + " " + key + " " + value
	if line, taken := p.lines[id]; taken {
		return &keyError{key, fmt.Sprintf("is already used on line %d", line)}
	}
	p.lines[id] = p.layout.of(kind, i, key)
	return nil
}

// checkKeys refuses other keys than those of the list, and a table that lacks
// one that is needed.
func checkKeys(table map[string]any, list string, needed ...string) *keyError {
	known := strings.FieldsFunc(strings.ReplaceAll(list, " and ", ", "), func(r rune) bool { return r == ',' || r == ' ' })
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if !slices.Contains(known, key) {
			return &keyError{key, "is an unknown key: there may be " + list}
		}
	}
	for _, key := range needed {
		if _, ok := table[key]; !ok {
			return &keyError{key, "is missing"}
		}
	}
	return nil
}

// text, texts and moment read the value of a key, which may be missing. They do
// nothing where something was refused before.
func text(table map[string]any, key string, refused *keyError) (string, *keyError) {
	value, ok := table[key].(string)
	if _, there := table[key]; refused == nil && there && !ok {
		return "", &keyError{key, "is not a string"}
	}
	return value, refused
}

func texts(table map[string]any, key string, refused *keyError) (all []string, _ *keyError) {
	values, ok := table[key].([]any)
	for _, value := range values {
		one, isText := value.(string)
		ok = ok && isText
		all = append(all, one)
	}
	if _, there := table[key]; refused == nil && there && !ok {
		return nil, &keyError{key, "is not a list of strings"}
	}
	return all, refused
}

func moment(table map[string]any, key string, refused *keyError) (time.Time, *keyError) {
	value, there := table[key]
	if refused != nil || !there {
		return time.Time{}, refused
	}
	at, ok := value.(time.Time)
	// The library tells by the location what was written without an offset.
	if !ok || strings.HasSuffix(at.Location().String(), "-local") {
		return time.Time{}, &keyError{key, "is not a date and time with an offset, as in 2030-01-31T12:00:00Z, without quotes"}
	}
	if at.IsZero() { // which would be never
		return time.Time{}, &keyError{key, "is not within the years 1970 to 9999"}
	}
	return at, nil
}
