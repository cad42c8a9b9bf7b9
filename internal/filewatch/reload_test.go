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

// saving is one way to replace the content of a file, by shell scripts whose
// arguments are the text and the number of the save.
type saving struct {
	file    string // below the folder that it is all about
	prepare string // makes what is there at the start; empty for nothing at all
	save    string
	anew    bool // a watcher of its own for each save, of a file whose folders are missing
}

const plain = `printf %s "$1" >file`

// newVersion brings a new version of a mounted ConfigMap, as the kubelet does.
const newVersion = `mkdir "..v$2"; printf %s "$1" >"..v$2/file"; ln -sfn "..v$2" ..data_tmp; mv -T ..data_tmp ..data; `

// vim edits the file as a person does, with swap and backup files.
const vim = `printf %s "$1" >text; vim -es -u NONE -i NONE -N --cmd "set swapfile updatecount=1 backup writebackup" -c %d -c "0read text" -c wq file --cmd `

var savings = map[string]saving{
	"a shell's >":          {file: "file", prepare: plain, save: plain},
	"emptied and filled":   {file: "file", prepare: plain, save: `: >file; sleep 0.2; printf %s "$1" >>file`},
	"slowly in parts":      {file: "file", prepare: plain, save: `echo keep >file; sleep 0.2; echo more >>file; sleep 0.2; echo "v$2" >>file`},
	"mv":                   {file: "file", prepare: plain, save: `printf %s "$1" >new; mv new file`},
	"mv of an old file":    {file: "file", prepare: plain, save: `printf %s "$1" >new; touch -t 200001010000 new; mv new file`},
	"mv away and cp":       {file: "file", prepare: plain, save: `printf %s "$1" >new; mv file old; sleep 0.1; cp new file`},
	"removed and restored": {file: "file", prepare: plain, save: `rm file; sleep "0.$(($2 * 3 % 7))"; printf %s "$1" >file`},
	"vim":                  {file: "file", prepare: plain, save: vim + `"set backupcopy=no"`},
	"vim in place":         {file: "file", prepare: plain, save: vim + `"set backupcopy=yes"`},
	"ConfigMap":            {file: "file", prepare: newVersion + `ln -s ..data/file file`, save: newVersion + `rm -r "..v$(($2 - 1))"`},
	"a link to another file": {
		file: "file", prepare: `mkdir v; printf %s "$1" >v/0; ln -s v/0 file`,
		save: `printf %s "$1" >"v/$2"; ln -sfn "v/$2" file`,
	},
	"a link to another folder": {
		file: "current/file", prepare: `mkdir 0; printf %s "$1" >0/file; ln -s 0 current`,
		save: `mkdir "$2"; printf %s "$1" >"$2/file"; ln -sfn "$2" current`,
	},
	"behind a link": {
		file: "link.toml", prepare: `mkdir -p a/b; printf %s "$1" >a/b/real.toml; ln -s a/b/real.toml link.toml`,
		save: `printf %s "$1" >a/b/new; mv a/b/new a/b/real.toml`,
	},
	"new folders":            {file: "a/b/c/file", save: `rm -rf a; mkdir -p a/b/c; printf %s "$1" >a/b/c/file`},
	"new folders at a start": {file: "a/b/c/file", anew: true, save: `mkdir -p a/b/c; printf %s "$1" >a/b/c/file`},
	"new folders one by one": {
		file: "a/b/c/file", anew: true,
		save: `for d in a a/b a/b/c; do mkdir $d; sleep 0.07; done; printf %s "$1" >a/b/c/file`,
	},
	"another folder of that name": {
		file: "a/file", prepare: `mkdir a; printf %s "$1" >a/file`,
		save: `mkdir new; printf %s "$1" >new/file; mv a "old$2"; mv new a`,
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
	if strings.HasPrefix(s.save, vim) {
		testkit.Tool(t, "vim")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, s.file)
	run := func(script, text string, n int) {
		command := exec.Command("sh", "-eu", "-c", script, "sh", text, strconv.Itoa(n))
		command.Dir = folder
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
	valid := map[string]bool{"keep\n": s.prepare != ""}
	run(s.prepare, "keep\n", 0)
	var r *watching
	for n := 1; n <= times; n++ {
		if s.anew {
			must(t, os.RemoveAll(filepath.Join(folder, "a")))
		}
		if s.anew || n == 1 {
			r = watch(t, watcher(path))
		}
		want, begin := fmt.Sprintf("keep\nmore\nv%d\n", n), time.Now()
		run(s.save, want, n)
		saved := time.Now()
		valid[want] = true
		// Where the system is so busy that a pause of 200 ms is longer than is
		// allowed, the parts may be in force.
		if took := saved.Sub(begin); took > 200*time.Millisecond+quiet-pause {
			valid["keep\n"], valid["keep\nmore\n"] = true, true
		}
		r.await(t, saved, want)
		for i, result := range r.results() {
			// The file may be away for a while, or empty, which changes nothing.
			harmless := strings.HasSuffix(result, errGone.Error()) || strings.HasSuffix(result, errEmptied.Error())
			if first := i == 0 && s.prepare == ""; !valid[result] && !harmless && !first {
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
