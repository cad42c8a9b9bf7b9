// SPDX-License-Identifier: AGPL-3.0-only

package websocket

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
)

// ask asks a budget in a goroutine and tells what came of it, "waits" while
// nothing has.
func ask(b *budget, bytes int64, stop <-chan struct{}) *string {
	answer := "waits"
	go func() {
		if b.acquire(bytes, stop) {
			answer = "granted"
		} else {
			answer = "refused"
		}
	}()
	synctest.Wait()
	return &answer
}

func TestBudgetServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100, time.Second, func() {})
		b.add(70)
		stop := make(chan struct{})
		a, left, c, d := ask(b, 40, nil), ask(b, 50, stop), ask(b, 50, nil), ask(b, 1, nil)
		check := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			for i, got := range []string{*a, *left, *c, *d} {
				if got != want[i] {
					t.Errorf("%s: claim %d %s, want %s", when, i, got, want[i])
				}
			}
		}
		check("while 70 are held", "waits", "waits", "waits", "waits") // nobody is overtaken
		b.add(-10)
		check("while 60 are held", "granted", "waits", "waits", "waits")
		close(stop)
		check("after one has given up", "granted", "refused", "waits", "waits")
		b.add(-60)
		check("while 40 are held", "granted", "refused", "granted", "granted")
		b.add(-91)
		if b.used.Load() != 0 || b.waiting.Load() != 0 || b.refused.Load() != 1 {
			t.Errorf("%d are held, %d wait, %d were refused", b.used.Load(), b.waiting.Load(), b.refused.Load())
		}
	})
}

func TestBudgetServesTheNextWhenOneGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100, time.Second, func() {})
		b.add(70)
		stop := make(chan struct{})
		ask(b, 50, stop)
		next := ask(b, 20, nil)
		close(stop)
		synctest.Wait()
		if *next != "granted" {
			t.Errorf("the next one, who wants less, %s", *next)
		}
	})
}

func TestBudgetGrantsWhatIsLargerThanItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100, time.Second, func() {})
		b.add(51)
		huge := ask(b, 1000, nil)
		if *huge != "waits" {
			t.Errorf("%s while more than half is held", *huge)
		}
		b.add(-1)
		synctest.Wait()
		if *huge != "granted" || !b.full() {
			t.Errorf("%s, full %v", *huge, b.full())
		}
		small := ask(b, 1, nil)
		b.add(-1000)
		synctest.Wait()
		if *small != "granted" {
			t.Errorf("the next one %s", *small)
		}
	})
}

func TestBudgetPressesThenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		presses := 0
		b := newBudget(100, 5*time.Second, func() { presses++ })
		b.add(100)
		begun := time.Now()
		if b.acquire(1, nil) {
			t.Error("granted")
		}
		if took := time.Since(begun); took != 5*time.Second || presses < 4 || presses > 5 {
			t.Errorf("refused after %v and %d presses", took, presses)
		}
		// One that presses with success is granted.
		b.press = func() { b.add(-100) }
		if begun = time.Now(); !b.acquire(1, nil) || time.Since(begun) != time.Second {
			t.Errorf("after %v", time.Since(begun))
		}
	})
}

// TestBudgetPressesOnceForAll: to press costs as much as there are connections,
// so however many wait must not press as many times.
func TestBudgetPressesOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var presses atomic.Int64
		b := newBudget(100, 5*time.Second, func() { presses.Add(1) })
		b.add(100)
		for range 100 {
			ask(b, 1, nil)
		}
		time.Sleep(4500 * time.Millisecond)
		if n := presses.Load(); n != 4 {
			t.Errorf("%d presses in four and a half seconds, want 4", n)
		}
		b.add(-100)
	})
}

func TestOutboxesShareABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(200<<10, time.Second, func() {})
		// Both may queue 64 KiB, and one large item is there at a time.
		one, two := newOutbox(64<<10, 1000, b), newOutbox(64<<10, 1000, b)
		c, d := &call{ctx: t.Context()}, &call{ctx: t.Context()}
		large := strings.Repeat("x", 150<<10)
		if err := *queue(one, c, large); err != nil {
			t.Fatal(err)
		}
		if held := b.used.Load(); held < 130<<10 || held > 140<<10 {
			t.Errorf("%d bytes are held", held)
		}
		next := queue(two, d, large)
		other := queue(two, c, "of the same client")
		if *next != errWaiting || *other != errWaiting || cap(two.filling.buf) != 0 {
			t.Errorf("%v, %v, and %d bytes of buffer", *next, *other, cap(two.filling.buf))
		}
		// What is no item passes, and so does an item of somebody else.
		three := newOutbox(64<<10, 1000, b)
		if err := two.answer(func(dst []byte) []byte { return append(dst, "an answer"...) }); err != nil {
			t.Error(err)
		}
		if err := *queue(three, c, "small"); err != nil {
			t.Errorf("a small item: %v", err)
		}
		one.take()
		one.give()
		synctest.Wait()
		if *next != nil || *other != errWaiting {
			t.Errorf("when it is granted: %v, %v", *next, *other)
		}
		two.take()
		two.give()
		synctest.Wait()
		if *other != nil {
			t.Errorf("with room again: %v", *other)
		}
		two.fail(errGone)
		three.fail(errGone)
		if held := b.used.Load(); held != 0 {
			t.Errorf("%d bytes are held in the end", held)
		}
	})
}

func TestOutboxIsShortWhileTheBudgetIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100<<10, time.Second, func() {})
		b.add(100 << 10)
		o := newOutbox(256<<10, 1000, b)
		c := &call{ctx: t.Context()}
		fit := 0
		for *queue(o, c, strings.Repeat("x", 1<<10)) == nil {
			fit++
		}
		if fit < 13 || fit > 17 {
			t.Errorf("%d KiB fit, want about 16", fit)
		}
		o.fail(errGone)
		// One item that is larger than that waits, and is then refused.
		o = newOutbox(256<<10, 1000, b)
		if err := o.item(c, data(strings.Repeat("x", 20<<10))); err != errBusy {
			t.Errorf("20 KiB: %v", err)
		}
		if err := *queue(o, c, "small"); err != nil {
			t.Errorf("and then: %v", err)
		}
		o.fail(errGone)
		if held := b.used.Load(); held != 100<<10 {
			t.Errorf("%d bytes are held in the end", held)
		}
	})
}

func TestLargeItemsThatFailGiveBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1<<20, time.Second, func() {})
		o := newOutbox(1<<10, 2, b)
		c := &call{ctx: t.Context()}
		large := strings.Repeat("x", 50<<10)
		// Content that is refused only when it is written for good.
		if err := *queue(o, c, &fickle{size: 50 << 10}); err == nil || err == errWaiting {
			t.Errorf("fickle content: %v", err)
		}
		if held := b.used.Load(); held != 0 {
			t.Errorf("%d bytes are held after a failure", held)
		}
		queue(o, c, large)
		next := queue(o, c, large) // waits for room, and has asked for nothing
		o.fail(errGone)
		synctest.Wait()
		if *next != errGone || b.used.Load() != 0 {
			t.Errorf("%v, %d bytes are held in the end", *next, b.used.Load())
		}
		// One whose turn comes when its client is gone.
		b.add(1 << 20)
		o = newOutbox(1<<10, 2, b)
		next = queue(o, c, large)
		o.fail(errGone)
		b.add(-1 << 20)
		synctest.Wait()
		if *next != errGone || b.used.Load() != 0 {
			t.Errorf("%v, %d bytes are held for a client that is gone", *next, b.used.Load())
		}
	})
}

// fickle says that it is large, and can't be written.
type fickle struct{ size int }

var _ codec.Sizer = (*fickle)(nil)

func (f *fickle) SizeJSON() int                     { return f.size }
func (f *fickle) AppendJSON([]byte) ([]byte, error) { panic("in AppendJSON") }

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(100) // which a batch may pass at once
		begun := time.Now()
		waited := 0
		for range 1024 + 500 {
			if p.wait(1, nil) {
				waited++
			}
		}
		if took := time.Since(begun); took < 4900*time.Millisecond || took > 5100*time.Millisecond || waited == 0 {
			t.Errorf("1,524 calls took %v and %d waits, want 5s", took, waited)
		}
		begun = time.Now()
		p.wait(1024, nil)
		if took := time.Since(begun); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("a batch waited %v", took)
		}
		stop := make(chan struct{})
		close(stop)
		begun = time.Now()
		for range 1000 {
			p.wait(1, stop)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("waited %v for nothing", took)
		}
		unlimited := newPace(-1)
		for range 1_000_000 {
			if unlimited.wait(1, nil) {
				t.Fatal("waited without a limit")
			}
		}
	})
}
