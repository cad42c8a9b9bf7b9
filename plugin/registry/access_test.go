// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage"
)

// as returns a context of calls by one who holds these scopes.
func as(t testing.TB, name string, scopes ...string) context.Context {
	return plugin.WithCaller(t.Context(), plugin.Caller{Name: name, Means: "token", Remote: "192.0.2.7:1234", Scopes: scopes})
}

// TestScopesOfMethods tries every method with every kind of scope, for a name of
// the caller's own and for another's.
func TestScopesOfMethods(t *testing.T) {
	methods := map[string]string{ // what each method needs
		"get": "read", "list": "read", "watch": "read",
		"register": "write", "update": "write", "ping": "write", "deregister": "write", "delete": "write",
		"reload": "admin", "status": "admin",
	}
	h := open(t)
	for _, who := range []struct {
		scopes      []string
		own, others string // what it may do, to team-a-1 and to beta
	}{
		{nil, "", ""},
		{[]string{"*"}, "read write admin", "read write admin"},
		{[]string{"registry:*"}, "read write admin", "read write admin"},
		{[]string{"registry"}, "read write admin", "read write admin"},
		{[]string{"registry:read"}, "read", "read"},
		{[]string{"registry:write"}, "write", "write"},
		{[]string{"registry:admin"}, "admin", "admin"},
		{[]string{"registry:write:team-a-*"}, "write", ""},
		{[]string{"registry:write:team-a-1"}, "write", ""},
		{[]string{"registry:write:team-a"}, "", ""},
		{[]string{"registry:read", "registry:write:team-a-*"}, "read write", "read"},
		{[]string{"registr"}, "", ""},
		{[]string{"registry:writer"}, "", ""},
		{[]string{""}, "", ""},
		{[]string{"other:*"}, "", ""},
	} {
		for _, name := range []string{"team-a-1", "beta"} {
			may := who.own
			if name == "beta" {
				may = who.others
			}
			for method, need := range methods {
				for _, caller := range []string{"", "team-a"} {
					h.register(object("name", name, "host", "localhost", "port", 1))
					params := object("name", name, "host", "localhost", "port", 2)
					ctx, cancel := context.WithCancel(as(t, caller, who.scopes...))
					code := 0
					for item := range h.hub().Call("registry."+method, []byte(params)).Items(ctx) {
						if err := item.Err(); err != nil {
							code = err.Code
						}
						break
					}
					cancel()
					want := 0
					switch {
					case strings.Contains(may, need):
					case caller == "":
						want = plugin.CodeUnauthenticated
					default:
						want = plugin.CodeForbidden
					}
					if code != want {
						t.Errorf("%s of %s by %q with %q: code %d, want %d", method, name, caller, who.scopes, code, want)
					}
				}
			}
		}
	}
}

// Who has changed what is logged, and nothing secret. Pings that only renew are not, nor those
// of unknown names: hubs repeat them.
func TestAudit(t *testing.T) {
	h := open(t)
	for _, call := range []struct{ caller, method, params, logged string }{
		{"ada", "register", `{"name": "alpha", "host": "localhost", "port": 1, "ttl_seconds": 60, "description": "secret-1",
			"metadata": {"key": "secret-2"}}`, "name=alpha host=localhost port=1 done"},
		{"ada", "update", `{"name": "alpha", "host": "127.0.0.1", "description": "secret-3"}`, "name=alpha host=127.0.0.1 done"},
		{"ada", "ping", `{"name": "alpha"}`, ""},
		{"ada", "deregister", `{"name": "alpha"}`, "name=alpha done"},
		{"ada", "ping", `{"name": "alpha"}`, "name=alpha done"},
		{"ada", "ping", `{"name": "alpha"}`, ""},
		{"ada", "ping", `{"name": "alpha", "lease_id": "of another"}`, "name=alpha refused"},
		{"ada", "ping", `{"name": "beta"}`, ""},
		{"ada", "ping", `{"name": "beta", "lease_id": "of another"}`, ""},
		{"ada", "ping", object("name", strings.Repeat("long", 1000)), ""},
		{"ada", "deregister", `{"name": "beta"}`, "name=beta refused"},
		{"ada", "delete", `{"name": "alpha"}`, "name=alpha done"},
		{"ada", "delete", `{"name": "alpha"}`, "name=alpha refused"},
		{"ada", "reload", `{}`, "done"},
		{"eve", "ping", `{"name": "alpha"}`, "name=alpha denied"},
		{"eve", "delete", `{"name": "alpha"}`, "name=alpha denied"},
	} {
		scope := map[string]string{"ada": "*", "eve": "registry:write:beta"}[call.caller]
		before := len(h.audit())
		h.call(as(t, call.caller, scope), call.method, call.params)
		want := []string{}
		if call.logged != "" {
			fields := strings.Fields("action=" + call.method + " " + call.logged)
			about, outcome := strings.Join(fields[:len(fields)-1], " "), fields[len(fields)-1]
			want = []string{about + " caller=" + call.caller + " means=token remote=192.0.2.7:1234 outcome=" + outcome}
		}
		same(t, call.method+" by "+call.caller, h.audit()[before:], want)
	}
	if strings.Contains(h.log.String(), "secret") {
		t.Error("the log has secrets:", h.log)
	}
}

