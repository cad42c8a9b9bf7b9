// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// following runs followOn on a text, with the bubble's clock.
type following struct {
	events chan fsnotify.Event

	mu     sync.Mutex
	text   string
	loaded []string
	looks  int
}

func startFollowing(t *testing.T, text string) *following {
	f := &following{text: text, events: make(chan fsnotify.Event)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		followOn(ctx, f.events, nil, f.look, sum(text), f.load)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	synctest.Wait()
	return f
}

func sum(text string) digest { return sha256.Sum256([]byte(text)) }

func (f *following) look() sight {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	return sight{data: []byte(f.text), sum: sum(f.text)}
}

func (f *following) load(seen sight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loaded = append(f.loaded, string(seen.data))
}

// result is what has been loaded, and how many looks there were.
func (f *following) result() (loaded []string, looks int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.loaded), f.looks
}

func (f *following) set(text string, event bool, after time.Duration) {
	f.mu.Lock()
	f.text = text
	f.mu.Unlock()
	if event {
		f.events <- fsnotify.Event{}
	}
	time.Sleep(after)
	synctest.Wait()
}

func (f *following) check(t *testing.T, want ...string) {
	t.Helper()
	if loaded, _ := f.result(); !slices.Equal(loaded, want) {
		t.Errorf("loaded %q, want %q", loaded, want)
	}
}

func TestFollowWaitsUntilAFileIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFollowing(t, "a")
		// Saved part by part.
		for _, part := range []string{"", "b", "bc"} {
			f.set(part, true, settled-pause)
		}
		f.set("bcd", true, settled/2)
		f.set("bcd", true, settled/2-time.Millisecond) // an event of another file
		f.check(t)
		f.set("bcd", false, pause+time.Millisecond)
		f.check(t, "bcd")
		// A look at something else, and back.
		f.set("x", true, pause)
		f.set("bcd", true, time.Minute)
		// Once for one content, however long it stays.
		f.set("broken", true, time.Minute)
		f.set("good", true, time.Minute)
		f.check(t, "bcd", "broken", "good")
	})
}

func TestFollowWithoutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFollowing(t, "a")
		close(f.events) // as when the watcher fails
		f.set("b", false, poll+settled)
		f.check(t, "b")
	})
}

func TestFollowIsNotKeptBusyByEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFollowing(t, "a")
		begin := time.Now()
		_, before := f.result()
		for range 1000 {
			f.set("a", true, time.Millisecond)
		}
		f.set("b", true, settled+pause)
		_, after := f.result()
		if most := int(time.Since(begin)/pause) + 2; after-before > most {
			t.Errorf("%d looks, want at most %d", after-before, most)
		}
		f.check(t, "b")
	})
}

func TestLook(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	first := look(path)
	if first.err == nil || first.sum != look(path).sum {
		t.Errorf("got %+v", first)
	}
	must(t, os.WriteFile(path, []byte("text"), 0o640))
	second := look(path)
	if second.err != nil || string(second.data) != "text" || second.mode.Perm() != 0o640 || second.sum == first.sum {
		t.Errorf("got %+v", second)
	}
	if err := exec.Command("mkfifo", filepath.Join(folder, "pipe")).Run(); err == nil {
		if seen := look(filepath.Join(folder, "pipe")); seen.err == nil || !strings.Contains(seen.err.Error(), "regular") {
			t.Errorf("got %+v", seen)
		}
	}
}
