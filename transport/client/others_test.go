// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// gathered is what a range saw, as text: contents, types, and errors.
func gathered(items iter.Seq2[plugin.Item, error]) (seen []string, last error) {
	for item, err := range items {
		var failed *client.Error
		switch {
		case errors.As(err, &failed) && failed.Recoverable:
			seen = append(seen, "recoverable "+failed.Code+" "+failed.Message)
		case err != nil:
			last = err
		case item.Kind == plugin.KindData:
			seen = append(seen, content(item))
		case item.Kind == plugin.KindProgress && item.Percentage >= 0:
			seen = append(seen, fmt.Sprintf("%s %.1f%%", item.Message, item.Percentage))
		default:
			seen = append(seen, "<"+string(item.Kind)+">"+item.Message)
		}
	}
	return seen, last
}

func TestCallsOfOtherHubs(t *testing.T) {
	// stream answers with a subscription and items, answers with a frame.
	stream := func(subscription string, items ...string) func(c *peer) {
		return func(c *peer) {
			c.Called(subscription)
			for _, item := range items {
				c.Item(subscription, item)
			}
		}
	}
	answers := func(frame string) func(c *peer) {
		return func(c *peer) {
			c.Send("%s", strings.ReplaceAll(frame, "%d", fmt.Sprint(c.Next().ID)))
			c.Gone()
		}
	}
	failed := func(code string) func(error) bool {
		return func(err error) bool {
			e, ok := errors.AsType[*client.Error](err)
			return ok && e.Code == code && !e.Recoverable
		}
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	finished := func(err error) bool { return err == nil }

	tests := []struct {
		name   string
		script func(c *peer)
		want   []string
		ends   func(error) bool
	}{
		{"numbers as ids", stream("7", data("1"), done), []string{"1"}, finished},
		{"strings as ids", stream(`"s-1"`, data("1"), done), []string{"1"}, finished},
		{"strings with escapes", func(c *peer) { c.Called(`"a\n\u0062"`); c.Item(`"a\u000ab"`, data("1")); c.Item(`"a\nb"`, done) }, []string{"1"}, finished},
		{"large ids", stream("18446744073709551615", data("1"), done), []string{"1"}, finished},
		{"an object as id", stream(`{"a":1}`, data("1"), done), []string{"1"}, finished},
		{"no done", stream("7", data("1")), []string{"1"}, is(client.ErrLost)},
		{"no answer at all", func(c *peer) { c.Next() }, nil, is(client.ErrLost)},
		{"progress", stream("7", `"type":"progress","message":"half","percentage":50.5`,
			`"type":"progress","message":"some","percentage":null`, done), []string{"half 50.5%", "<progress>some"}, finished},
		{"unknown types", stream("7", `"type":"heartbeat","message":"tick"`, `"type":7`, ``, data("1"), done),
			[]string{"<heartbeat>tick", "<>", "<>", "1"}, finished},
		{"an item that is no object", func(c *peer) {
			c.Called("7")
			c.Send(`{"method":"m","params":{"subscription":7,"result":[1,2]}}`)
			c.Item("7", done)
		}, []string{"<>"}, finished},
		{"nulls", stream("7", `"type":"data","metadata":null,"content_type":null,"content":null`,
			`"type":"data","metadata":{"provenance":null,"plexus_hash":null,"timestamp":null},"content":1`,
			`"type":"error","message":null,"code":null,"recoverable":null`), []string{"null", "1"}, failed("")},
		{"other types than expected", stream("7", `"type":"data","metadata":[1],"content_type":{},"content":1`,
			`"type":"data","metadata":{"provenance":[1,"a",{}],"plexus_hash":1,"timestamp":"x"},"content":2`,
			`"type":"done"`), []string{"1", "2"}, finished},
		{"error codes as strings", stream("7", `"type":"error","message":"no","code":"-32601","recoverable":false`), nil, failed("-32601")},
		{"error codes as numbers", stream("7", `"type":"error","message":"no","code":-32601`), nil, failed("-32601")},
		{"error codes as words", stream("7", `"type":"error","message":"no","code":"NOT_FOUND"`), nil, failed("NOT_FOUND")},
		{"recoverable errors", stream("7", `"type":"error","message":"skipped","code":3,"recoverable":true`, data("1"), done),
			[]string{"recoverable 3 skipped", "1"}, finished},
		{"a refused call", answers(`{"jsonrpc":"2.0","id":%d,"error":{"code":-32602,"message":"no","data":null}}`), nil, failed("-32602")},
		{"a refused call, the code as a string", answers(`{"jsonrpc":"2.0","id":%d,"error":{"code":"-32602","message":"no","data":"why"}}`), nil, failed("-32602")},
		{"a refused call without id", answers(`{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"who are you?"}}`), nil, failed("-32001")},
		{"items for nobody", func(c *peer) {
			c.Item("8", data("0"))
			c.Called("7")
			c.Item("8", data("0"))
			c.Item("8", done)
			c.Send(`{"jsonrpc":"2.0","id":12345,"result":8}`)
			c.Send(`{"jsonrpc":"2.0","id":null,"result":8}`)
			c.Send(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
			c.Send(`{"method":"notice","params":[1]}`)
			c.Send(`{}`)
			c.Item("7", data("1"))
			c.Item("7", done)
		}, []string{"1"}, finished},
		{"items after the end", stream("7", data("1"), done, data("2"), done), []string{"1"}, finished},
		{"one subscription for two calls", func(c *peer) {
			r := c.Called("7")
			c.Send(`{"id":%d,"result":7}`, r.ID) // answered twice
			c.Item("7", done)
		}, nil, finished},
		{"binary frames", func(c *peer) {
			r := c.Next()
			c.WriteMessage(2, fmt.Appendf(nil, ` {"id":%d,"result":7} `, r.ID))
			c.Item("7", done)
		}, nil, finished},
		{"names that stand twice", stream("7", `"type":"progress",`+data("1"), done), []string{"1"}, finished},
		{"text that is not UTF-8", stream("7", `"type":"progress","message":"`+"\xff"+`"`, done), []string{"<progress>\uFFFD"}, finished},
		{"no JSON", answers("hello"), nil, is(client.ErrProtocol)},
		{"half a JSON", answers(`{"id":2,`), nil, is(client.ErrProtocol)},
		{"a batch", answers(`[{"id":2,"result":7}]`), nil, is(client.ErrProtocol)},
		{"a message without end", answers(`{"id":2,"result":"` + strings.Repeat("x", 2<<20) + `"}`), nil, is(client.ErrTooLarge)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := testkit.Pretend(t, func(c *peer) { c.Info("h"); test.script(c) })
			c := dial(t, h, client.WithoutReconnect(), client.WithMessageLimit(1<<20))
			seen, last := gathered(c.Call(testkit.Context(t), "x.y", nil))
			if fmt.Sprint(seen) != fmt.Sprint(test.want) || !test.ends(last) {
				t.Errorf("got %q, %v; want %q", seen, last, test.want)
			}
		})
	}
}

func TestCallOneHasItsAnswerThoughTheStreamIsCutOff(t *testing.T) {
	for name, test := range map[string]struct {
		more  func(c *peer)
		fails string
	}{
		"hangs":  {more: (*peer).Gone},
		"leaves": {more: func(*peer) {}},
		"fails":  {func(c *peer) { c.Item("7", `"type":"error","message":"after all"`); c.Gone() }, "x.y: after all"},
	} {
		t.Run(name, func(t *testing.T) {
			url := testkit.Pretend(t, func(c *peer) { c.Info("h"); c.Called("7"); c.Item("7", data("1")); test.more(c) })
			ctx, cancel := testkit.Context(t), func() {}
			if name == "hangs" {
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
			}
			defer cancel()
			n, err := callOne(ctx, dial(t, url, client.WithoutReconnect()), "x.y")
			if test.fails == "" && (err != nil || n != 1) || test.fails != "" && (err == nil || err.Error() != test.fails) {
				t.Errorf("got %v, %v", n, err)
			}
		})
	}
}

func TestAnAnswerToARequestThatIsNotSentYetIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretendByPipe(t, func(c *peer) {
			c.Info("h")
			time.Sleep(time.Second) // the writer is stuck with the request 2
			c.Send(`{"id":3,"result":6}`)
			time.Sleep(time.Second) // it has been seen before the request 3 is sent
			for range 2 {
				r := c.Called("7")
				c.Item("7", data(fmt.Sprint(r.ID)))
				c.Item("7", done)
			}
			c.Gone()
		})
		c := dialPipe(t, p)
		for range 2 {
			go func() {
				if n, err := callOne(context.Background(), c, "x.y"); err != nil || n == 0 {
					t.Errorf("got %v, %v", n, err)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
	})
}

// The hub does not say which of two requests was too large.
func TestTheLargestRequestIsTheOneThatWasTooLarge(t *testing.T) {
	h := testkit.Pretend(t, func(c *peer) {
		c.Info("h")
		small := c.Next()
		if large := c.Next(); large != nil && len(large.Text) < len(small.Text) {
			small = large
		}
		c.Send(`{"jsonrpc":"2.0","id":null,"error":{"code":-32007,"message":"Request is too big"}}`)
		c.Send(`{"jsonrpc":"2.0","id":%d,"result":7}`, small.ID)
		c.Item("7", data("1"))
		c.Item("7", done)
		c.Gone()
	})
	c := dial(t, h)
	var both sync.WaitGroup
	both.Go(func() {
		if n, err := client.CallOne[int](testkit.Context(t), c, "x.y", "small"); err != nil || n != 1 {
			t.Errorf("got %v, %v", n, err)
		}
	})
	both.Go(func() {
		if _, err := client.CallOne[int](testkit.Context(t), c, "x.y", strings.Repeat("large", 100)); !answered(err, -32007) {
			t.Errorf("got %v", err)
		}
	})
	both.Wait()
}

func TestAStreamThatIsAnsweredTooLateIsUnsubscribedFrom(t *testing.T) {
	late, unsubscribed := make(chan struct{}), make(chan struct{})
	h := testkit.Pretend(t, func(c *peer) {
		c.Info("h")
		r := c.Next()
		<-late
		c.Send(`{"id":%d,"result":"late"}`, r.ID)
		if r = c.Next(); r != nil && (r.Method != "h.call_unsub" || !strings.HasSuffix(r.Text, `"params":["late"]}`)) {
			t.Errorf("the client sent %s", r.Text)
		}
		close(unsubscribed)
		c.Item(`"late"`, data("1"))
		c.Called("7")
		c.Item("7", done)
		c.Gone()
	})
	c := dial(t, h)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	seen, err := gathered(c.Call(ctx, "x.y", nil))
	if seen != nil || !callFailed(err, context.DeadlineExceeded, true, false) {
		t.Errorf("got %v, %v", seen, err)
	}
	close(late)
	<-unsubscribed
	if seen, err := gathered(c.Call(testkit.Context(t), "x.y", nil)); seen != nil || err != nil {
		t.Errorf("got %v, %v", seen, err)
	}
}

func TestSchemasOfOtherHubs(t *testing.T) {
	const content = `{"namespace":"n","version":null,"description":"d","long_description":null,"hash":"h","children":null,"extra":[1],
		"methods":[
			{"name":"a","description":null,"hash":"1","params":null,"returns":true,"role":null},
			{"name":"b","params":{"type":"object","properties":{"x":{"type":["string","null"],"default":null}},"required":null},"role":{"kind":"static_child"},"deprecation":null},
			{"name":"c","params":{"type":7},"role":"rpc","streaming":"yes"},
			{"name":"d","params":"none","bidirectional":true}]}`
	h := testkit.Pretend(t, func(c *peer) {
		c.Info("h")
		for _, content := range []string{content, "[]", "{}", `null`} {
			r := c.Called("7")
			if r == nil || r.Method != "h.schema" {
				t.Errorf("the client sent %v", r)
				return
			}
			c.Item("7", data(strings.ReplaceAll(content, "\n", "")))
			c.Item("7", done)
		}
		c.Called("7")
		c.Item("7", data(`{"event":"hash"}`))
		c.Item("7", done)
		c.Called("7")
		c.Item("7", done)
		c.Gone()
	})
	c := dial(t, h)
	s, err := c.Schema(testkit.Context(t), "")
	if err != nil || s.Namespace != "n" || s.Hash != "h" || s.Children != nil || len(s.Methods) != 4 {
		t.Fatalf("got %+v, %v", s, err)
	}
	if m := s.Methods; m[0].Params != nil || m[0].Returns == nil || m[0].Name != "a" ||
		!strings.Contains(string(m[1].Params), `["string","null"]`) || m[1].Role.Kind != "static_child" ||
		m[2].Name != "c" || string(m[2].Params) != `{"type":7}` || m[3].Params != nil || !m[3].Bidirectional {
		t.Errorf("got %+v", m)
	}
	if _, err = c.Schema(testkit.Context(t), ""); !errors.Is(err, client.ErrProtocol) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if s, err = c.Schema(testkit.Context(t), ""); err != nil || s.Methods != nil {
			t.Errorf("got %+v, %v", s, err)
		}
	}
	if hash, err := c.Hash(testkit.Context(t)); !errors.Is(err, client.ErrProtocol) {
		t.Errorf("got %q, %v", hash, err)
	}
	if hash, err := c.Hash(testkit.Context(t)); !errors.Is(err, client.ErrNoData) || err.Error() != "hash: the method answered without data" {
		t.Errorf("got %q, %v", hash, err)
	}
}
