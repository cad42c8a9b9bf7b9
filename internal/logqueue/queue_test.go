// SPDX-License-Identifier: AGPL-3.0-only

package logqueue

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// reader is who reads what a queue writes.
type reader struct {
	text   bytes.Buffer
	paused chan struct{} // nothing is read until it is closed; nil for all is
	fail   func(text []byte) (int, error)
}

func (r *reader) Write(text []byte) (int, error) {
	if r.paused != nil {
		<-r.paused
	}
	if r.fail != nil {
		if n, err := r.fail(text); err != nil {
			r.text.Write(text[:n])
			return n, err
		}
	}
	return r.text.Write(text)
}

func told(n int64) []byte { return fmt.Appendf(nil, "%d dropped\n", n) }

// write writes lines of ten bytes, with the numbers from first to last.
func write(t *testing.T, q *Queue, first, last int) (lines string) {
	t.Helper()
	for i := first; i <= last; i++ {
		line := fmt.Sprintf("line %04d\n", i)
		if n, err := q.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("%d bytes are written, %v", n, err)
		}
		lines += line
	}
	return lines
}

func TestWritesNeverWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{paused: make(chan struct{})}
		q := New(r, 100, told)
		want := write(t, q, 1, 1)
		synctest.Wait() // it is being written, and doesn't count
		begin := time.Now()
		want += write(t, q, 2, 11)
		write(t, q, 12, 1000)
		if took := time.Since(begin); took > 0 || q.Dropped() != 989 {
			t.Errorf("it took %v, and %d lines are dropped", took, q.Dropped())
		}
		close(r.paused)
		synctest.Wait()
		want += "989 dropped\n" + write(t, q, 1001, 1003)
		if left := q.Close(time.Second); left {
			t.Error("something is left")
		}
		if got := r.text.String(); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
}

// A text that has no room even in an empty queue is dropped whole, like any other.
func TestATextThatIsTooLargeIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{}
		q := New(r, 100, told)
		_, _ = q.Write([]byte(strings.Repeat("x", 100) + "\n"))
		want := write(t, q, 1, 1)
		q.Close(time.Second)
		if got := r.text.String(); got != want+"1 dropped\n" || q.Dropped() != 1 {
			t.Errorf("got %q, %d dropped", got, q.Dropped())
		}
	})
}

// What can't be written is counted, and told when something can be written again;
// a line of which a part was written does not spoil the next one.
func TestLinesThatCanNotBeWrittenAreDropped(t *testing.T) {
	for name, test := range map[string]struct {
		n       int // bytes that are written of the first text
		partial string
		dropped int64
	}{
		"nothing is written": {0, "", 3},
		"one line is":        {10, "line 0001\n", 2},
		"a line and a half":  {15, "line 0001\nline \n", 2},
		"all but its end":    {29, "line 0001\nline 0002\nline 0003\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				full := true
				r := &reader{paused: make(chan struct{})}
				r.fail = func(text []byte) (int, error) {
					if len(text) == 30 && full {
						return test.n, syscall.ENOSPC
					} else if full && !bytes.HasPrefix(text, []byte("line 0000")) {
						return 0, syscall.ENOSPC
					}
					return 0, nil
				}
				q := New(r, 100, told)
				want := write(t, q, 0, 0)
				synctest.Wait()
				write(t, q, 1, 3)
				close(r.paused)
				synctest.Wait()
				if q.Dropped() != test.dropped {
					t.Errorf("%d are dropped, want %d", q.Dropped(), test.dropped)
				}
				full = false
				want += test.partial + write(t, q, 4, 4) + fmt.Sprintf("%d dropped\n", test.dropped)
				q.Close(time.Second)
				if got := r.text.String(); got != want {
					t.Errorf("got %q\nwant %q", got, want)
				}
			})
		})
	}
}

// A pipe that another program has made non-blocking is no error.
func TestAFullPipeThatDoesNotBlockIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(time.Minute)
		r := &reader{fail: func(text []byte) (int, error) {
			if time.Now().Before(end) {
				return min(3, len(text)), errors.Join(syscall.EAGAIN)
			}
			return 0, nil
		}}
		q := New(r, 100, told)
		want := write(t, q, 1, 3)
		time.Sleep(2 * time.Minute)
		q.Close(time.Second)
		if got := r.text.String(); got != want || q.Dropped() != 0 {
			t.Errorf("got %q, %d dropped", got, q.Dropped())
		}
	})
}

func TestCloseWaitsForWhatIsQueuedButNotForLong(t *testing.T) {
	for reads, want := range map[time.Duration]bool{0: false, time.Second / 2: false, time.Minute: true} {
		synctest.Test(t, func(t *testing.T) {
			r := &reader{paused: make(chan struct{})}
			q := New(r, 100, nil)
			lines := write(t, q, 1, 10)
			begin := time.Now()
			time.AfterFunc(reads, func() { close(r.paused) })
			if left := q.Close(time.Second); left != want || time.Since(begin) > time.Second {
				t.Errorf("read after %v: something is left: %v, after %v", reads, left, time.Since(begin))
			}
			write(t, q, 21, 30) // it is closed, and neither waits nor fails
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := r.text.String(); got == "" || !strings.HasPrefix(lines, got) {
				t.Errorf("got %q", got)
			}
		})
	}
}
