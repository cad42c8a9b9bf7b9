// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// plenty is a budget that is never used up.
func plenty() *budget { return newBudget(1<<40, time.Hour, func() {}) }

func data(content any) *plugin.Item { return &plugin.Item{Kind: plugin.KindData, Content: content} }

// queue queues an item in a goroutine and tells what came of it, nil while
// it still waits.
func queue(o *outbox, c *call, content any) *error {
	var result *error
	done := new(error)
	result = done
	*done = errWaiting
	go func() { *done = o.item(c, data(content)) }()
	synctest.Wait()
	return result
}

var errWaiting = errors.New("still waiting")

func TestOutboxIsBoundedInFramesAndBytes(t *testing.T) {
	large := strings.Repeat("x", 1000)
	for name, test := range map[string]struct {
		o       *outbox
		content string
		fit     int
	}{
		"frames":               {newOutbox(1<<20, 3, plenty()), "x", 3},
		"bytes":                {newOutbox(3000, 1000, plenty()), large, 3},
		"one item larger":      {newOutbox(100, 1000, plenty()), large, 1},
		"one item of its size": {newOutbox(1100, 1000, plenty()), large, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := test.o
				o.wake = make(chan struct{}, 1) // of this bubble
				c := &call{notify: "n", ctx: t.Context()}
				for i := range test.fit {
					if err := *queue(o, c, test.content); err != nil {
						t.Fatalf("item %d: %v", i, err)
					}
				}
				next := queue(o, c, test.content)
				if *next != errWaiting {
					t.Fatalf("one more: %v, want it to wait", *next)
				}
				// What is lent to the writer still counts.
				if got := len(o.take().ends); got != test.fit {
					t.Errorf("%d frames, want %d", got, test.fit)
				}
				synctest.Wait()
				if *next != errWaiting {
					t.Errorf("%v, want it to wait for the writer", *next)
				}
				o.give()
				synctest.Wait()
				if *next != nil {
					t.Errorf("%v, want it to be queued", *next)
				}
			})
		})
	}
}

func TestOutboxHasRoomForAnAnswerBesideStreamsThatFillIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, o := range []*outbox{newOutbox(1<<20, 8, plenty()), newOutbox(4000, 1000, plenty())} {
			c := &call{ctx: t.Context()}
			fit := 0
			for *queue(o, c, "x") == nil {
				fit++
			}
			answer := func(dst []byte) []byte { return append(dst, "an answer"...) }
			if err := o.answer(answer); err != nil {
				t.Fatal(err)
			}
			// It has a bound as well.
			ended := false
			go func() {
				for o.answer(answer) == nil {
				}
				ended = true
			}()
			synctest.Wait()
			if ended || len(o.filling.ends) > fit+200 {
				t.Errorf("%d items and %d answers", fit, len(o.filling.ends)-fit)
			}
			o.fail(errGone)
		}
	})
}

func TestOutboxLetsGoOfWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(1<<20, 1, plenty())
		muted, other := &call{ctx: t.Context()}, &call{ctx: t.Context()}
		if err := *queue(o, other, 0); err != nil {
			t.Fatal(err)
		}
		a, b := queue(o, muted, 1), queue(o, other, 2)
		o.mute(muted)
		synctest.Wait()
		if *a != errMuted || *b != errWaiting {
			t.Errorf("after mute: %v and %v", *a, *b)
		}
		o.fail(errGone)
		o.fail(errStalled) // the first reason stays
		synctest.Wait()
		if *b != errGone {
			t.Errorf("after fail: %v", *b)
		}
		if err := *queue(o, other, 3); err != errGone {
			t.Errorf("later: %v", err)
		}
	})
}

func TestOutboxIsLeftAsItWasByWhatCannotBeEncoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(1<<20, 100, plenty())
		c := &call{ctx: t.Context()}
		queue(o, c, "before")
		var bad *unencodable
		if err := *queue(o, c, []any{strings.Repeat("x", 1<<16), make(chan int)}); !errors.As(err, &bad) {
			t.Fatalf("got %v", err)
		}
		queue(o, c, "after")
		f := o.take()
		if len(f.ends) != 2 || strings.Contains(string(f.buf), "xxx") {
			t.Errorf("%d frames: %s", len(f.ends), f.buf)
		}
	})
}

func TestOutboxWakesTheWriterWheneverSomethingIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const items = 1000
		o := newOutbox(1<<20, 7, plenty())
		c := &call{ctx: t.Context()}
		for range 4 {
			go func() {
				for range items {
					o.item(c, data(1))
				}
			}()
		}
		for got := 0; got < 4*items; {
			<-o.wake // a wake-up that is missed is a deadlock, which synctest reports
			if f := o.take(); f != nil {
				got += len(f.ends)
				o.give()
			}
		}
	})
}

func TestOutboxKeepsLittleWhenItIsIdle(t *testing.T) {
	o := newOutbox(1<<20, 1000, plenty())
	c := &call{ctx: t.Context()}
	for range 300 {
		o.item(c, data("x"))
	}
	o.take()
	o.give()
	if kept := cap(o.filling.buf) + cap(o.writing.buf) + 8*cap(o.filling.ends) + 8*cap(o.writing.ends); kept > 3*keepIdle {
		t.Errorf("%d bytes are kept", kept)
	}
}
