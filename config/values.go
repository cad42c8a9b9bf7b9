// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

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
	"interval":  reader[time.Duration](readInterval),
	"timeout":   reader[time.Duration](readTimeout),
	"idle":      reader[time.Duration](readInterval),
	"count":     reader[int](readCount),
	"size":      reader[int](readSize),
	"anonymous": reader[string](readAnonymous),
	"directory": reader[string](readDirectory),
	"email":     reader[string](readEmail),
	"public":    list[string](readPublicName),
	"url":       addresses{},
	"hosts":     list[string](readAllowedHost),
	"origins":   list[string](readOrigin),
	"network":   list[netip.Prefix](readNetwork),
}

// reader makes a value of text, or tells the rule that the text breaks.
type reader[T any] func(text string) (T, error)

var _ kong.Mapper = reader[int](nil)

// Decode reads the next argument; its errors are of type [*UsageError].
func (r reader[T]) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popText(ctx)
	if err != nil {
		return err
	}
	value, err := r(text)
	if err != nil {
		return refuseText(ctx, text, err)
	}
	target.Set(reflect.ValueOf(value))
	return nil
}

func popText(ctx *kong.DecodeContext) (text string, err error) {
	if ctx.Scan.PopValueInto("value", &text) != nil {
		flag := "--" + ctx.Value.Name
		return "", &UsageError{Name: flag, Rule: "needs a value (" + flag + "=…)"}
	}
	return text, nil
}

func refuseText(ctx *kong.DecodeContext, text string, rule error) error {
	return &UsageError{Name: "--" + ctx.Value.Name, Value: quote(text), Rule: rule.Error()}
}

// addresses reads URLs into a []Address, after those of earlier flags. The
// word off drops these, and adds none.
type addresses struct{}

var _ kong.Mapper = addresses{}

// Decode reads the next argument; its errors are of type [*UsageError].
func (addresses) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popText(ctx)
	if err != nil {
		return err
	}
	if strings.TrimSpace(text) == "off" {
		target.SetZero()
		return nil
	}
	for entry := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(entry) == "off" {
			return refuseText(ctx, text, errors.New("has off beside something else"))
		}
	}
	return list[Address](ParseAddress).add(ctx, text, target)
}

// list reads values between commas, after those of earlier flags.
type list[T comparable] func(text string) (T, error)

var _ kong.Mapper = list[int](nil)

// Decode reads the next argument; its errors are of type [*UsageError].
func (l list[T]) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popText(ctx)
	if err != nil {
		return err
	}
	return l.add(ctx, text, target)
}

func (l list[T]) add(ctx *kong.DecodeContext, text string, target reflect.Value) error {
	values, _ := target.Interface().([]T)
	for entry := range strings.SplitSeq(strings.TrimSuffix(text, ","), ",") {
		entry = strings.TrimSpace(entry)
		value, err := l(entry)
		if err != nil {
			return refuseText(ctx, entry, err)
		}
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	target.Set(reflect.ValueOf(values))
	return nil
}

// most is the bound of counts and sizes, which fit into 32 bits.
const most = 1<<31 - 1

func readCount(text string) (int, error) {
	count, err := strconv.ParseUint(text, 10, 31)
	if err != nil || count == 0 {
		return 0, errors.New("is not a whole number from 1 to 2147483647")
	}
	return int(count), nil
}

// readSize reads bytes, with a unit or without.
func readSize(text string) (int, error) {
	unit := uint64(1)
	digits := text
	for suffix, factor := range map[string]uint64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if before, ok := strings.CutSuffix(text, suffix); ok {
			digits, unit = strings.TrimSpace(before), factor
		}
	}
	size, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || size == 0 || size*unit > most {
		return 0, errors.New("is not a size in bytes, such as 65536, 64KiB or 10MiB, of less than 2GiB")
	}
	return int(size * unit), nil
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

// longest is the bound of durations, far from where sums of them overflow.
const longest = 24 * time.Hour

func readInterval(text string) (time.Duration, error) {
	interval, err := time.ParseDuration(text)
	if err != nil || interval != 0 && (interval < time.Second || interval > longest) {
		return 0, errors.New("is neither 0 nor a duration from 1s to 24h, such as 30s or 1m30s")
	}
	return interval, nil
}

func readTimeout(text string) (time.Duration, error) {
	timeout, err := time.ParseDuration(text)
	if err != nil || timeout <= 0 || timeout > longest {
		return 0, errors.New("is not a duration above 0, such as 2s or 500ms")
	}
	return timeout, nil
}
