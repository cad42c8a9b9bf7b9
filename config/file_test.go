// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/plexus-go/plexus/storage"
)

// without makes a file that hears of no events.
func without(path string) *File {
	file := NewFile(path)
	file.listen = func() (*fsnotify.Watcher, error) { return nil, errors.New("too many") }
	return file
}

// put writes a file that seems to have been left alone for a while.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	age(t, path)
}

func age(t *testing.T, path string) {
	t.Helper()
	past := time.Now().Add(-time.Minute)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

// names returns those of backends, in their order, with spaces between them.
func names(backends []storage.Backend) string {
	var all []string
	for _, b := range backends {
		all = append(all, b.Name)
	}
	return strings.Join(all, " ")
}

func entry(name string) string {
	return "[[backend]]\nname = \"" + name + "\"\nhost = \"localhost\"\nport = 4444\n\n"
}

// What comes after what, and what Load says of it: names, or an error.
func TestFileLoad(t *testing.T) {
	const (
		missing = "\x00"
		gone    = "is missing, and was not before: nothing is changed"
		emptied = "is empty, and was not before: nothing is changed"
		invalid = `:1: unknown key "x": there may only be [[backend]] tables`
	)
	type step struct{ text, names, err string }
	ab := entry("a") + entry("b")
	for name, steps := range map[string][]step{
		"never there":               {{missing, "", ""}, {missing, "", ""}},
		"empty from the start":      {{"", "", ""}, {"\n\t \r\n", "", ""}, {"\ufeff\n", "", ""}, {missing, "", ""}},
		"comes":                     {{missing, "", ""}, {ab, "a b", ""}},
		"comes empty":               {{missing, "", ""}, {"", "", ""}, {ab, "a b", ""}},
		"changes":                   {{ab, "a b", ""}, {entry("b"), "b", ""}, {ab, "a b", ""}},
		"is emptied":                {{ab, "a b", ""}, {"", "", emptied}, {"", "", emptied}, {ab, "a b", ""}},
		"is filled with space":      {{ab, "a b", ""}, {" \r\n\t\n", "", emptied}, {"\ufeff\r\n", "", emptied}, {entry("a"), "a", ""}},
		"is removed":                {{ab, "a b", ""}, {missing, "", gone}, {missing, "", gone}, {ab, "a b", ""}},
		"removed, then empty":       {{ab, "a b", ""}, {missing, "", gone}, {"", "", emptied}, {ab, "a b", ""}},
		"lists nothing":             {{ab, "a b", ""}, {"backend = []", "", ""}, {ab, "a b", ""}, {"# nothing", "", ""}, {ab, "a b", ""}},
		"emptied after nothing":     {{"# nothing", "", ""}, {"", "", emptied}, {missing, "", gone}},
		"becomes invalid":           {{ab, "a b", ""}, {"x = 1", "", invalid}, {"x = 1", "", invalid}, {ab, "a b", ""}},
		"invalid from the start":    {{"x = 1", "", invalid}, {ab, "a b", ""}},
		"invalid, then empty":       {{"x = 1", "", invalid}, {"", "", emptied}, {missing, "", gone}},
		"invalid between, and gone": {{ab, "a b", ""}, {"x = 1", "", invalid}, {missing, "", gone}, {ab, "a b", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "backends.toml")
			file := NewFile(path)
			if got := file.State(); got != (FileState{Path: path}) {
				t.Errorf("before the first load: %+v", got)
			}
			var want FileState
			var last error
			for i, step := range steps {
				if step.text == missing {
					if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Fatal(err)
					}
				} else {
					put(t, path, step.text)
				}
				begin := time.Now()
				backends, err := file.Load(t.Context())
				if names(backends) != step.names {
					t.Errorf("step %d: got %q, want %q", i, names(backends), step.names)
				}
				state := file.State()
				want.Path, want.Exists = path, step.text != missing
				if step.err != "" {
					var located *FileError
					if !errors.As(err, &located) || located.File != path || !strings.HasSuffix(err.Error(), step.err) {
						t.Fatalf("step %d: got %v, want …%s", i, err, step.err)
					}
					if errors.Is(err, fs.ErrNotExist) {
						t.Errorf("step %d: %v could be taken for a file that was never there", i, err)
					}
					if again := i > 0 && steps[i-1].err == step.err; errors.Is(err, last) != again {
						t.Errorf("step %d: that %v is %v should be %t", i, err, last, again)
					}
					want.Error = err.Error()
				} else {
					if err != nil {
						t.Fatalf("step %d: %v", i, err)
					}
					if state.LoadedAt.Before(begin) {
						t.Errorf("step %d: loaded at %v, want after %v", i, state.LoadedAt, begin)
					}
					want.Error, want.Backends, want.LoadedAt = "", len(backends), state.LoadedAt
				}
				if state != want {
					t.Errorf("step %d: the state is %+v, want %+v", i, state, want)
				}
				last = err
			}
		})
	}
}

// What can't be read says so, and does not hang; when it can be, it is.
func TestFileLoadOfWhatIsNoFile(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"directory": {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "cannot be read: not a regular file"},
		"pipe":      {makePipe, "cannot be read: not a regular file"},
		"link to itself": {func(t *testing.T, path string) {
			must(t, os.Symlink(path, path))
		}, "cannot be read: "},
		"too large": {func(t *testing.T, path string) {
			put(t, path, "#")
			must(t, os.Truncate(path, maxFileBytes+1))
		}, "cannot be read: larger than 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && name != "directory" && name != "too large" {
				t.Skip("needs what Windows lacks")
			}
			path := filepath.Join(t.TempDir(), "backends.toml")
			put(t, path, entry("a"))
			file := NewFile(path)
			r := reloads(t, file)
			r.await(t, time.Now(), "a")
			must(t, os.Remove(path))
			test.make(t, path)
			r.awaitError(t, time.Now(), test.want)
			must(t, os.RemoveAll(path))
			put(t, path, entry("b"))
			r.await(t, time.Now(), "b")
		})
	}
}

