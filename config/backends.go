// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/plexus-go/plexus/storage"
)

// ReadBackends reads the file at path, as [ParseBackends] says. Errors are of
// type [*FileError]; where there is no file, the error is [fs.ErrNotExist] to
// [errors.Is] and the list empty, which most callers take for a file without
// backends. Nothing but a regular file (or a link to one) of up to 16 MiB is
// read.
func ReadBackends(path string) ([]storage.Backend, error) {
	seen := take(path)
	if seen.err != nil {
		return nil, seen.err
	}
	return ParseBackends(path, seen.data)
}

// ParseBackends reads backends.toml: tables [[backend]] with the keys name,
// host and port, and optionally protocol, description and namespace. The path
// is only for the errors, which are all of type [*FileError].
//
// The backends come in the order of the file, normalized and valid, with
// storage.SourceFile and active, without id, times and revision, and no two
// with one name. If anything in the file is wrong there are none.
func ParseBackends(path string, data []byte) ([]storage.Backend, error) {
	backends, err := parseBackends(string(data))
	if err != nil {
		err.File = path
		return nil, err
	}
	return backends, nil
}

// parseBackends leaves FileError.File to its caller.
func parseBackends(text string) ([]storage.Backend, *FileError) {
	text = strings.TrimPrefix(text, "\ufeff")
	outline, err := sketch(text)
	if err == nil {
		var document map[string]any
		if document, err = decode(text); err == nil {
			return documentBackends(document, outline)
		}
	}
	if located := (*FileError)(nil); errors.As(err, &located) {
		return nil, located
	}
	return nil, &FileError{Err: err}
}

// decode parses TOML. Syntax errors are of type [*FileError], without a file.
func decode(text string) (document map[string]any, err error) {
	defer func() {
		// The library panics where it finds a bug of its own.
		if bug := recover(); bug != nil {
			document, err = nil, fmt.Errorf("cannot be parsed: %v", bug)
		}
	}()
	_, err = toml.Decode(text, &document)
	if syntax := (toml.ParseError{}); errors.As(err, &syntax) {
		line := syntax.Position.Line
		if strings.Contains(syntax.Message, `got '\n'`) {
			line-- // the library has counted the end of the line already
		}
		err = &FileError{Line: line, Err: errors.New(syntax.Message)}
	}
	return document, err
}

func documentBackends(document map[string]any, outline outline) ([]storage.Backend, *FileError) {
	for _, key := range byLine(document, func(key string) int { return outline.keys[key] }) {
		if key != "backend" {
			return nil, &FileError{Line: outline.keys[key], Err: fmt.Errorf("unknown key %s: there may only be [[backend]] tables", quote(key))}
		}
	}
	var entries []any
	switch value := document["backend"].(type) {
	case nil:
		return nil, nil
	case []any: // backend = [{…}, {…}]
		entries = value
	case []map[string]any: // [[backend]]
		for _, table := range value {
			entries = append(entries, table)
		}
	default:
		return nil, &FileError{Line: outline.keys["backend"], Err: fmt.Errorf("backend is %s, not an array: write [[backend]]", kind(value))}
	}

	backends := make([]storage.Backend, 0, len(entries))
	lines := make(map[string]int, len(entries)) // of each name
	for i, entry := range entries {
		var at place
		if i < len(outline.backends) {
			at = outline.backends[i]
		}
		backend, refused := entryBackend(entry, at)
		if refused == nil {
			line, again := lines[backend.Name]
			if !again {
				lines[backend.Name] = at.of("name")
				backends = append(backends, backend)
				continue
			}
			refused = &FileError{Line: at.of("name"), Err: fmt.Errorf("name is already used on line %d", line)}
		}
		refused.Index = i + 1
		if storage.ValidateName(backend.Name) == nil {
			refused.Backend = backend.Name
		}
		return nil, refused
	}
	return backends, nil
}

// entryBackend makes a backend of what one [[backend]] holds. With an error,
// the backend has at least its name, if that could be read.
func entryBackend(entry any, at place) (storage.Backend, *FileError) {
	backend := storage.Backend{Source: storage.SourceFile, Active: true}
	table, ok := entry.(map[string]any)
	if !ok {
		return backend, &FileError{Line: at.line, Err: fmt.Errorf("the entry is %s, not a table", kind(entry))}
	}
	backend.Name, _ = table["name"].(string)

	for _, key := range byLine(table, at.of) {
		if err := setField(&backend, key, table[key]); err != nil {
			return backend, &FileError{Line: at.of(key), Err: err}
		}
	}
	for _, key := range []string{"name", "host", "port"} {
		if _, ok := table[key]; !ok {
			return backend, &FileError{Line: at.line, Err: errors.New(key + " is missing")}
		}
	}
	backend.Normalize()
	if err := backend.Validate(); err != nil {
		line := at.line
		if field := (*storage.FieldError)(nil); errors.As(err, &field) {
			line = at.of(field.Field)
		}
		return backend, &FileError{Line: line, Err: err}
	}
	return backend, nil
}

// setField checks the type of a value only; [storage.Backend.Validate] does
// the rest.
func setField(backend *storage.Backend, key string, value any) error {
	if key == "port" {
		number, ok := value.(int64)
		if !ok {
			return fmt.Errorf("port is %s, not an integer", kind(value))
		}
		backend.Port = int(number)
		if int64(backend.Port) != number { // where int has 32 bits
			return &storage.FieldError{Field: key, Value: fmt.Sprint(number), Rule: "is not 1–65535"}
		}
		return nil
	}

	text, ok := value.(string)
	switch key {
	case "name":
		backend.Name = text
	case "host":
		backend.Host = text
	case "protocol":
		backend.Protocol = text
	case "description":
		backend.Description = &text
	case "namespace":
		backend.Namespace = &text
	default:
		return fmt.Errorf("unknown key %s: there may be name, host, port, protocol, description and namespace", quote(key))
	}
	if !ok {
		return fmt.Errorf("%s is %s, not a string", key, kind(value))
	}
	return nil
}

// byLine returns the keys of table in the order of their lines, so that what
// is reported first is what is wrong first.
func byLine(table map[string]any, line func(key string) int) []string {
	return slices.SortedFunc(maps.Keys(table), func(a, b string) int {
		return cmp.Or(cmp.Compare(line(a), line(b)), strings.Compare(a, b))
	})
}

// kind names the TOML type of a decoded value, with its article.
func kind(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	case []any, []map[string]any:
		return "an array"
	}
	return fmt.Sprintf("a %T", value)
}
