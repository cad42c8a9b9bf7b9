// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// inForce is by when the result of an edit is to be there.
const inForce = time.Second

// reloader loads a file whenever it is to be loaded, and remembers all results.
type reloader struct {
	mu      sync.Mutex
	results []string // names, or "error: …"
}

// reloads begins to load the file, until the end of the test.
func reloads(t *testing.T, file *File) *reloader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &reloader{}
	r.load(ctx, file)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range file.Changes(ctx) {
			r.load(ctx, file)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r
}

func (r *reloader) load(ctx context.Context, file *File) {
	backends, err := file.Load(ctx)
	if ctx.Err() != nil {
		return
	}
	result := names(backends)
	if err != nil {
		result = "error: " + err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, result)
}

// until waits for a last result that fits, until a second after saved.
func (r *reloader) until(t *testing.T, saved time.Time, want string, fits func(result string) bool) {
	t.Helper()
	// Time in which nobody let this process run doesn't count.
	const tick = 10 * time.Millisecond
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var stalled time.Duration
	for last := time.Now(); ; {
		results := r.all()
		if fits(results[len(results)-1]) {
			return
		}
		if time.Since(saved) > inForce+stalled {
			t.Fatalf("%s (and %s) after the save it should be %q; there was: %q", inForce, stalled, want, results)
		}
		<-ticker.C
		stalled += max(0, time.Since(last)-2*tick)
		last = time.Now()
	}
}

func (r *reloader) await(t *testing.T, saved time.Time, names string) {
	t.Helper()
	r.until(t, saved, names, func(result string) bool { return result == names })
}

func (r *reloader) awaitError(t *testing.T, saved time.Time, text string) {
	t.Helper()
	r.until(t, saved, text, func(result string) bool {
		return strings.HasPrefix(result, "error: ") && strings.Contains(result, text)
	})
}

func (r *reloader) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.results)
}

// saving is a way in which a file comes to hold something else.
type saving struct {
	// at is where the file is, below the folder that it is all about.
	at string
	// prepare makes what is there at the start; nil for nothing at all.
	prepare func(t *testing.T, folder, text string)
	// save makes the file hold parts, each of which is valid by itself. It
	// returns what may be in force besides.
	save func(t *testing.T, folder string, n int, parts []string) (excused []string)
	// anew begins to watch anew for each save.
	anew bool
}

// run executes a shell script in folder, whose arguments are $1, $2, ….
func run(t *testing.T, folder, script string, args ...string) {
	t.Helper()
	command := exec.Command("sh", append([]string{"-eu", "-c", script, "sh"}, args...)...)
	command.Dir = folder
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// scripted saves with a shell script, whose arguments are the text and the number
// of the save.
func scripted(script string) func(*testing.T, string, int, []string) []string {
	return func(t *testing.T, folder string, n int, parts []string) []string {
		t.Helper()
		run(t, folder, script, strings.Join(parts, ""), strconv.Itoa(n))
		return nil
	}
}

func plain(t *testing.T, folder, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(folder, "backends.toml"), []byte(text), 0o600))
}

// slowly saves part by part. Where the system was so busy that a pause became
// longer than is allowed, the parts may be in force.
func slowly(t *testing.T, folder string, _ int, parts []string) (excused []string) {
	t.Helper()
	run(t, folder, `printf %s "$1" >backends.toml`, parts[0])
	for _, part := range parts[1:] {
		begin := time.Now()
		time.Sleep(200 * time.Millisecond)
		run(t, folder, `printf %s "$1" | cat >>backends.toml`, part)
		if took := time.Since(begin); took > quiet-pause {
			t.Logf("a pause of %s: the system is busy", took)
			excused = []string{"keep", "keep more"}
		}
	}
	return excused
}

// vim edits the file as a person does, with swap and backup files.
func vim(options string) func(*testing.T, string, int, []string) []string {
	return func(t *testing.T, folder string, _ int, parts []string) []string {
		t.Helper()
		path := testkit.Tool(t, "vim")
		text := filepath.Join(t.TempDir(), "text")
		must(t, os.WriteFile(text, []byte(strings.Join(parts, "")), 0o600))
		command := exec.Command(path, "-es", "-u", "NONE", "-i", "NONE", "-N",
			"--cmd", "set swapfile updatecount=1 "+options,
			"-c", "%d", "-c", "0read "+text, "-c", "$d", "-c", "wq", "backends.toml")
		command.Dir = folder
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("vim: %v\n%s", err, out)
		}
		return nil
	}
}

