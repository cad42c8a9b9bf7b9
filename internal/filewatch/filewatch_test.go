// SPDX-License-Identifier: AGPL-3.0-only

package filewatch

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// polling makes a watcher without events.
func polling(paths ...string) *Watcher {
	w := New(1<<20, paths...)
	w.events = func([]string) *events { return nil }
	return w
}

// watching reads files, follows their changes until the end of the test, and
// remembers what was returned.
type watching struct {
	mu  sync.Mutex
	all []string
	at  []time.Time
}

func watch(t *testing.T, w *Watcher) *watching {
	ctx, cancel := context.WithCancel(t.Context())
	r := &watching{}
	r.add(w.Read())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for files := range w.Changes(ctx) {
			r.add(files)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r
}

// text returns what was found, or "error: " and why there is nothing.
func text(files []File) string {
	var all []string
	for _, file := range files {
		if file.Err != nil {
			all = append(all, "error: "+file.Err.Error())
		} else {
			all = append(all, string(file.Data))
		}
	}
	return strings.Join(all, "|")
}

func (r *watching) add(files []File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all, r.at = append(r.all, text(files)), append(r.at, time.Now())
}

func (r *watching) results() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

func TestChangesAreReportedOnceTheFileIsLeftAlone(t *testing.T) {
	const gone, emptied = "error: is missing, and was not before: nothing is changed", "error: is empty, and was not before: nothing is changed"
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	type save struct {
		at   time.Duration
		text string // "-" for no file
	}
	for name, test := range map[string]struct {
		saves []save
		want  []string
	}{
		"nothing":              {nil, nil},
		"one write":            {[]save{{ms(1000), "1"}}, []string{"1"}},
		"at once":              {[]save{{0, "1"}}, []string{"1"}},
		"emptied and filled":   {[]save{{ms(1000), ""}, {ms(1001), "1"}}, []string{"1"}},
		"slow":                 {[]save{{ms(1000), ""}, {ms(1200), "a"}, {ms(1400), "b"}, {ms(1600), "c"}, {ms(1800), "1"}}, []string{"1"}},
		"there and back":       {[]save{{ms(1000), ""}, {ms(1200), "0"}}, nil},
		"there, away and back": {[]save{{ms(1000), "1"}, {ms(3000), "2"}, {ms(3200), "1"}}, []string{"1"}},
		"one after the other":  {[]save{{ms(1000), "1"}, {ms(3000), "2"}, {ms(5000), "1"}}, []string{"1", "2", "1"}},
		"removed for long":     {[]save{{ms(1000), "-"}, {ms(9000), "0"}}, []string{gone, "0"}},
		"emptied for long":     {[]save{{ms(1000), " \r\n"}, {ms(9000), "1"}}, []string{emptied, "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				write(t, path, "0")
				r, begin := watch(t, polling(path)), time.Now()
				for _, save := range test.saves {
					time.Sleep(save.at - time.Since(begin))
					if save.text == "-" {
						must(t, os.Remove(path))
					} else {
						write(t, path, save.text)
						// The system's clock stands still meanwhile.
						must(t, os.Chtimes(path, time.Time{}, time.Now()))
					}
				}
				time.Sleep(10 * time.Second)
				if got := r.results()[1:]; !slices.Equal(got, test.want) {
					t.Fatalf("reported %q, want %q", got, test.want)
				}
				for i, at := range r.at[1:] {
					var saved time.Duration
					for _, save := range test.saves {
						if begin.Add(save.at).Before(at) {
							saved = save.at
						}
					}
					if took := at.Sub(begin) - saved; took < quiet || took > quiet+pause+poll {
						t.Errorf("%q was reported %s after the save, want %s to %s", r.all[i+1], took, quiet, quiet+pause+poll)
					}
				}
			})
		})
	}
}

