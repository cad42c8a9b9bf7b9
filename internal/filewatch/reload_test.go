// SPDX-License-Identifier: AGPL-3.0-only

package filewatch

import (
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

// inForce is by when the result of a save is to be there.
const inForce = time.Second

// await waits for a last result, until a second after the save.
func (r *watching) await(t *testing.T, saved time.Time, want string) {
	t.Helper()
	testkit.Within(t, saved, inForce, fmt.Sprintf("%q is reported", want), func() bool {
		results := r.results()
		return results[len(results)-1] == want
	})
}

// saving is one way to replace the content of a file.
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
	must(t, os.WriteFile(filepath.Join(folder, "file"), []byte(text), 0o600))
}

// slowly saves part by part. Where the system was so busy that a pause became
// longer than is allowed, the parts may be in force.
func slowly(t *testing.T, folder string, _ int, parts []string) (excused []string) {
	t.Helper()
	run(t, folder, `printf %s "$1" >file`, parts[0])
	for _, part := range parts[1:] {
		begin := time.Now()
		time.Sleep(200 * time.Millisecond)
		run(t, folder, `printf %s "$1" | cat >>file`, part)
		if took := time.Since(begin); took > quiet-pause {
			t.Logf("a pause of %s: the system is busy", took)
			excused = []string{"keep\n", "keep\nmore\n"}
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
			"-c", "%d", "-c", "0read "+text, "-c", "wq", "file")
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
	run(t, folder, `mkdir "..v$1"; printf %s "$2" >"..v$1/file"; ln -sfn "..v$1" ..data_tmp`, strconv.Itoa(n), strings.Join(parts, ""))
	must(t, os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")))
	if old != "" {
		must(t, os.RemoveAll(filepath.Join(folder, old)))
	}
	return nil
}

var savings = map[string]saving{
	"a shell's >": {
		at: "file", prepare: plain,
		save: scripted(`printf %s "$1" >file`),
	},
	"emptied and filled": {
		at: "file", prepare: plain,
		save: scripted(`: >file; sleep 0.2; printf %s "$1" >>file`),
	},
	"slowly in parts": {at: "file", prepare: plain, save: slowly},
	"mv": {
		at: "file", prepare: plain,
		save: scripted(`printf %s "$1" >new; mv new file`),
	},
	"mv of an old file": {
		at: "file", prepare: plain,
		save: scripted(`printf %s "$1" >new; touch -t 200001010000 new; mv new file`),
	},
	"mv away and cp": {
		at: "file", prepare: plain,
		save: scripted(`printf %s "$1" >new; mv file old; sleep 0.1; cp new file`),
	},
	"removed and restored": {
		at: "file", prepare: plain,
		save: scripted(`rm file; sleep "0.$(($2 * 3 % 7))"; printf %s "$1" >file`),
	},
	"vim": {
		at: "file", prepare: plain,
		save: vim("backup writebackup backupcopy=no"),
	},
	"vim in place": {
		at: "file", prepare: plain,
		save: vim("backup writebackup backupcopy=yes"),
	},
	"ConfigMap": {
		at: "file",
		prepare: func(t *testing.T, folder, text string) {
			configMap(t, folder, 0, []string{text})
			run(t, folder, `ln -s ..data/file file`)
		},
		save: configMap,
	},
	"a link to another file": {
		at: "file",
		prepare: func(t *testing.T, folder, text string) {
			run(t, folder, `mkdir v; printf %s "$1" >v/0; ln -s v/0 file`, text)
		},
		save: scripted(`printf %s "$1" >"v/$2"; ln -sfn "v/$2" file`),
	},
	"a link to another folder": {
		at: "current/file",
		prepare: func(t *testing.T, folder, text string) {
			run(t, folder, `mkdir 0; printf %s "$1" >0/file; ln -s 0 current`, text)
		},
		save: scripted(`mkdir "$2"; printf %s "$1" >"$2/file"; ln -sfn "$2" current`),
	},
	"behind a link": {
		at: "link.toml",
		prepare: func(t *testing.T, folder, text string) {
			run(t, folder, `mkdir -p a/b; printf %s "$1" >a/b/real.toml; ln -s a/b/real.toml link.toml`, text)
		},
		save: scripted(`printf %s "$1" >a/b/new; mv a/b/new a/b/real.toml`),
	},
	"new folders": {
		at:   "a/b/c/file",
		save: scripted(`rm -rf a; mkdir -p a/b/c; printf %s "$1" >a/b/c/file`),
	},
	"new folders at a start": {
		at: "a/b/c/file", anew: true,
		save: scripted(`mkdir -p a/b/c; printf %s "$1" >a/b/c/file`),
	},
	"new folders one by one": {
		at: "a/b/c/file", anew: true,
		save: scripted(`for d in a a/b a/b/c; do mkdir $d; sleep 0.07; done; printf %s "$1" >a/b/c/file`),
	},
	"another folder of that name": {
		at: "a/file",
		prepare: func(t *testing.T, folder, text string) {
			run(t, folder, `mkdir a; printf %s "$1" >a/file`, text)
		},
		save: scripted(`mkdir new; printf %s "$1" >new/file; mv a "old$2"; mv new a`),
	},
}

// Every way of a save is reported within a second, and nothing is reported that
// was never saved as a whole. RELOADS is how often that is done.
func TestReload(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	times := 3 // make reload does more
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
		for how, watcher := range map[string]func(path string) *Watcher{
			"with events":    func(path string) *Watcher { return New(1<<20, path) },
			"without events": func(path string) *Watcher { return polling(path) },
		} {
			all.Go(func() {
				t.Run(name+" "+how, func(t *testing.T) { saving.repeat(t, watcher, times) })
			})
		}
	}
	all.Wait()
}

func (s saving) repeat(t *testing.T, watcher func(path string) *Watcher, times int) {
	folder := t.TempDir()
	path := filepath.Join(folder, s.at)
	valid := map[string]bool{}
	if s.prepare != nil {
		s.prepare(t, folder, "keep\n")
		valid["keep\n"] = true
	}
	var r *watching
	for n := 1; n <= times; n++ {
		if s.anew {
			must(t, os.RemoveAll(filepath.Join(folder, "a")))
		}
		if s.anew || n == 1 {
			r = watch(t, watcher(path))
		}
		parts := []string{"keep\n", "more\n", fmt.Sprintf("v%d\n", n)}
		excused := s.save(t, folder, n, parts)
		saved := time.Now()
		for _, result := range excused {
			valid[result] = true
		}
		want := strings.Join(parts, "")
		valid[want] = true
		r.await(t, saved, want)
		for i, result := range r.results() {
			// The file may be away for a while, or empty, which changes nothing.
			harmless := strings.HasSuffix(result, errGone.Error()) || strings.HasSuffix(result, errEmptied.Error())
			if first := i == 0 && s.prepare == nil; !valid[result] && !harmless && !first {
				t.Fatalf("save %d: %q was reported, of %q", n, result, r.results())
			}
		}
	}
}

func TestABurstOfSavesIsOneChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "a")
	r := watch(t, New(1<<20, path))
	var longest time.Duration // from one save to the next
	for n, last := 0, time.Now(); n < 1000; n++ {
		write(t, path, "x")
		write(t, path, "y")
		longest, last = max(longest, time.Since(last)), time.Now()
	}
	write(t, path, "b")
	r.await(t, time.Now(), "b")
	if all := r.results(); !slices.Equal(all, []string{"a", "b"}) && longest < quiet-pause {
		t.Errorf("got %q", all)
	}
}
