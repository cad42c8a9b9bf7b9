// SPDX-License-Identifier: AGPL-3.0-only

package socket_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/internal/socket"
)

// pair runs a test with a connection of 10 s stall and 60 s silence, over a pipe
// that holds nothing, and the peer's end of it.
func pair(t *testing.T, test func(t *testing.T, c *socket.Conn, peer net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := socket.New(ours, socket.Limits{Stall: 10 * time.Second, Silence: time.Minute})
		defer c.Close()
		defer theirs.Close()
		test(t, c, theirs)
	})
}

func TestFramesBetweenCorkAndUncorkLeaveInOneWrite(t *testing.T) {
	pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
		go func() {
			c.Cork()
			for _, text := range []string{"a", "bc", "d"} {
				c.Write([]byte(text))
			}
			c.Uncork()
			c.Write([]byte("e"))
		}()
		for _, want := range []string{"abcd", "e"} { // a pipe ends a read with a write
			buf := make([]byte, 100)
			if n, err := peer.Read(buf); err != nil || string(buf[:n]) != want {
				t.Errorf("read %q, %v, want %q", buf[:n], err, want)
			}
		}
	})
}

func TestMuchIsWrittenInOrder(t *testing.T) {
	pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
		parts := []string{"first", strings.Repeat("x", 20<<10), strings.Repeat("y", 20<<10), strings.Repeat("z", 200<<10), "last"}
		go func() {
			c.Cork()
			for _, part := range parts {
				if n, err := c.Write([]byte(part)); n != len(part) || err != nil {
					t.Errorf("wrote %d bytes of %d: %v", n, len(part), err)
				}
			}
			c.Uncork()
			c.Close()
		}()
		if got, err := io.ReadAll(peer); err != nil || string(got) != strings.Join(parts, "") {
			t.Errorf("%d bytes came, %v", len(got), err)
		}
	})
}

// within runs what is to fail with a timeout, and checks when.
func within(t *testing.T, want time.Duration, what func() error) {
	t.Helper()
	begin := time.Now()
	err := what()
	if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took != want {
		t.Errorf("%v after %v, want a timeout after %v", err, took, want)
	}
}

func TestReadDeadlines(t *testing.T) {
	read := func(c *socket.Conn) func() error {
		return func() error {
			for {
				if _, err := c.Read(make([]byte, 1)); err != nil {
					return err
				}
			}
		}
	}
	tests := map[string]struct {
		before func(c *socket.Conn)
		want   time.Duration
	}{
		"a silent peer":                       {func(*socket.Conn) {}, time.Minute},
		"a deadline of the message":           {func(c *socket.Conn) { c.ReadBy(time.Now().Add(time.Second)) }, time.Second},
		"a deadline later than the silence":   {func(c *socket.Conn) { c.ReadBy(time.Now().Add(time.Hour)) }, time.Minute},
		"a deadline that was lifted":          {func(c *socket.Conn) { c.ReadBy(time.Now()); c.ReadBy(time.Time{}) }, time.Minute},
		"an end":                              {func(c *socket.Conn) { c.Finish(2 * time.Second) }, 2 * time.Second},
		"a second end":                        {func(c *socket.Conn) { c.Finish(2 * time.Second); c.Finish(time.Second) }, 2 * time.Second},
		"a deadline of the library":           {func(c *socket.Conn) { c.SetReadDeadline(time.Now()); c.SetDeadline(time.Now()) }, time.Minute},
		"a deadline of the message after end": {func(c *socket.Conn) { c.Finish(2 * time.Second); c.ReadBy(time.Now()) }, 2 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
				test.before(c)
				within(t, test.want, read(c))
				if silent := c.Silent(); silent != test.want {
					t.Errorf("silent for %v, want %v", silent, test.want)
				}
			})
		})
	}
	t.Run("a peer that sends a little", func(t *testing.T) {
		pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
			time.AfterFunc(50*time.Second, func() { peer.Write([]byte("x")) })
			within(t, 110*time.Second, read(c))
		})
	})
}

func TestAPeerThatTakesNothingIsStalled(t *testing.T) {
	pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
		within(t, 15*time.Second, func() error {
			_, err := c.Write(make([]byte, 1000))
			return err
		})
		if !c.Stalled() {
			t.Error("it is not stalled")
		}
	})
}

func TestAPeerThatTakesAChunkInTimeIsNotStalled(t *testing.T) {
	pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
		go func() {
			for range 4 {
				time.Sleep(9 * time.Second)
				io.ReadFull(peer, make([]byte, socket.ChunkBytes))
			}
		}()
		if _, err := c.Write(make([]byte, 4*socket.ChunkBytes)); err != nil || c.Stalled() {
			t.Errorf("%v, stalled: %v", err, c.Stalled())
		}
	})
}