// Each look finds the same by chance, since the file is emptied and filled all
// the time: only the time of the last write changes.
func TestAFileThatIsWrittenAllTheTimeIsNotReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "0")
		w := polling(path)
		r := watch(t, w)
		write(t, path, "half")
		for i := range 100 {
			must(t, os.Chtimes(path, time.Time{}, time.Unix(int64(i), 0)))
			time.Sleep(quiet - pause)
		}
		if got := r.results(); len(got) != 1 {
			t.Errorf("reported %q while it was written", got[1:])
		}
		time.Sleep(2 * quiet)
		if got := r.results(); len(got) != 2 {
			t.Errorf("reported %q after it was written", got[1:])
		}
	})
}

func TestAChangeThatLooksTheSameFromOutsideIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "a")
		must(t, os.Chtimes(path, time.Time{}, time.Unix(1, 0)))
		r := watch(t, polling(path))
		time.Sleep(10 * time.Second)
		write(t, path, "b")
		must(t, os.Chtimes(path, time.Time{}, time.Unix(1, 0)))
		time.Sleep(reread + quiet + pause + poll)
		if got := r.results(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestFilesThatBelongTogetherAreOneChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		cert, key := filepath.Join(folder, "cert"), filepath.Join(folder, "key")
		write(t, cert, "c1")
		write(t, key, "k1")
		r := watch(t, polling(cert, key))
		time.Sleep(time.Second)
		write(t, cert, "c2")
		time.Sleep(quiet / 2)
		write(t, key, "k2")
		time.Sleep(time.Minute)
		if got := r.results(); !slices.Equal(got, []string{"c1|k1", "c2|k2"}) {
			t.Errorf("got %q", got)
		}
	})
}

// What was read meanwhile need not be reported, and is what counts from then on.
func TestChangesGoOnFromWhatWasReadLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "0")
		w := polling(path)
		r := watch(t, w)
		time.Sleep(time.Second)
		write(t, path, "1")
		w.Read()
		time.Sleep(time.Minute)
		write(t, path, "half")
		w.Read()
		write(t, path, "1")
		time.Sleep(time.Minute)
		if got := r.results(); !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("got %q", got)
		}
	})
}

// Nothing is left behind by a loop that is broken off, or ended by its context.
func TestChangesEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, w := range []*Watcher{New(1, t.TempDir()), polling(t.TempDir())} {
		for range w.Changes(t.Context()) { // it was never read
			break
		}
		ctx, cancel := context.WithTimeout(t.Context(), quiet)
		defer cancel()
		for range w.Changes(ctx) {
			t.Error("the same was reported again")
		}
	}
	for deadline := time.Now().Add(time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestReadSettledWaitsForTheEndOfASave(t *testing.T) {
	const gone = "error: is missing, and was not before: nothing is changed"
	for name, test := range map[string]struct {
		before string // what was read before; "-" for no file
		saves  []string
		want   string
		atMost time.Duration
	}{
		"never there":       {"-", nil, "error: cannot be read: no such file or directory", 0},
		"as it was":         {"a", nil, "a", 0},
		"in parts":          {"a", []string{"", "b", "b c"}, "b c", 2*quiet + pause},
		"away for a moment": {"a", []string{"-", "b"}, "b", 2 * quiet},
		"gone":              {"a", []string{"-"}, gone, quiet + pause},
		"emptied":           {"a", []string{""}, "error: is empty, and was not before: nothing is changed", quiet + pause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				save := func(text string) {
					if text == "-" {
						must(t, os.RemoveAll(path))
					} else {
						write(t, path, text)
					}
				}
				save(test.before)
				w := polling(path)
				w.Read()
				for i, text := range test.saves {
					if i == 0 {
						save(text)
					} else {
						time.AfterFunc(time.Duration(i)*quiet/2, func() { save(text) })
					}
				}
				begin := time.Now()
				files, err := w.ReadSettled(t.Context())
				if took := time.Since(begin); err != nil || text(files) != test.want || took > test.atMost {
					t.Errorf("got %q, %v after %s", text(files), err, took)
				}
			})
		})
	}
}

func TestReadSettledOfAnOldFileDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "a")
		must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-quiet)))
		begin := time.Now()
		if files, err := New(1<<20, path).ReadSettled(t.Context()); err != nil || text(files) != "a" || time.Since(begin) > 0 {
			t.Errorf("got %q, %v after %s", text(files), err, time.Since(begin))
		}
	})
}