// audit returns the log lines about writes.
func (h *harness) audit() (lines []string) {
	for line := range strings.Lines(h.log.String()) {
		if _, about, ok := strings.Cut(strings.TrimSpace(line), "msg=audit "); ok {
			lines = append(lines, about)
		}
	}
	return lines
}

func TestRegistrationsOfACallerAreLimited(t *testing.T) {
	h := open(t, registry.WithRegistrations(2))
	ada, eve := as(t, "ada", "*"), as(t, "eve", "*")
	register := func(ctx context.Context, name string) string {
		if a := h.call(ctx, "register", object("name", name, "host", "localhost", "port", 1)); a.refused != nil {
			return a.refused.Message
		}
		return ""
	}
	const full = "Too many registrations: 2 entries are registered by this caller, as many as one may have"
	for i, step := range []struct {
		ctx  context.Context
		name string
		want string
	}{
		{ada, "a", ""}, {ada, "b", ""},
		{ada, "a", ""}, // again: no more than before
		{ada, "c", full},
		{eve, "c", ""}, // another's own
		{eve, "b", ""}, // taken over: one less for ada
		{ada, "d", ""}, {ada, "e", full}, {eve, "e", full},
	} {
		if got := register(step.ctx, step.name); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	h.doContext(ada, "delete", object("name", "d"))
	if got := register(ada, "e"); got != "" {
		t.Errorf("one was deleted, and another is refused: %s", got)
	}
}

// An entry that comes back counts again, whoever has registered it.
func TestPingsDoNotPassTheLimitOfRegistrations(t *testing.T) {
	for name, ctx := range map[string]context.Context{"with a name": as(t, "ada", "*"), "without": t.Context()} {
		t.Run(name, func(t *testing.T) {
			h := open(t, registry.WithRegistrations(1))
			call := func(method, name string) string {
				params := object("name", name)
				if method == "register" {
					params = object("name", name, "host", "localhost", "port", 1)
				}
				if a := h.call(ctx, method, params); a.refused != nil {
					return a.refused.Message
				}
				return ""
			}
			const full = "Too many registrations: 1 entries are registered by this caller, as many as one may have"
			for i, step := range []struct{ method, name, want string }{
				{"register", "a", ""}, {"deregister", "a", ""}, {"register", "b", ""},
				{"ping", "a", full}, {"ping", "b", ""}, {"deregister", "b", ""},
				{"ping", "a", ""}, {"register", "a", ""}, {"register", "c", full},
			} {
				if got := call(step.method, step.name); got != step.want {
					t.Errorf("step %d: %s %s: %q, want %q", i, step.method, step.name, got, step.want)
				}
			}
		})
	}
}

// TestFailedRegistrationDoesNotCount counts for nobody, and takes nothing from who has the
// entry.
func TestFailedRegistrationDoesNotCount(t *testing.T) {
	store := &meddledStore{Store: memory(t)}
	h := over(t, store, registry.WithRegistrations(1))
	ada, eve := as(t, "ada", "*"), as(t, "eve", "*")
	register := func(ctx context.Context, name string) bool {
		return h.call(ctx, "register", object("name", name, "host", "localhost", "port", 1)).refused == nil
	}
	if !register(ada, "a") {
		t.Fatal("the first is refused")
	}
	store.fail.Store(true)
	if register(eve, "a") || register(eve, "b") {
		t.Error("a full disk took it")
	}
	store.fail.Store(false)
	if register(ada, "c") {
		t.Error("ada's entry does not count any more")
	}
	if !register(eve, "b") {
		t.Error("what failed counts for eve")
	}
}

// TestLongNamesAreShortenedInAnswers are shortened in answers, and rejected as filters.
func TestLongNamesAreShortenedInAnswers(t *testing.T) {
	h := open(t)
	long := strings.Repeat("x", 5000)
	for _, method := range []string{"ping", "deregister", "delete"} {
		if a := h.call(t.Context(), method, object("name", long)); len(a.content) == 0 || len(a.content) > 2000 {
			t.Errorf("%s is answered with %d bytes", method, len(a.content))
		}
	}
	for _, filter := range []string{"name", "namespace"} {
		if a := h.call(t.Context(), "watch", object(filter, long)); a.refused == nil || a.refused.Code != plugin.CodeInvalidParams {
			t.Errorf("watch by a long %s: %+v", filter, a)
		}
	}
}

// TestRegistrationDuringADeletionCounts: what comes back at the moment in which it is
// deleted counts.
func TestRegistrationDuringADeletionCounts(t *testing.T) {
	ada := as(t, "ada", "*")
	var h *harness
	register := func() { h.doContext(ada, "register", object("name", "a", "host", "localhost", "port", 1)) }
	var back sync.WaitGroup
	store := &meddledStore{Store: memory(t)}
	store.apply = func(ctx context.Context, writes []storage.Write) (storage.Change, error) {
		if writes[0].Delete {
			begun := make(chan struct{})
			back.Go(func() {
				close(begun)
				register()
			})
			<-begun
			for range 1000 { // it gets as far as it can
				runtime.Gosched()
			}
		}
		return store.Store.Apply(ctx, writes...)
	}
	h = over(t, store, registry.WithRegistrations(1))
	register()
	h.doContext(ada, "delete", object("name", "a"))
	back.Wait()
	if a := h.call(ada, "register", object("name", "b", "host", "localhost", "port", 1)); a.refused == nil {
		t.Error("there is a second entry where one is allowed")
	}
}

func TestStatusHasWarningsAndCounters(t *testing.T) {
	var wrong []string // at the moment
	h := open(t, registry.WithWarnings(func() []string { return wrong }), registry.WithWarnings(func() []string { return []string{"anybody may write"} }),
		registry.WithCounters(func() map[string]int64 { return map[string]int64{"connections": 3} }))
	for _, wrong = range [][]string{nil, {"the certificate expired"}, nil} {
		text := string(h.call(t.Context(), "status", "{}").content)
		if !strings.Contains(text, "anybody may write") || !strings.Contains(text, "connections") || strings.Contains(text, "expired") != (wrong != nil) {
			t.Error(text)
		}
	}
}

// A registry whose database is gone says so, refuses writes, and answers reads.
func TestStatusWarnsOfADatabaseThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	h := over(t, openStore(t, path))
	h.registerNames("a")
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	a := h.call(t.Context(), "register", `{"name": "b", "host": "h", "port": 1}`)
	if a.refused == nil || !strings.Contains(a.refused.Message, `could not store "b"`) {
		t.Errorf("register: %s %v", a.content, a.refused)
	}
	if status := string(h.call(t.Context(), "status", "{}").content); !strings.Contains(status, "removed or replaced") {
		t.Errorf("the status is %s", status)
	}
	same(t, "what is listed", h.names("{}"), []string{"a"})
	if err := os.Rename(path+".old", path); err != nil {
		t.Fatal(err)
	}
	h.registerNames("b")
}
