// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/plexus-go/plexus/storage"
)

func fromEnv(name, protocol, host string, port int) storage.Backend {
	return storage.Backend{Name: name, Protocol: protocol, Host: host, Port: port, Source: storage.SourceEnv}
}

func TestEnv(t *testing.T) {
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
		{"b=ws://bücher.example,z=ws://[fe80::1%25eth0]:1", []storage.Backend{fromEnv("b", "ws", "xn--bcher-kva.example", 80), fromEnv("z", "ws", "fe80::1%eth0", 1)}},
		{"cafe\u0301=ws://h", []storage.Backend{fromEnv("café", "ws", "h", 80)}},
		{"Hübe 1=ws://h,hübe 1=ws://h", []storage.Backend{fromEnv("Hübe 1", "ws", "h", 80), fromEnv("hübe 1", "ws", "h", 80)}},
	} {
		env, err := NewEnv(test.value)
		if err != nil {
			t.Errorf("%q: %v", test.value, err)
			continue
		}
		got, err := env.Load(t.Context())
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

func TestEnvRejects(t *testing.T) {
	for value, want := range map[string]string{
		",":                                  `entry 1 "": must be name=URL`,
		"a=ws://h,,":                         `entry 2 "": must be name=URL`,
		"a=ws://h,,b=ws://h":                 `entry 2 "": must be name=URL`,
		"prod=wss://h,dev=ws//x":             `entry 2 "dev=ws//x": the URL must be a ws:// or wss:// URL`,
		"ws://h":                             `entry 1 "ws://h": must be name=URL`,
		"a=":                                 `entry 1 "a=": the URL must be a ws:// or wss:// URL`,
		"café=ws://h,cafe\u0301=ws://h":      "entry 2 \"cafe\u0301=ws://h\": the name is already used by entry 1",
		"=ws://h":                            `entry 1 "=ws://h": name "" is empty`,
		"a =ws://h":                          `entry 1 "a =ws://h": name "a " begins or ends with space`,
		"a= ws://h":                          `entry 1 "a= ws://h": the URL must be a ws:// or wss:// URL`,
		"a=b=ws://h":                         `entry 1 "a=b=ws://h": the URL must be a ws:// or wss:// URL`,
		"a\nb=ws://h":                        `entry 1 "a\nb=ws://h": name "a\nb" contains a control character`,
		"a=ws://h:0":                         `entry 1 "a=ws://h:0": the URL must have a port of 1–65535`,
		"a=ws://h/path":                      `entry 1 "a=ws://h/path": the URL must not have a path`,
		"a=ws://h,b=ws://h,a=ws://h":         `entry 3 "a=ws://h": the name is already used by entry 1`,
		strings.Repeat("n", 256) + "=ws://h": `entry 1 "` + strings.Repeat("n", 64) + `": name "` + strings.Repeat("n", 64) + `…" is longer than 255 bytes`,
	} {
		if env, err := NewEnv(value); env != nil || err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want\n%s", value, err, want)
		}
	}
}

func TestEnvNeverChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, err := NewEnv("a=ws://h:1,b=ws://h:2")
		if err != nil || env.Source() != storage.SourceEnv {
			t.Fatal(env, err)
		}
		want := []storage.Backend{fromEnv("a", "ws", "h", 1), fromEnv("b", "ws", "h", 2)}
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for range 2 {
			got, err := env.Load(ctx)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v and %v, want %+v", got, err, want)
			}
			clear(got) // the caller's
			for range env.Changes(ctx) {
				t.Error("it changed")
			}
		}
		if took := time.Since(begin); took != time.Hour {
			t.Errorf("it ended after %s", took)
		}
	})
}

func FuzzEnv(f *testing.F) {
	f.Add("prod=wss://plexus.example.com:4444,dev=ws://127.0.0.1:4446")
	f.Add("a=ws://[::1%25x],=,\x00")
	f.Fuzz(func(t *testing.T, value string) {
		env, err := NewEnv(value)
		if err != nil {
			if text := err.Error(); strings.ContainsFunc(text, unicode.IsControl) || env != nil {
				t.Errorf("%v and %q", env, text)
			}
			return
		}
		names := map[string]bool{}
		for _, b := range env.backends {
			if err := b.Validate(); err != nil || names[b.Name] {
				t.Errorf("%+v: %v, again: %t", b, err, names[b.Name])
			}
			names[b.Name] = true
		}
	})
}