// makePipe makes a named pipe, to which nobody writes.
func makePipe(t *testing.T, path string) {
	t.Helper()
	if out, err := exec.Command("mkfifo", path).CombinedOutput(); err != nil {
		t.Skipf("mkfifo: %v: %s", err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A load that is asked for waits for the end of a save; the one of an aged file
// does not wait.
func TestFileLoadWaitsForTheSave(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "backends.toml")
	file := NewFile(path)
	put(t, path, entry("a"))
	begin := time.Now()
	if got, err := file.Load(t.Context()); err != nil || names(got) != "a" || time.Since(begin) >= quiet {
		t.Fatalf("got %q and %v after %s", names(got), err, time.Since(begin))
	}
	// in calls each step half of the quiet time after the one before, while the
	// file is loaded. That proves nothing where the system let it wait longer.
	in := func(want string, steps ...func() error) {
		t.Helper()
		done := make(chan bool)
		go func() {
			inTime := true
			for _, step := range steps {
				begin := time.Now()
				time.Sleep(quiet / 2)
				if err := step(); err != nil {
					t.Error(err)
				}
				inTime = inTime && time.Since(begin) < quiet-pause
			}
			done <- inTime
		}()
		got, err := file.Load(t.Context())
		switch inTime := <-done; {
		case !inTime:
			t.Log("the system is busy")
		case err != nil || names(got) != want:
			t.Errorf("got %q and %v, want %s", names(got), err, want)
		}
	}
	opened, err := os.Create(path)
	must(t, err)
	part := func(name string) func() error {
		return func() error { _, err := opened.WriteString(entry(name)); return err }
	}
	in("a b c", part("a"), part("b"), part("c"), opened.Close)
	// The same where the file is not there for a moment.
	must(t, os.Rename(path, path+"~"))
	in("a b c", func() error { return os.Rename(path+"~", path) })
}

// A save without end is an error, which changes nothing; the end of it is a
// change even where the content is what it was.
func TestFileLoadOfASaveWithoutEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "backends.toml")
	put(t, path, entry("a"))
	file := NewFile(path)
	if _, err := file.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Each touch is a write that happens to be of the same.
	must(t, os.Chtimes(path, time.Time{}, time.Now()))
	end, ended := make(chan struct{}), make(chan bool)
	go func() {
		inTime := true
		for last := time.Now(); ; last = time.Now() {
			select {
			case <-end:
				ended <- inTime
				return
			case <-time.After(quiet / 10):
				if err := os.Chtimes(path, time.Time{}, time.Now()); err != nil {
					t.Error(err)
				}
				inTime = inTime && time.Since(last) < quiet-pause
			}
		}
	}()
	got, err := file.Load(t.Context())
	state := file.State()
	// Nor does it outlast its context.
	ctx, cancel := context.WithTimeout(t.Context(), quiet/2)
	defer cancel()
	gotCut, errCut := file.Load(ctx)
	close(end)
	if !<-ended {
		t.Skip("the system is busy: it let the file alone for too long")
	}
	if located := (*FileError)(nil); !errors.As(err, &located) || !errors.Is(err, errBusy) || got != nil {
		t.Errorf("got %q and %v, want %v", names(got), err, errBusy)
	}
	if !errors.Is(errCut, context.DeadlineExceeded) || gotCut != nil {
		t.Errorf("got %q and %v, want the error of the context", names(gotCut), errCut)
	}
	if !strings.HasSuffix(state.Error, errBusy.Error()) || state.Backends != 1 || file.State() != state {
		t.Errorf("the state is %+v, and then %+v", state, file.State())
	}
	put(t, path, entry("a"))
	ctx, cancel = context.WithTimeout(t.Context(), 2*quiet)
	defer cancel()
	for range file.Changes(ctx) {
		if got, err := file.Load(ctx); err != nil || names(got) != "a" {
			t.Errorf("got %q and %v, want a", names(got), err)
		}
	}
	if state := file.State(); state.Error != "" {
		t.Errorf("the state is %+v", state)
	}
}

func TestFileLoadEndsWithTheContext(t *testing.T) {
	file := NewFile(filepath.Join(t.TempDir(), "backends.toml"))
	file.turn <- struct{}{} // somebody loads
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := file.Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFileErrorIs(t *testing.T) {
	one := &FileError{File: "f", Line: 1, Err: errors.New("x")}
	for _, test := range []struct {
		other error
		want  bool
	}{
		{one, true},
		{&FileError{File: "f", Line: 1, Err: errors.New("x")}, true},
		{&FileError{File: "f", Line: 2, Err: errors.New("x")}, false},
		{&FileError{File: "g", Line: 1, Err: errors.New("x")}, false},
		{&FileError{File: "f", Line: 1, Err: errors.New("y")}, false},
		{errors.New(one.Error()), false},
		{nil, false},
	} {
		if got := errors.Is(one, test.other); got != test.want {
			t.Errorf("that %v is %v: got %t", one, test.other, got)
		}
	}
}
