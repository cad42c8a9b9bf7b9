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

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// gathered is what a range saw, as text: contents, types, and errors.
func gathered(items iter.Seq2[plugin.Item, error]) (seen []string, last error) {
	for item, err := range items {
		var told *client.Error
		switch {
		case errors.As(err, &told) && told.Recoverable:
			seen = append(seen, "recoverable "+told.Code+" "+told.Message)
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

// TestOtherHubs calls hubs that answer in ways of their own.
func TestOtherHubs(t *testing.T) {
	stream := func(code string, recoverable bool) func(error) bool {
		return func(err error) bool {
			var told *client.Error
			return errors.As(err, &told) && told.Code == code && told.Recoverable == recoverable
		}
	}
	rpc := func(code int) func(error) bool { return func(err error) bool { return isRPC(err, code) } }
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	finished := func(err error) bool { return err == nil }

	tests := []struct {
		name   string
		script func(c *peer)
		want   []string
		ends   func(error) bool
	}{
		{"numbers as ids", func(c *peer) { c.called("7"); c.item("7", data("1")); c.item("7", done) }, []string{"1"}, finished},
		{"strings as ids", func(c *peer) { c.called(`"s-1"`); c.item(`"s-1"`, data("1")); c.item(`"s-1"`, done) }, []string{"1"}, finished},
		{"strings with escapes", func(c *peer) { c.called(`"a\n\u0062"`); c.item(`"a\u000ab"`, data("1")); c.item(`"a\nb"`, done) }, []string{"1"}, finished},
		{"large ids", func(c *peer) {
			c.called("18446744073709551615")
			c.item("18446744073709551615", data("1"))
			c.item("18446744073709551615", done)
		}, []string{"1"}, finished},
		{"an object as id", func(c *peer) { c.called(`{"a":1}`); c.item(`{"a":1}`, data("1")); c.item(`{"a":1}`, done) }, []string{"1"}, finished},
		{"no done", func(c *peer) { c.called("7"); c.item("7", data("1")) }, []string{"1"}, is(client.ErrLost)},
		{"no answer at all", func(c *peer) { c.next() }, nil, is(client.ErrLost)},
		{"progress", func(c *peer) {
			c.called("7")
			c.item("7", `"type":"progress","message":"half","percentage":50.5`)
			c.item("7", `"type":"progress","message":"some","percentage":null`)
			c.item("7", done)
		}, []string{"half 50.5%", "<progress>some"}, finished},
		{"unknown types", func(c *peer) {
			c.called("7")
			c.item("7", `"type":"heartbeat","message":"tick"`)
			c.item("7", `"type":7`)
			c.item("7", ``)
			c.item("7", data("1"))
			c.item("7", done)
		}, []string{"<heartbeat>tick", "<>", "<>", "1"}, finished},
		{"an item that is no object", func(c *peer) {
			c.called("7")
			c.send(`{"method":"m","params":{"subscription":7,"result":[1,2]}}`)
			c.item("7", done)
		}, []string{"<>"}, finished},
		{"nulls", func(c *peer) {
			c.called("7")
			c.item("7", `"type":"data","metadata":null,"content_type":null,"content":null`)
			c.item("7", `"type":"data","metadata":{"provenance":null,"plexus_hash":null,"timestamp":null},"content":1`)
			c.item("7", `"type":"error","message":null,"code":null,"recoverable":null`)
		}, []string{"null", "1"}, stream("", false)},
		{"other types than expected", func(c *peer) {
			c.called("7")
			c.item("7", `"type":"data","metadata":[1],"content_type":{},"content":1`)
			c.item("7", `"type":"data","metadata":{"provenance":[1,"a",{}],"plexus_hash":1,"timestamp":"x"},"content":2`)
			c.item("7", `"type":"done"`)
		}, []string{"1", "2"}, finished},
		{"error codes as strings", func(c *peer) {
			c.called("7")
			c.item("7", `"type":"error","message":"no","code":"-32601","recoverable":false`)
		}, nil, stream("-32601", false)},
		{"error codes as numbers", func(c *peer) {
			c.called("7")
			c.item("7", `"type":"error","message":"no","code":-32601`)
		}, nil, stream("-32601", false)},
		{"error codes as words", func(c *peer) {
			c.called("7")
			c.item("7", `"type":"error","message":"no","code":"NOT_FOUND"`)
		}, nil, stream("NOT_FOUND", false)},
		{"recoverable errors", func(c *peer) {
			c.called("7")
			c.item("7", `"type":"error","message":"skipped","code":3,"recoverable":true`)
			c.item("7", data("1"))
			c.item("7", done)
		}, []string{"recoverable 3 skipped", "1"}, finished},
		{"a refused call", func(c *peer) {
			c.send(`{"jsonrpc":"2.0","id":%d,"error":{"code":-32602,"message":"no","data":null}}`, c.next().ID)
		}, nil, rpc(-32602)},
		{"a refused call, the code as a string", func(c *peer) {
			c.send(`{"jsonrpc":"2.0","id":%d,"error":{"code":"-32602","message":"no","data":"why"}}`, c.next().ID)
		}, nil, rpc(-32602)},
		{"a refused call without id", func(c *peer) {
			c.next()
			c.send(`{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"who are you?"}}`)
			c.gone()
		}, nil, rpc(-32001)},
		{"items for nobody", func(c *peer) {
			c.item("8", data("0"))
			c.called("7")
			c.item("8", data("0"))
			c.item("8", done)
			c.send(`{"jsonrpc":"2.0","id":12345,"result":8}`)
			c.send(`{"jsonrpc":"2.0","id":null,"result":8}`)
			c.send(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
			c.send(`{"method":"notice","params":[1]}`)
			c.send(`{}`)
			c.item("7", data("1"))
			c.item("7", done)
		}, []string{"1"}, finished},
		{"items after the end", func(c *peer) {
			c.called("7")
			c.item("7", data("1"))
			c.item("7", done)
			c.item("7", data("2"))
			c.item("7", done)
		}, []string{"1"}, finished},
		{"one subscription for two calls", func(c *peer) {
			r := c.called("7")
			c.send(`{"id":%d,"result":7}`, r.ID) // answered twice
			c.item("7", done)
		}, nil, finished},
		{"binary frames", func(c *peer) {
			r := c.next()
			c.WriteMessage(2, fmt.Appendf(nil, ` {"id":%d,"result":7} `, r.ID))
			c.item("7", done)
		}, nil, finished},
		{"names that stand twice", func(c *peer) {
			c.called("7")
			c.item("7", `"type":"progress",`+data("1"))
			c.item("7", done)
		}, []string{"1"}, finished},
		{"text that is not UTF-8", func(c *peer) {
			c.called("7")
			c.send("%s", `{"params":{"subscription":7,"result":{"type":"progress","message":"`+"\xff"+`"}}}`)
			c.item("7", done)
		}, []string{"<progress>\uFFFD"}, finished},
		{"no JSON", func(c *peer) { c.next(); c.send("hello"); c.gone() }, nil, is(client.ErrProtocol)},
		{"half a JSON", func(c *peer) { c.next(); c.send(`{"id":2,`); c.gone() }, nil, is(client.ErrProtocol)},
		{"a batch", func(c *peer) { c.next(); c.send(`[{"id":2,"result":7}]`); c.gone() }, nil, is(client.ErrProtocol)},
		{"a message without end", func(c *peer) {
			c.next()
			c.send(`{"id":2,"result":"%s"}`, strings.Repeat("x", 2<<20))
			c.gone()
		}, nil, is(client.ErrTooLarge)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := pretend(t, func(c *peer) { c.info("h"); test.script(c) })
			c := dial(t, h.url, client.WithoutReconnect(), client.WithMessageLimit(1<<20))
			seen, last := gathered(c.Call(within(t), "x.y", nil))
			if fmt.Sprint(seen) != fmt.Sprint(test.want) || !test.ends(last) {
				t.Errorf("got %q, %v; want %q", seen, last, test.want)
			}
		})
	}
}

// TestOneFromOtherHubs asks for one answer where the end of the stream fails.
func TestOneFromOtherHubs(t *testing.T) {
	hangs := pretend(t, func(c *peer) { c.info("h"); c.called("7"); c.item("7", data("1")); c.gone() })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if n, err := client.CallOne[int](ctx, dial(t, hangs.url), "x.y", nil); err != nil || n != 1 {
		t.Errorf("got %v, %v", n, err)
	}
	leaves := pretend(t, func(c *peer) { c.info("h"); c.called("7"); c.item("7", data("1")) })
	if n, err := client.CallOne[int](within(t), dial(t, leaves.url, client.WithoutReconnect()), "x.y", nil); err != nil || n != 1 {
		t.Errorf("got %v, %v", n, err)
	}
	fails := pretend(t, func(c *peer) {
		c.info("h")
		c.called("7")
		c.item("7", data("1"))
		c.item("7", `"type":"error","message":"after all"`)
		c.gone()
	})
	if n, err := client.CallOne[int](within(t), dial(t, fails.url), "x.y", nil); err == nil || err.Error() != "x.y: after all" {
		t.Errorf("got %v, %v", n, err)
	}
}

// TestAnswerBeforeTheQuestion: what a hub answers before it was asked is no
// answer, though the request waits already.
func TestAnswerBeforeTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pretendByPipe(t, func(c *peer) {
			c.info("h")
			time.Sleep(time.Second) // the writer is stuck with the request 2
			c.send(`{"id":3,"result":6}`)
			time.Sleep(time.Second) // it has been seen before the request 3 is sent
			for range 2 {
				r := c.called("7")
				c.item("7", data(fmt.Sprint(r.ID)))
				c.item("7", done)
			}
			c.gone()
		})
		c := dialPipe(t, p)
		for range 2 {
			go func() {
				if n, err := client.CallOne[int](context.Background(), c, "x.y", nil); err != nil || n == 0 {
					t.Errorf("got %v, %v", n, err)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
	})
}

// TestTooLargeForTheHub: the hub can't say which of two requests was too
// large, but one of them is larger.
func TestTooLargeForTheHub(t *testing.T) {
	h := pretend(t, func(c *peer) {
		c.info("h")
		small := c.next()
		if large := c.next(); large != nil && len(large.text) < len(small.text) {
			small = large
		}
		c.send(`{"jsonrpc":"2.0","id":null,"error":{"code":-32007,"message":"Request is too big"}}`)
		c.send(`{"jsonrpc":"2.0","id":%d,"result":7}`, small.ID)
		c.item("7", data("1"))
		c.item("7", done)
		c.gone()
	})
	c := dial(t, h.url)
	var both sync.WaitGroup
	both.Go(func() {
		if n, err := client.CallOne[int](within(t), c, "x.y", "small"); err != nil || n != 1 {
			t.Errorf("got %v, %v", n, err)
		}
	})
	both.Go(func() {
		if _, err := client.CallOne[int](within(t), c, "x.y", strings.Repeat("large", 100)); !isRPC(err, -32007) {
			t.Errorf("got %v", err)
		}
	})
	both.Wait()
}

// TestNeverAnswers calls a hub that is silent: only ctx ends that, and what is
// answered too late is unsubscribed from.
func TestNeverAnswers(t *testing.T) {
	late, told := make(chan struct{}), make(chan struct{})
	h := pretend(t, func(c *peer) {
		c.info("h")
		r := c.next()
		<-late
		c.send(`{"id":%d,"result":"late"}`, r.ID)
		if r = c.next(); r != nil && (r.Method != "h.call_unsub" || !strings.HasSuffix(r.text, `"params":["late"]}`)) {
			t.Errorf("the client sent %s", r.text)
		}
		close(told)
		c.item(`"late"`, data("1"))
		c.called("7")
		c.item("7", done)
		c.gone()
	})
	c := dial(t, h.url)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	seen, err := gathered(c.Call(ctx, "x.y", nil))
	var call *client.CallError
	if seen != nil || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &call) || !call.Sent {
		t.Errorf("got %v, %v", seen, err)
	}
	close(late)
	<-told
	if seen, err := gathered(c.Call(within(t), "x.y", nil)); seen != nil || err != nil {
		t.Errorf("got %v, %v", seen, err)
	}
}

// TestSchemasOfOtherHubs reads what others make of a schema.
func TestSchemasOfOtherHubs(t *testing.T) {
	const content = `{"namespace":"n","version":null,"description":"d","long_description":null,"hash":"h","children":null,"extra":[1],
		"methods":[
			{"name":"a","description":null,"hash":"1","params":null,"returns":true,"role":null},
			{"name":"b","params":{"type":"object","properties":{"x":{"type":["string","null"],"default":null}},"required":null},"role":{"kind":"static_child"},"deprecation":null},
			{"name":"c","params":{"type":7},"role":"rpc","streaming":"yes"},
			{"name":"d","params":"none","bidirectional":true}]}`
	h := pretend(t, func(c *peer) {
		c.info("h")
		for _, content := range []string{content, "[]", "{}", `null`} {
			r := c.called("7")
			if r == nil || r.Method != "h.schema" {
				t.Errorf("the client sent %v", r)
				return
			}
			c.item("7", data(strings.ReplaceAll(content, "\n", "")))
			c.item("7", done)
		}
		c.called("7")
		c.item("7", data(`{"event":"hash"}`))
		c.item("7", done)
		c.called("7")
		c.item("7", done)
		c.gone()
	})
	c := dial(t, h.url)
	s, err := c.Schema(within(t), "")
	if err != nil || s.Namespace != "n" || s.Hash != "h" || s.Children != nil || len(s.Methods) != 4 {
		t.Fatalf("got %+v, %v", s, err)
	}
	if m := s.Methods; m[0].Params != nil || m[0].Returns == nil || m[0].Name != "a" ||
		!strings.Contains(string(m[1].Params), `["string","null"]`) || m[1].Role.Kind != "static_child" ||
		m[2].Name != "c" || string(m[2].Params) != `{"type":7}` || m[3].Params != nil || !m[3].Bidirectional {
		t.Errorf("got %+v", m)
	}
	if _, err = c.Schema(within(t), ""); !errors.Is(err, client.ErrProtocol) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if s, err = c.Schema(within(t), ""); err != nil || s.Methods != nil {
			t.Errorf("got %+v, %v", s, err)
		}
	}
	if hash, err := c.Hash(within(t)); !errors.Is(err, client.ErrProtocol) {
		t.Errorf("got %q, %v", hash, err)
	}
	if hash, err := c.Hash(within(t)); !errors.Is(err, client.ErrNoData) || err.Error() != "hash: the method answered without data" {
		t.Errorf("got %q, %v", hash, err)
	}
}