// TestAPeerThatTakesALittleIsNotStalled, nor is it silent while it takes what was
// written: it can't have a ping to answer.
func TestAPeerThatTakesALittleIsNotStalled(t *testing.T) {
	for name, size := range map[string]int{"within a chunk": 30 << 10, "several chunks": 3*socket.ChunkBytes + 1} {
		t.Run(name, func(t *testing.T) {
			pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
				heard := make(chan error)
				go func() {
					_, err := c.Read(make([]byte, 1))
					heard <- err
				}()
				go func() {
					for left := size; left > 0; {
						time.Sleep(5 * time.Second)
						n, _ := peer.Read(make([]byte, 1<<10))
						left -= n
					}
					peer.Write([]byte("x"))
				}()
				begin := time.Now()
				if _, err := c.Write(make([]byte, size)); err != nil || c.Stalled() {
					t.Errorf("%v, stalled: %v", err, c.Stalled())
				}
				if took := time.Since(begin); took < 2*time.Minute {
					t.Errorf("it took %v", took)
				}
				if err := <-heard; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestAPeerThatTakesNoMoreIsStalled: one that was slow before has more time.
func TestAPeerThatTakesNoMoreIsStalled(t *testing.T) {
	pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
		go func() {
			time.Sleep(9 * time.Second)
			io.ReadFull(peer, make([]byte, 8<<10))
		}()
		within(t, 75*time.Second, func() error {
			_, err := c.Write(make([]byte, socket.ChunkBytes))
			return err
		})
		if !c.Stalled() {
			t.Error("it is not stalled")
		}
	})
}

func TestAPeerThatWakesUpLateGetsAWholeMessage(t *testing.T) {
	pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
		go func() {
			time.Sleep(12 * time.Second)
			io.ReadFull(peer, make([]byte, 3*socket.ChunkBytes))
		}()
		if _, err := c.Write(make([]byte, 3*socket.ChunkBytes)); err != nil || !c.Stalled() {
			t.Errorf("%v, stalled: %v", err, c.Stalled())
		}
	})
}

func TestHurry(t *testing.T) {
	for name, test := range map[string]struct{ patience, want time.Duration }{
		"a peer that is late":  {2 * time.Second, 4 * time.Second},
		"a peer that has time": {4 * time.Second, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
				c.Hurry(0) // nothing is written: no effect
				time.AfterFunc(3*time.Second, func() { c.Hurry(test.patience) })
				within(t, test.want, func() error {
					_, err := c.Write(make([]byte, 10))
					return err
				})
			})
		})
	}
}

// TestHurryOfASlowPeer: one that goes on taking something has the time to stall.
func TestHurryOfASlowPeer(t *testing.T) {
	for every, want := range map[time.Duration]bool{100 * time.Millisecond: false, 500 * time.Millisecond: true} {
		pair(t, func(t *testing.T, c *socket.Conn, peer net.Conn) {
			read := make(chan struct{})
			go func() {
				defer close(read)
				for {
					time.Sleep(every)
					if _, err := peer.Read(make([]byte, 1<<10)); err != nil {
						return
					}
				}
			}()
			ended := make(chan struct{})
			go func() {
				c.Write(make([]byte, 3*socket.ChunkBytes))
				close(ended)
			}()
			time.Sleep(3 * time.Second) // it is known to be slow
			for range 60 {
				c.Hurry(time.Second)
				time.Sleep(time.Second)
			}
			if c.Stalled() != want {
				t.Errorf("1 KiB each %v: stalled: %v", every, c.Stalled())
			}
			<-ended
			c.Close()
			<-read
		})
	}
}

func TestReadMessage(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for name, test := range map[string]struct {
		text  string
		limit int64
		want  string
		err   error
	}{
		"short":                 {"hello", 10, "hello", nil},
		"as long as it may be":  {"hello", 5, "hello", nil},
		"too long":              {"hello", 3, "hell", socket.ErrTooLarge},
		"longer than a buffer":  {long, 1 << 20, long, nil},
		"empty":                 {"", 10, "", nil},
		"too long for a buffer": {long, 80 << 10, long[:80<<10+1], socket.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := socket.ReadMessage(strings.NewReader(test.text), test.limit)
			if string(got) != test.want || !errors.Is(err, test.err) {
				t.Errorf("%d bytes, %v, want %d, %v", len(got), err, len(test.want), test.err)
			}
		})
	}
}
