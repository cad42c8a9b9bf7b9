// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/storage"
)

func fromEnv(name, protocol, host string, port int) storage.Backend {
	return storage.Backend{Name: name, Protocol: protocol, Host: host, Port: port, Source: storage.SourceEnv, Active: true}
}

func TestParseEnv(t *testing.T) {
	prod := fromEnv("prod", "wss", "plexus.example.com", 4444)
	dev := fromEnv("dev", "ws", "127.0.0.1", 4446)
	for _, test := range []struct {
		value string
		want  []storage.Backend
	}{
		{"", nil},
		{"  ", nil},
		{"prod=wss://plexus.example.com:4444,dev=ws://127.0.0.1:4446", []storage.Backend{prod, dev}},
		{" dev=ws://127.0.0.1:4446/ ,\tprod=WSS://plexus.example.com:4444\n, ", []storage.Backend{dev, prod}},
		{"six=ws://[::1],a=wss://b", []storage.Backend{fromEnv("six", "ws", "::1", 80), fromEnv("a", "wss", "b", 443)}},
		{"Hübe 1=ws://h,hübe 1=ws://h", []storage.Backend{fromEnv("Hübe 1", "ws", "h", 80), fromEnv("hübe 1", "ws", "h", 80)}},
	} {
		got, err := ParseEnv(test.value)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %+v and %v, want %+v", test.value, got, err, test.want)
		}
		for _, b := range got {
			if err := b.Validate(); err != nil {
				t.Errorf("%q: %v", test.value, err)
			}
		}
	}
}

func TestParseEnvRefuses(t *testing.T) {
	for value, want := range map[string]string{
		",":                                  `entry 1 "": is not name=URL`,
		"a=ws://h,,":                         `entry 2 "": is not name=URL`,
		"a=ws://h,,b=ws://h":                 `entry 2 "": is not name=URL`,
		"prod=wss://h,dev=ws//x":             `entry 2 "dev=ws//x": the URL is not a ws:// or wss:// URL`,
		"ws://h":                             `entry 1 "ws://h": is not name=URL`,
		"a=":                                 `entry 1 "a=": the URL is not a ws:// or wss:// URL`,
		"=ws://h":                            `entry 1 "=ws://h": name "" is empty`,
		"a =ws://h":                          `entry 1 "a =ws://h": name "a " begins or ends with space`,
		"a= ws://h":                          `entry 1 "a= ws://h": the URL is not a ws:// or wss:// URL`,
		"a=b=ws://h":                         `entry 1 "a=b=ws://h": the URL is not a ws:// or wss:// URL`,
		"a\nb=ws://h":                        `entry 1 "a\nb=ws://h": name "a\nb" contains a control character`,
		"a=ws://h:0":                         `entry 1 "a=ws://h:0": the URL has a port that is not 1–65535`,
		"a=ws://h/path":                      `entry 1 "a=ws://h/path": the URL has a path, which no hub has`,
		"a=ws://h,b=ws://h,a=ws://h":         `entry 3 "a=ws://h": the name is already used by entry 1`,
		strings.Repeat("n", 256) + "=ws://h": `entry 1 "` + strings.Repeat("n", 64) + `…": name "` + strings.Repeat("n", 64) + `…" is longer than 255 bytes`,
	} {
		got, err := ParseEnv(value)
		var usage *UsageError
		if !errors.As(err, &usage) || usage.Name != "REGISTRY_BACKENDS" {
			t.Errorf("%q: got %+v and %v, want a UsageError", value, got, err)
			continue
		}
		if err.Error() != "REGISTRY_BACKENDS: "+want {
			t.Errorf("%q: got\n%s, want\nREGISTRY_BACKENDS: %s", value, err, want)
		}
		if env, err := NewEnv(value); env != nil || err == nil {
			t.Errorf("%q: NewEnv takes it", value)
		}
	}
}

func TestEnvIsASource(t *testing.T) {
	env, err := NewEnv("a=ws://h:1,b=ws://h:2")
	if err != nil {
		t.Fatal(err)
	}
	if got := env.Source(); got != storage.SourceEnv {
		t.Errorf("the source is %q", got)
	}
	want := []storage.Backend{fromEnv("a", "ws", "h", 1), fromEnv("b", "ws", "h", 2)}
	for range 2 {
		got, err := env.Load(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v and %v, want %+v", got, err, want)
		}
		clear(got) // the caller's
	}
}

func TestEnvNeverChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, err := NewEnv("a=ws://h")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for range env.Changes(ctx) {
			t.Error("it changed")
		}
		if took := time.Since(begin); took != time.Hour {
			t.Errorf("it ended after %s", took)
		}
	})
}

func FuzzParseEnv(f *testing.F) {
	f.Add("prod=wss://plexus.example.com:4444,dev=ws://127.0.0.1:4446")
	f.Add("a=ws://[::1%25x],=,\x00")
	f.Fuzz(func(t *testing.T, value string) {
		backends, err := ParseEnv(value)
		if err != nil {
			if text := err.Error(); oneLine(text) != text || backends != nil {
				t.Errorf("%d backends and %q", len(backends), text)
			}
			return
		}
		names := map[string]bool{}
		for _, b := range backends {
			if err := b.Validate(); err != nil || names[b.Name] {
				t.Errorf("%+v: %v, again: %t", b, err, names[b.Name])
			}
			names[b.Name] = true
		}
	})
}
