// SPDX-License-Identifier: AGPL-3.0-only

package echo_test

import (
	"context"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/echo"
)

func method(t *testing.T, name string) plugin.Method {
	t.Helper()
	for _, m := range echo.New().Define().Methods {
		if m.Name() == name {
			return m
		}
	}
	t.Fatalf("no method %q", name)
	return plugin.Method{}
}

func TestEcho(t *testing.T) {
	for _, test := range []struct {
		method, params string
		want           string
	}{
		{"once", `{"message":"a"}`, `{"message":"a","number":1}`},
		{"once", `""`, `{"message":"","number":1}`},
		{"repeat", `{"message":"a","count":2}`, `{"message":"a","number":1} {"message":"a","number":2}`},
		{"repeat", `"é"`, `{"message":"é","number":1} {"message":"é","number":2} {"message":"é","number":3}`},
		{"repeat", `{"message":"a","count":0}`, ``},
	} {
		m := method(t, test.method)
		in, err := m.Bind([]byte(test.params), false)
		if err != nil {
			t.Errorf("%s %s: %v", test.method, test.params, err)
			continue
		}
		var got []string
		for content, err := range m.Handle(t.Context(), in) {
			if err != nil {
				t.Errorf("%s %s: %v", test.method, test.params, err)
			}
			text, err := codec.AppendJSON(nil, content)
			if err != nil {
				t.Error(err)
			}
			got = append(got, string(text))
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s %s: %s, want %s", test.method, test.params, s, test.want)
		}
	}
}

func TestRepeatIsBounded(t *testing.T) {
	m := method(t, "repeat")
	if _, err := m.Bind([]byte(`["a",1000000]`), true); err != nil {
		t.Errorf("the most that may be: %v", err)
	}
	_, err := m.Bind([]byte(`["a",1000001]`), true)
	if err == nil || err.Error() != "Invalid params: count 1000001 is more than 1000000" {
		t.Errorf("one more: %v", err)
	}
}

func TestRepeatEndsWithItsContext(t *testing.T) {
	m := method(t, "repeat")
	in, err := m.Bind([]byte(`["a",1000000]`), true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	for range m.Handle(ctx, in) {
		if n++; n == 2 {
			cancel()
		}
	}
	cancel()
	if n != 2 {
		t.Errorf("%d items, cancelled after 2", n)
	}
}