// A save without end is an error; its end is a change, whatever is there then.
func TestReadSettledOfASaveWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "a")
		w := polling(path)
		r := watch(t, w)
		end := make(chan struct{})
		go func() {
			for i := 0; ; i++ {
				select {
				case <-end:
					write(t, path, "a")
					return
				case <-time.After(quiet / 2):
					write(t, path, strings.Repeat("b", i%7))
				}
			}
		}()
		time.Sleep(quiet)
		if _, err := w.ReadSettled(t.Context()); !errors.Is(err, errBusy) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), quiet)
		defer cancel()
		if _, err := w.ReadSettled(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(end)
		time.Sleep(time.Minute)
		if got := r.results(); !slices.Equal(got, []string{"a", "a"}) {
			t.Errorf("reported %q", got)
		}
	})
}

func TestRead(t *testing.T) {
	const maxBytes = 2 << 20
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	write(t, in("file"), "text")
	must(t, os.WriteFile(in("largest"), bytes.Repeat([]byte("x"), maxBytes), 0o600))
	must(t, os.WriteFile(in("too large"), bytes.Repeat([]byte("x"), maxBytes+1), 0o600))
	for name, target := range map[string]string{"link": "file", "loop": "loop", "broken": "nowhere"} {
		if err := os.Symlink(target, in(name)); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	if err := exec.Command("mkfifo", in("pipe")).Run(); err != nil {
		t.Skip("no pipes here: ", err)
	}
	for path, want := range map[string]string{
		in("file"): "text", in("link"): "text", in("largest"): strings.Repeat("x", maxBytes),
		in("missing"): "error: cannot be read: no such file or directory", in("broken"): "error: cannot be read: no such file or directory",
		in("loop"): "error: cannot be read: too many levels of symbolic links", in("file/below"): "error: cannot be read: not a directory",
		in("too large"): "error: cannot be read: larger than 2 MiB",
		folder:          "error: cannot be read: not a regular file", in("pipe"): "error: cannot be read: not a regular file", os.DevNull: "error: cannot be read: not a regular file",
	} {
		file := Read(path, maxBytes)
		if got := text([]File{file}); got != want {
			t.Errorf("%s: got %.100q, want %.100q", path, got, want)
		}
		if missing := path == in("missing") || path == in("broken"); errors.Is(file.Err, fs.ErrNotExist) != missing {
			t.Errorf("%s: %v", path, file.Err)
		}
		if file.Err == nil && file.Info.Size() != int64(len(file.Data)) {
			t.Errorf("%s: %v", path, file.Info)
		}
	}
}

// A file that is mounted alone is the former one after a rename, whether or not
// that has another name by then.
func TestReplacedOutsideOfItsMount(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"renamed over": func(path string) error { return os.Rename(path+".new", path) },
		"kept as a backup, as by Emacs": func(path string) error {
			return errors.Join(os.Rename(path, path+"~"), os.Rename(path+".new", path))
		},
		"a link": func(path string) error {
			return errors.Join(os.Link(path, path+"~"), os.Rename(path+".new", path), os.Remove(path+"~"))
		},
		"removed": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), `a "folder" \ of ours`)
			must(t, os.Mkdir(folder, 0o700))
			path, place := filepath.Join(folder, "path"), filepath.Join(folder, "place")
			write(t, path, "a")
			write(t, place, "")
			if out, err := exec.Command("mount", "--bind", path, place).CombinedOutput(); err != nil {
				t.Skipf("no mount: %v: %s", err, out)
			}
			defer exec.Command("umount", place).Run()
			replaced := Replaced(path, place, filepath.Join(folder, "none"))
			write(t, path, "changed in place")
			if got := replaced(); got != nil {
				t.Errorf("it is the same file: got %q", got)
			}
			write(t, path+".new", "b")
			must(t, replace(path))
			if got := replaced(); len(got) != 1 || !strings.HasPrefix(got[0], place+": was replaced outside of the mount") {
				t.Errorf("got %q", got)
			}
		})
	}
}
