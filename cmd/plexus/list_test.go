// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestPages lists a registry that gives its entries page by page, and one
// whose pages never end.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		next func(after string) string
		want int
	}{
		{"three pages", func(after string) string { return map[string]string{"": "1", "1": "2"}[after] }, 3},
		{"the same page again", func(string) string { return "1" }, 2},
	} {
		f := newFake(t, "paged", func(c *fakeCall) {
			var in struct{ After string }
			_ = json.Unmarshal(c.with, &in)
			c.stream("7", fakeData(fmt.Sprintf(`{"type":"backends","backends":[{"name":"b%s"}],"next":%q}`, in.After, test.next(in.After))), fakeDone)
		})
		r := plexus(t, f.url)
		if r.status != 0 || strings.Count(r.stdout, "\n") != test.want {
			t.Errorf("%s: got %+v", test.name, r)
		}
	}
}

func TestBackendTable(t *testing.T) {
	var all []*backend
	for _, text := range []string{
		`{"name":"a","host":"h","port":1,"protocol":"wss","is_active":true,"description":"one\ntwo\u001b"}`,
		`{"name":"b","host":"::1","port":2,"is_active":true,"health":"critical","flapping":true,"health_error":"down","description":"d","version":"1.0"}`,
		`{"name":"c","host":null,"port":"3","protocol":"http","is_active":"yes"}`,
		`{"name":"d","host":"h","port":4,"is_active":false,"inactive_reason":"unhealthy","health":"critical","flapping":true,"health_error":"refused"}`,
		`{"name":"e","host":"h","port":5,"is_active":false,"inactive_reason":"said\ngoodbye\u001b"}`,
		`{"name":"f","host":"h","port":6,"is_active":true,"inactive_reason":"expired","health":"passing","answers_as":"plexus"}`,
		`{"name":"g","host":"h","port":7,"is_active":true,"answers_as":"plexus"}`,
		`{"name":"h","host":"h","port":8,"is_active":false,"inactive_reason":7,"answers_as":"plexus"}`,
		`{"name":null}`,
		`[]`,
	} {
		if b := readBackend(parseObject([]byte(text))); b != nil {
			all = append(all, b)
		}
	}
	const want = `NAME  ADDRESS       STATUS                        VERSION  ABOUT
a     wss://h:1     active                                 one two\u001b
b     ws://[::1]:2  critical, flapping            1.0      down
c     ws://:0       inactive
d     ws://h:4      inactive, unhealthy                    refused
e     ws://h:5      inactive, said goodbye\u001b
f     ws://h:6      passing, answers as plexus
g     ws://h:7      active, answers as plexus
h     ws://h:8      inactive, answers as plexus
`
	if got := backendTable(all); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestAlignedTables: columns stand one below the other on a terminal, whatever the
// names are written in, and one that is long moves only what follows it.
func TestAlignedTables(t *testing.T) {
	entries := func(names ...string) (all []*backend) {
		for _, name := range names {
			all = append(all, &backend{newObject("name", name, "host", "h", "port", json.Number("1"), "is_active", true)})
		}
		return all
	}
	long, longer := strings.Repeat("l", 41), strings.Repeat("l", 255)
	for _, test := range []struct {
		names []string
		want  []string // how the lines begin
	}{
		{[]string{"abcdef", "日本", "cafe\u0301", "café", "ハブ", "😀", "각각각", "각각", "ﾊﾌﾞ", "नमस्ते"}, []string{
			"NAME    ADDRESS", "abcdef  ws://", "日本    ws://", "cafe\u0301    ws://", "café    ws://", "ハブ    ws://", "😀      ws://", "각각각  ws://", "각각    ws://", "ﾊﾌﾞ     ws://", "नमस्ते    ws://"}},
		{[]string{"a", longer, "b"}, []string{"NAME  ADDRESS", "a     ws://", longer + "  ws://h:1  active", "b     ws://"}},
		{[]string{longer}, []string{"NAME  ADDRESS", longer + "  ws://h:1"}},
		{[]string{"a", strings.Repeat("日", 60)}, []string{"NAME  ADDRESS", "a     ws://", strings.Repeat("日", 60) + "  ws://h:1"}},
		{[]string{long, "a", long, long}, []string{"NAME" + strings.Repeat(" ", 39) + "ADDRESS", long + "  ws://", "a" + strings.Repeat(" ", 42) + "ws://", long + "  ws://", long + "  ws://"}},
	} {
		lines := strings.Split(backendTable(entries(test.names...)), "\n")
		for i, want := range test.want {
			if !strings.HasPrefix(lines[i], want) {
				t.Errorf("got %q, want %q", lines[i], want)
			}
		}
	}
	// What is shown of a description ends at the same place.
	b := &backend{newObject("name", "a", "description", strings.Repeat("日", 100))}
	if got := backendTable([]*backend{b}); !strings.HasSuffix(got, " "+strings.Repeat("日", 29)+"…\n") {
		t.Errorf("got %s", got)
	}
	const event = `{"type":"backend_registered","backend":{"name":"日本","host":"h","port":1,"is_active":true}}`
	if got, want := eventLines([]byte(event)), "registered    日本                 ws://h:1 active\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := readable([]any{newObject("a", "日本", "b", "x"), newObject("a", "y", "b", "z")}), "A     B\n日本  x\ny     z\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestWatchErrors: errors of the registry are no events.
func TestWatchErrors(t *testing.T) {
	t.Parallel()
	f := newFake(t, "h", func(c *fakeCall) {
		c.stream("7", fakeData(`{"type":"error","message":"one"}`), fakeError("two", "-1", true),
			fakeData(`{"type":"backend_deleted","name":"a"}`))
	})
	const want = "plexus: registry.watch: one\nplexus: registry.watch: two (-1)\n"
	w := startWatch(t, f.url, "--pretty")
	w.want("deleted       a")
	testkit.Eventually(t, "the errors are reported", func() bool { return w.stderr.String() == want })
	w.interrupt()
}

func TestEventLines(t *testing.T) {
	for _, test := range []struct{ event, want string }{
		{`{"type":"backends","backends":[{"name":"a","host":"h","port":1,"is_active":true},{"name":"b","host":"h","port":2}],"revision":7}`,
			"there is      a                    ws://h:1 active  revision 7\nthere is      b                    ws://h:2 inactive  revision 7\n"},
		{`{"type":"backends","backends":[]}`, ""},
		{`{"type":"backend_registered","backend":{"name":"a","host":"h","port":1,"is_active":true,"health":"passing"},"revision":8}`,
			"registered    a                    ws://h:1 passing  revision 8\n"},
		{`{"type":"backend_deleted","name":"a","revision":9}`, "deleted       a                     revision 9\n"},
		{`{"type":"backend_deregistered","name":"a","inactive_reason":"expired","revision":9}`, "deregistered  a                    expired  revision 9\n"},
		{`{"type":"backend_deregistered","name":"a","inactive_reason":"deregistered"}`, "deregistered  a\n"},
		{`{"type":"backend_deregistered","name":"a","inactive_reason":"expired"}`, "deregistered  a                    expired\n"},
		{`{"type":"backend_updated","backend":{"name":"a","host":"h","port":1,"inactive_reason":"unhealthy"},"revision":8}`,
			"updated       a                    ws://h:1 inactive, unhealthy  revision 8\n"},
		{`{"type":"unheard\u001b"}`, "unheard\\u001b\n"},
		{`7`, "\n"},
	} {
		if got := eventLines([]byte(test.event)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.event, got, test.want)
		}
	}
}
