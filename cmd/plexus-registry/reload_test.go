// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/testkit"
)

// saving is one way to replace the content of a file below a folder of its own, by
// shell scripts with the text as $1 and the number of the save as $2.
type saving struct{ file, prepare, save string }

// savings are some of the ways in which files are saved; the tests of the file
// watcher have all of them.
var savings = map[string]saving{
	"emptied and filled": {"backends.toml", `printf %s "$1" >backends.toml`, `: >backends.toml; sleep 0.2; printf %s "$1" >>backends.toml`},
	"a ConfigMap": {
		"backends.toml",
		`mkdir ..v0; printf %s "$1" >..v0/backends.toml; ln -s ..v0 ..data; ln -s ..data/backends.toml backends.toml`,
		// As the kubelet does it: rename(2) puts the new link in the old one's place.
		`mkdir "..v$2"; printf %s "$1" >"..v$2/backends.toml"
			ln -s "..v$2" ..data_tmp; mv -T ..data_tmp ..data; rm -r "..v$(($2 - 1))"`,
	},
	"new folders": {"a/b/backends.toml", "", `rm -rf a; mkdir a; sleep 0.05; mkdir a/b; printf %s "$1" >a/b/backends.toml`},
}

// TestReload saves the file in each way, as often as RELOADS says: what it
// holds is served a second later, as one change, and what was always in it
// was never gone.
func TestReload(t *testing.T) {
	t.Parallel()
	times, limit := 3, 5*time.Second // as the other tests keep the machine busy
	if text := os.Getenv("RELOADS"); text != "" {
		var err error
		if times, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		limit = time.Second
	}
	for name, saving := range savings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			folder := filepath.Join(dir, "watched")
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			run := func(script string, n int) {
				text := entryText("keep", 4400) + entryText("more", 5000+n) + entryText(fmt.Sprint("v", n), 4444)
				command := exec.Command("sh", "-eu", "-c", script, "sh", text, strconv.Itoa(n))
				command.Dir = folder
				if out, err := command.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", script, err, out)
				}
			}
			run(saving.prepare, 0)
			p := start(t, command(dir, "--config", filepath.Join(folder, saving.file), "--db-path", filepath.Join(dir, "registry.db")))
			r := &reloading{ask: connect(t, p.url), watch: watch(t, p.url, nil)}
			var took []time.Duration
			for n := 1; n <= times; n++ {
				run(saving.save, n)
				took = append(took, testkit.Within(t, time.Now(), limit, fmt.Sprint("save ", n, " is in force"), func() bool { return r.holds(t, n) }))
				r.check(t, n)
			}
			slices.Sort(took)
			t.Logf("%d saves: in force after %v, at most %v", times, took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
		})
	}
}

// reloading is a registry whose file is being saved again and again.
type reloading struct {
	ask   caller
	watch *watching
	seen  int // so many events were checked
}

// holds reports whether list and get return what save n wrote. Meanwhile nothing that
// was always in the file is missing.
func (r *reloading) holds(t *testing.T, n int) bool {
	entries := r.ask.all(t)
	if r.seen > 0 && !isActive(entries["keep"], 4400) {
		t.Fatalf("save %d: keep is %v", n, entries["keep"])
	}
	for i := range n {
		if old := entries[fmt.Sprint("v", i)]; old != nil && old["is_active"] != false {
			return false
		}
	}
	return isActive(entries["keep"], 4400) && isActive(entries["more"], 5000+n) &&
		isActive(r.ask.get(t, fmt.Sprint("v", n)), 4444)
}

// check looks for anything that was deactivated or erased and should not have
// been, up to save n.
func (r *reloading) check(t *testing.T, n int) {
	t.Helper()
	last := fmt.Sprint("registered v", n)
	testkit.Eventually(t, "the watch has "+last, func() bool { return slices.Contains(r.watch.about(fmt.Sprint("v", n)), last) })
	events := r.watch.all()
	for _, event := range events[r.seen:] {
		entry, _ := event["backend"].(object)
		dropped := event["type"] == "backend_deregistered" && slices.Contains([]string{"keep", "more"}, nameOf(event))
		if dropped || event["type"] == "failure" || event["type"] == "backend_deleted" || entry != nil && entry["is_active"] != true {
			t.Fatalf("save %d: the watch has %v", n, event)
		}
	}
	r.seen = len(events)
}

func isActive(entry object, port int) bool {
	return entry != nil && entry["is_active"] == true && entry["port"] == float64(port) && entry["source"] == "file"
}

