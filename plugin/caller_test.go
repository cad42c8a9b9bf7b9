// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"errors"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

func TestMay(t *testing.T) {
	for _, test := range []struct {
		held, needed string
		want         bool
	}{
		{"registry:write", "registry:write", true},
		{"registry:write", "registry:write:alpha", true},
		{"registry:write", "registry:write:team-a:x", true},
		{"registry:write", "registry:writer", false},
		{"registry:write", "registry:read", false},
		{"registry:write", "registry", false},
		{"registry:write:alpha", "registry:write", false},
		{"registry:write:alpha", "registry:write:beta", false},
		{"registry", "registry:write:alpha", true},
		{"registry", "registry-b:write", false},
		{"*", "anything:at:all", true},
		{"*", "", true},
		{"registry:*", "registry:write", true},
		{"registry:*", "registry", false},
		{"registry:write:team-a-*", "registry:write:team-a-web", true},
		{"registry:write:team-a-*", "registry:write:team-b-web", false},
		{"registry:write:team-a-*", "registry:write:team-a", false},
		{"re*ry:write", "registry:write", false}, // a star is one at the end only
		{"", "registry", false},
		{"", ":x", false},
		{"Registry:write", "registry:write", false},
	} {
		if got := (plugin.Caller{Scopes: []string{"other", test.held}}).May(test.needed); got != test.want {
			t.Errorf("%q covers %q: %v, want %v", test.held, test.needed, got, test.want)
		}
	}
	if (plugin.Caller{}).May("x") || !plugin.Local().May("x") {
		t.Error("a caller without scopes may, or the program itself may not")
	}
}

// A name is one unit, whatever colons it holds: "alpha:evil" is no part of
// "alpha".
func TestMayFor(t *testing.T) {
	for _, test := range []struct {
		held, name string // for registry:write
		want       bool
	}{
		{"registry:write", "alpha", true},
		{"registry:write", "alpha:evil", true},
		{"registry:write", "", true},
		{"registry", "alpha:evil", true},
		{"*", "alpha:evil", true},
		{"registry:*", "alpha", true},
		{"registry:write:*", "alpha:evil", true},
		{"registry:writer", "alpha", false},
		{"registry:read", "alpha", false},
		{"registry:write:alpha", "alpha", true},
		{"registry:write:alpha", "alpha:evil", false},
		{"registry:write:alpha", "alpha:", false},
		{"registry:write:alpha", ":alpha", false},
		{"registry:write:alpha", "alphabet", false},
		{"registry:write:alpha", "alph", false},
		{"registry:write:alpha", "Alpha", false},
		{"registry:write:alpha", "", false},
		{"registry:write:Alpha", "alpha", false},
		{"Registry:write:alpha", "alpha", false},
		{"registry:write:", "alpha", false},
		{"registry:write:", ":alpha", false},
		{"registry:write:alpha:evil", "alpha:evil", true},
		{"registry:write:alpha:evil", "alpha", false},
		{"registry:write:alpha:evil", "alpha:evil:more", false},
		{"registry:write:alpha:*", "alpha:evil", true},
		{"registry:write:alpha:*", "alpha", false},
		{"registry:write:alpha*", "alpha:evil", true},
		{"registry:write:alpha*", "Alpha", false},
		{"registry:write:al*a", "alpha", false}, // a star is one at the end only
		{"registry:write:al*a", "al*a", true},
		{"registry:write:alpha", "alpha*", false},
		{"", "alpha", false},
	} {
		if got := (plugin.Caller{Scopes: []string{"other", test.held}}).MayFor("registry:write", test.name); got != test.want {
			t.Errorf("%q covers the name %q: %v, want %v", test.held, test.name, got, test.want)
		}
	}
	if (plugin.Caller{}).MayFor("x", "y") || !plugin.Local().MayFor("x", "y") {
		t.Error("a caller without scopes may, or the program itself may not")
	}
}

func TestSame(t *testing.T) {
	a := plugin.Caller{Name: "ada", Means: "token", Remote: "1", Scopes: []string{"x"}}
	for _, test := range []struct {
		name  string
		other plugin.Caller
		want  bool
	}{
		{"from elsewhere, with other scopes", plugin.Caller{Name: "ada", Means: "token", Remote: "2"}, true},
		{"another name", plugin.Caller{Name: "bob", Means: "token"}, false},
		{"by other means", plugin.Caller{Name: "ada", Means: "jwt"}, false},
		{"no name", plugin.Caller{}, false},
	} {
		if got := a.Same(test.other); got != test.want || test.other.Same(a) != got {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if !(plugin.Caller{Remote: "1"}).Same(plugin.Caller{Remote: "2"}) {
		t.Error("two callers without a name differ")
	}
}

func TestRequire(t *testing.T) {
	for _, test := range []struct {
		name   string
		caller plugin.Caller
		code   int // 0 for none
		want   string
	}{
		{"with the scope", plugin.Caller{Name: "ada", Scopes: []string{"notes"}}, 0, ""},
		{"with the scope, without a name", plugin.Caller{Scopes: []string{"*"}}, 0, ""},
		{"with another scope", plugin.Caller{Name: "ada", Scopes: []string{"other"}}, plugin.CodeForbidden, "missing required scope 'notes:write'"},
		{"without the scope and without a name", plugin.Caller{Scopes: []string{"other"}}, plugin.CodeUnauthenticated, "Authentication required: a.b needs notes:write"},
	} {
		ctx := (&scope{path: "a.b"}).in(plugin.WithCaller(t.Context(), test.caller))
		err := plugin.Require(ctx, "notes:write")
		var failure *plugin.Error
		if test.code == 0 && err != nil || test.code != 0 && (!errors.As(err, &failure) || failure.Code != test.code || failure.Message != test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestRequireFor(t *testing.T) {
	ctx := (&scope{path: "a.b"}).in(plugin.WithCaller(t.Context(), plugin.Caller{Name: "ada", Scopes: []string{"notes:write:shopping"}}))
	if err := plugin.RequireFor(ctx, "notes:write", "shopping"); err != nil {
		t.Error(err)
	}
	const want = "missing required scope 'notes:write:shopping:list'"
	if err := plugin.RequireFor(ctx, "notes:write", "shopping:list"); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestCallerOf(t *testing.T) {
	ctx := plugin.WithCaller(t.Context(), plugin.Caller{Name: "ada"})
	if got := plugin.CallerOf(plugin.WithCaller(ctx, plugin.Caller{Name: "bob"})).Name; got != "bob" {
		t.Errorf("%q", got)
	}
	if got := plugin.CallerOf(ctx).Name; got != "ada" {
		t.Errorf("%q", got)
	}
}