// configMap brings a new version of a mounted ConfigMap, as the kubelet does.
func configMap(t *testing.T, folder string, n int, parts []string) []string {
	t.Helper()
	old, _ := os.Readlink(filepath.Join(folder, "..data"))
	run(t, folder, `mkdir "..v$1"; printf %s "$2" >"..v$1/backends.toml"; ln -sfn "..v$1" ..data_tmp`, strconv.Itoa(n), strings.Join(parts, ""))
	must(t, os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")))
	if old != "" {
		must(t, os.RemoveAll(filepath.Join(folder, old)))
	}
	return nil
}

var savings = map[string]saving{
	"a shell's >": {
		at: "backends.toml", prepare: plain,
		save: scripted(`printf %s "$1" >backends.toml`),
	},
	"emptied and filled": {
		at: "backends.toml", prepare: plain,
		save: scripted(`: >backends.toml; sleep 0.2; printf %s "$1" >>backends.toml`),
	},
	"slowly in parts": {at: "backends.toml", prepare: plain, save: slowly},
	"mv": {
		at: "backends.toml", prepare: plain,
		save: scripted(`printf %s "$1" >new; mv new backends.toml`),
	},
	"mv of an old file": {
		at: "backends.toml", prepare: plain,
		save: scripted(`printf %s "$1" >new; touch -t 200001010000 new; mv new backends.toml`),
	},
	"mv away and cp": {
		at: "backends.toml", prepare: plain,
		save: scripted(`printf %s "$1" >new; mv backends.toml old; sleep 0.1; cp new backends.toml`),
	},
	"removed and restored": {
		at: "backends.toml", prepare: plain,
		save: scripted(`rm backends.toml; sleep "0.$(($2 * 3 % 7))"; printf %s "$1" >backends.toml`),
	},
	"vim": {
		at: "backends.toml", prepare: plain,
		save: vim("backup writebackup backupcopy=no"),
	},
	"vim in place": {
		at: "backends.toml", prepare: plain,
		save: vim("backup writebackup backupcopy=yes"),
	},
	"ConfigMap": {
		at: "backends.toml",
		prepare: func(t *testing.T, folder, text string) {
			configMap(t, folder, 0, []string{text})
			run(t, folder, `ln -s ..data/backends.toml backends.toml`)
		},
		save: configMap,
	},
	"a link to another file": {
		at: "backends.toml",
		prepare: func(t *testing.T, folder, text string) {
			run(t, folder, `mkdir v; printf %s "$1" >v/0; ln -s v/0 backends.toml`, text)
		},
		save: scripted(`printf %s "$1" >"v/$2"; ln -sfn "v/$2" backends.toml`),
	},
	"a link to another folder": {
		at: "current/backends.toml",
		prepare: func(t *testing.T, folder, text string) {
			run(t, folder, `mkdir 0; printf %s "$1" >0/backends.toml; ln -s 0 current`, text)
		},
		save: scripted(`mkdir "$2"; printf %s "$1" >"$2/backends.toml"; ln -sfn "$2" current`),
	},
	"behind a link": {
		at: "link.toml",
		prepare: func(t *testing.T, folder, text string) {
			run(t, folder, `mkdir -p a/b; printf %s "$1" >a/b/real.toml; ln -s a/b/real.toml link.toml`, text)
		},
		save: scripted(`printf %s "$1" >a/b/new; mv a/b/new a/b/real.toml`),
	},
	"new folders": {
		at:   "a/b/c/backends.toml",
		save: scripted(`rm -rf a; mkdir -p a/b/c; printf %s "$1" >a/b/c/backends.toml`),
	},
	"new folders at a start": {
		at: "a/b/c/backends.toml", anew: true,
		save: scripted(`mkdir -p a/b/c; printf %s "$1" >a/b/c/backends.toml`),
	},
	"new folders one by one": {
		at: "a/b/c/backends.toml", anew: true,
		save: scripted(`for d in a a/b a/b/c; do mkdir $d; sleep 0.07; done; printf %s "$1" >a/b/c/backends.toml`),
	},
	"another folder of that name": {
		at: "a/backends.toml",
		prepare: func(t *testing.T, folder, text string) {
			run(t, folder, `mkdir a; printf %s "$1" >a/backends.toml`, text)
		},
		save: scripted(`mkdir new; printf %s "$1" >new/backends.toml; mv a "old$2"; mv new a`),
	},
}

// Every way of a save is in force a second after it, nothing is in force that
// was never saved, and nothing ever lists less than it should. RELOADS is how
// often that is done.
func TestReload(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	times := 5 // make reload does more
	if text := os.Getenv("RELOADS"); text != "" {
		var err error
		if times, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	// All at once, as most of the time passes in waiting: t.Parallel would run
	// as many as there are processors.
	var all sync.WaitGroup
	for name, saving := range savings {
		for how, file := range map[string]func(string) *File{"with events": NewFile, "without events": without} {
			all.Go(func() {
				t.Run(name+" "+how, func(t *testing.T) { saving.repeat(t, file, times) })
			})
		}
	}
	all.Wait()
}

func (s saving) repeat(t *testing.T, file func(path string) *File, times int) {
	folder := t.TempDir()
	path := filepath.Join(folder, s.at)
	valid := map[string]bool{}
	if s.prepare != nil {
		s.prepare(t, folder, entry("keep"))
		valid["keep"] = true
	} else {
		valid[""] = true
	}
	var r *reloader
	for n := 1; n <= times; n++ {
		if s.anew {
			must(t, os.RemoveAll(filepath.Join(folder, "a")))
		}
		if s.anew || n == 1 {
			r = reloads(t, file(path))
		}
		last := fmt.Sprint("v", n)
		excused := s.save(t, folder, n, []string{entry("keep"), entry("more"), entry(last)})
		saved := time.Now()
		for _, result := range excused {
			valid[result] = true
		}
		valid["keep more "+last] = true
		r.await(t, saved, "keep more "+last)
		for i, result := range r.all() {
			if strings.HasPrefix(result, "error: ") && s.mayFail(result) {
				continue
			}
			if !valid[result] || result == "" && i > 0 {
				t.Fatalf("save %d: %q was in force, of %q", n, result, r.all())
			}
		}
	}
}

// mayFail tells whether an error, which changes nothing, is no wonder: where
// the file was away for a while, or empty.
func (s saving) mayFail(result string) bool {
	return strings.HasSuffix(result, errGone.Error()) || strings.HasSuffix(result, errEmptied.Error())
}

// A burst of saves is one load.
func TestReloadOfABurst(t *testing.T) {
	t.Parallel()
	for how, file := range map[string]func(string) *File{"with events": NewFile, "without events": without} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "backends.toml")
			put(t, path, entry("a"))
			r := reloads(t, file(path))
			for range 1000 {
				must(t, os.WriteFile(path, []byte(entry("x")), 0o600))
				must(t, os.WriteFile(path, []byte(entry("y")), 0o600))
			}
			must(t, os.WriteFile(path, []byte(entry("b")), 0o600))
			r.await(t, time.Now(), "b")
			if all := r.all(); len(all) != 2 {
				t.Errorf("loaded %q, want one load at the start and one of the last save", all)
			}
		})
	}
}

// An edit that leaves size and time of modification as they were is found, if
// not at once.
func TestReloadOfWhatLooksTheSame(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "backends.toml")
	look := eye{path: path}
	put(t, path, entry("a"))
	first := look.look(false)
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(entry("b")), 0o600))
	must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	if look.look(false) != first {
		t.Error("it was read, although it looks the same")
	}
	second := look.look(true)
	if second == first {
		t.Error("it was not read, although that was asked for")
	}
	must(t, os.WriteFile(path, []byte(entry("c")), 0o600))
	must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	look.at = look.at.Add(-recheck)
	if look.look(false) == second {
		t.Error("it was not read after a while")
	}
}