// TestABadFileChangesNothing keeps everything as it is when the file can't be
// read, says so once, and shows it.
func TestABadFileChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "plexus", "backends.toml")
	good := entryText("a", 1) + entryText("b", 2)
	writeFile(t, path, good)
	p := start(t, command(dir))
	c, w := connect(t, p.url), watch(t, p.url, nil)

	tests := []struct{ text, place, want string }{
		{good + "[[backend]]\nname = \"c\"\nhost = \"h\"\nport = 70000\n", ":12: ", "port 70000"},
		{good + "[[backend]\n", ":9: ", "expected"},
		{good + entryText("a", 3), ":10: ", "already used"},
		{good + entryText("c", 3) + "colour = \"red\"\n", ":13: ", "unknown key"},
		{"", ": ", "is empty"},
		{"# none\n", ": ", "is empty but for comments"},
	}
	for i, test := range tests {
		writeFile(t, path, test.text)
		p.signal(t, syscall.SIGHUP) // whoever loads it first, it is said once
		var shown string
		testkit.Eventually(t, fmt.Sprintf("status shows what is wrong with %q", test.text), func() bool {
			shown = fileStatus(t, c)["error"]
			return strings.HasPrefix(shown, path+test.place) && strings.Contains(shown, test.want)
		})
		// A reload answers with it, and does not log it again.
		if answer := c.call("registry.reload", nil); answer["type"] != "error" || answer["message"] != shown {
			t.Errorf("%q: reload answers %v", test.text, answer)
		}
		testkit.Eventually(t, "the log says "+shown, func() bool { return strings.Contains(p.stderr.String(), strconv.Quote(shown)) })
		if logged := p.stderr.Count("can't be loaded"); logged != i+1 {
			t.Errorf("%q: %d are logged, want %d\n%s", test.text, logged, i+1, p.stderr)
		}
		if entries := c.all(t); len(entries) != 2 || !isActive(entries["a"], 1) || !isActive(entries["b"], 2) {
			t.Errorf("%q: there is %v", test.text, entries)
		}
	}

	// It is fixed, and what was wrong is forgotten.
	writeFile(t, path, entryText("a", 1)+entryText("b", 7))
	testkit.Eventually(t, "the file is in force again", func() bool { return isActive(c.get(t, "b"), 7) })
	if status := fileStatus(t, c); status["error"] != "" || status["names"] != "2" || status["place"] != path {
		t.Errorf("the status is %v", status)
	}
	if logged := p.stderr.Count("can't be loaded"); logged != len(tests) {
		t.Errorf("%d are logged, want %d\n%s", logged, len(tests), p.stderr)
	}
	w.wants(t, []string{"updated b"}, "a", "b", "c")
	// A file that says so lists nothing.
	writeFile(t, path, "backend = []\n")
	testkit.Eventually(t, "both are inactive", func() bool { return len(c.list(t, nil)) == 0 })
	if entries := c.all(t); len(entries) != 2 {
		t.Errorf("there is %v", entries)
	}
}

// fileStatus is what the status says of the file.
func fileStatus(t testing.TB, c caller) map[string]string {
	t.Helper()
	status := map[string]string{"error": ""}
	for _, source := range c.want(t, "status", "registry.status", nil)["sources"].([]any) {
		if source.(object)["source"] == "file" {
			for key, value := range source.(object) {
				status[key] = fmt.Sprint(value)
			}
		}
	}
	return status
}

// TestAReloadBringsBackWhatWasDeleted loads an unchanged file by each way of
// asking.
func TestAReloadBringsBackWhatWasDeleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "plexus", "backends.toml"), entryText("kept", 1)+entryText("deleted", 2))
	p := start(t, command(dir))
	c := connect(t, p.url)
	for how, ask := range map[string]func(){
		"reload": func() {
			if answer := c.want(t, "reloaded", "registry.reload", nil); answer["count"] != 1.0 {
				t.Errorf("reload: %v", answer)
			}
		},
		"SIGHUP": func() { p.signal(t, syscall.SIGHUP) },
	} {
		c.want(t, "backend_deleted", "registry.delete", object{"name": "deleted"})
		if entry := c.get(t, "deleted"); entry != nil {
			t.Fatalf("%s: deleted, there is %v", how, entry)
		}
		ask()
		testkit.Eventually(t, how+" brings it back", func() bool { return isActive(c.get(t, "deleted"), 2) })
		if !isActive(c.get(t, "kept"), 1) {
			t.Errorf("%s: %v", how, c.get(t, "kept"))
		}
	}
}

// TestReloadIsOneChange lists all the time while a long file comes into force:
// whoever asks sees all of the old one or all of the new one.
func TestReloadIsOneChange(t *testing.T) {
	t.Parallel()
	const entries, last = 1000, 4
	dir := t.TempDir()
	path := filepath.Join(dir, "plexus", "backends.toml")
	save := func(port int) {
		var text strings.Builder
		for _, name := range numbered("x", entries) {
			text.WriteString(entryText(name, port))
		}
		writeFile(t, path, text.String())
	}
	save(1)
	c := connect(t, start(t, command(dir)).url)
	for port := 2; port <= last; port++ {
		save(port)
		saved := time.Now()
		for ports := map[any]int{}; ports[float64(port)] != entries; {
			if time.Since(saved) > testkit.Patience {
				t.Fatalf("the file is not in force: %v", ports)
			}
			clear(ports)
			for _, entry := range c.list(t, nil) {
				ports[entry["port"]]++
			}
			if len(ports) != 1 {
				t.Errorf("listed at once are %v, by port", ports)
			}
		}
	}
}
