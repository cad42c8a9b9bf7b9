// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/plexus-go/plexus/storage"
)

// readers are the kinds of values that a setting may have beside kong's own,
// by what its "type" tag says.
var readers = map[string]kong.Mapper{
	"port":      reader[int](readPort),
	"host":      reader[string](readHost),
	"file":      reader[string](readFile),
	"level":     reader[slog.Level](ParseLevel),
	"namespace": reader[string](readNamespace),
}

// reader makes a value of text, or tells the rule that the text breaks.
type reader[T any] func(text string) (T, error)

var _ kong.Mapper = reader[int](nil)

// Decode reads the next argument; its errors are of type [*UsageError].
func (r reader[T]) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	flag := "--" + ctx.Value.Name
	var text string
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return &UsageError{Name: flag, Rule: "needs a value (" + flag + "=…)"}
	}
	value, err := r(text)
	if err != nil {
		return &UsageError{Name: flag, Value: quote(text), Rule: err.Error()}
	}
	target.Set(reflect.ValueOf(value))
	return nil
}

func readPort(text string) (int, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, errors.New("is not a whole number from 0 to 65535")
	}
	return int(port), nil
}

// readHost takes what a backend's host may be. An empty one is refused: to the
// net package it would mean every interface.
func readHost(text string) (string, error) {
	backend := storage.Backend{Name: "host", Host: text, Port: 1, Protocol: "ws", Source: storage.SourceManual}
	if refused := (*storage.FieldError)(nil); errors.As(backend.Validate(), &refused) {
		return "", errors.New(refused.Rule)
	}
	return text, nil
}

func readFile(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("is empty")
	case strings.ContainsRune(text, 0):
		return "", errors.New("contains a zero byte")
	}
	return text, nil
}

// readNamespace takes one segment of a dotted path.
func readNamespace(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("is empty")
	case len(text) > storage.MaxNamespaceBytes:
		return "", fmt.Errorf("is longer than %d bytes", storage.MaxNamespaceBytes)
	}
	for i, r := range text {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
		case i > 0 && ('0' <= r && r <= '9' || r == '-' || r == '_'):
		default:
			return "", errors.New("is not a letter followed by letters, digits, hyphens and underscores")
		}
	}
	return text, nil
}
