// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// realTemp is a new directory without symbolic links on the way to it.
func realTemp(t *testing.T) string {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return folder
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
}

func TestFolders(t *testing.T) {
	top := realTemp(t)
	in := func(names ...string) string { return filepath.Join(append([]string{top}, names...)...) }
	must(t, os.MkdirAll(in("real", "deep"), 0o700))
	must(t, os.MkdirAll(in("mount", "..v1"), 0o700))
	put(t, in("real", "deep", "f"), "")
	put(t, in("mount", "..v1", "f"), "")
	link(t, "..v1", in("mount", "..data"))
	link(t, filepath.Join("..data", "f"), in("mount", "f"))
	link(t, in("real"), in("absolute"))
	link(t, filepath.Join("..", "absolute", "deep", "f"), in("real", "up"))
	link(t, "nowhere", in("real", "broken"))
	link(t, "loop", in("loop"))
	for _, test := range []struct {
		path string
		want []string // below top
	}{
		{"real/deep/f", []string{"real/deep"}},
		{"real/deep/missing", []string{"real/deep"}},
		{"real/a/b/c/missing", []string{"real"}},
		{"a/b/c/missing", []string{"."}},
		{"real/deep/f/below", []string{"real/deep"}},
		{"mount/f", []string{"mount", "mount/..v1"}},
		{"absolute/deep/f", []string{".", "real/deep"}},
		{"absolute/up", []string{".", "real", "real/deep"}},
		{"real/broken", []string{"real"}},
		{"loop", []string{"."}},
	} {
		var want []string
		for _, folder := range test.want {
			want = append(want, in(filepath.FromSlash(folder)))
		}
		got := folders(in(filepath.FromSlash(test.path)))
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", test.path, got, want)
		}
	}
	t.Chdir(top)
	if got, want := folders("missing"), []string{top}; !slices.Equal(got, want) {
		t.Errorf("a relative path: got %q, want %q", got, want)
	}
}

// What happens on the way to a file, one step after the other, is each told.
func TestPost(t *testing.T) {
	t.Parallel()
	top := realTemp(t)
	in := func(names ...string) string { return filepath.Join(append([]string{top}, names...)...) }
	path := in("a", "b", "f")
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		t.Skip("no events here: ", err)
	}
	post := newPost(watcher, "f")
	defer post.close()
	for _, step := range []struct {
		name string
		do   func() error
		file bool // the event names the file
	}{
		{"folder", func() error { return os.Mkdir(in("a"), 0o700) }, false},
		{"folder in it", func() error { return os.Mkdir(in("a", "b"), 0o700) }, false},
		{"file", func() error { return os.WriteFile(path, nil, 0o600) }, true},
		{"write", func() error { return os.WriteFile(path, []byte("1"), 0o600) }, true},
		{"same again", func() error { return os.WriteFile(path, []byte("1"), 0o600) }, true},
		{"another file", func() error { return os.WriteFile(in("a", "b", "g"), nil, 0o600) }, false},
		{"rename", func() error { return os.Rename(in("a", "b", "g"), path) }, true},
		{"remove", func() error { return os.Remove(path) }, true},
		{"remove the folder", func() error { return os.Remove(in("a", "b")) }, false},
		{"folder again", func() error { return os.Mkdir(in("a", "b"), 0o700) }, false},
		{"file again", func() error { return os.WriteFile(path, nil, 0o600) }, true},
		{"folder away", func() error { return os.Rename(in("a", "b"), in("old")) }, false},
		{"folder anew", func() error { return os.Mkdir(in("a", "b"), 0o700) }, false},
		{"file anew", func() error { return os.WriteFile(path, nil, 0o600) }, true},
		{"folder becomes a link", func() error {
			if err := os.Rename(in("a", "b"), in("c")); err != nil {
				return err
			}
			return os.Symlink(in("c"), in("a", "b"))
		}, false},
		{"write behind the link", func() error { return os.WriteFile(path, []byte("2"), 0o600) }, true},
	} {
		// As Changes does: a step may bring several events, and the places to
		// listen in change with it.
		for quietFor := 0; quietFor < 3; {
			post.listen(folders(path))
			select {
			case <-post.events:
				quietFor = 0
			case <-time.After(10 * time.Millisecond):
				quietFor++
			}
		}
		must(t, step.do())
		timeout := time.After(5 * time.Second)
		for told := false; !told; {
			select {
			case named := <-post.events:
				told = named || !step.file
			case <-timeout:
				t.Fatalf("%s: nothing was told; listening in %q", step.name, watcher.WatchList())
			}
		}
	}
	want := []string{in("a"), in("c")}
	got := watcher.WatchList()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("listening in %q, want %q", got, want)
	}
}

// Nobody takes the events for a while, and the watcher can be used all the same.
func TestPostIsNotHeldUp(t *testing.T) {
	t.Parallel()
	top := realTemp(t)
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		t.Skip("no events here: ", err)
	}
	post := newPost(watcher, "f")
	post.listen([]string{top})
	for range 200 {
		must(t, os.WriteFile(filepath.Join(top, "g"), []byte(strings.Repeat("g", 100)), 0o600))
	}
	must(t, os.WriteFile(filepath.Join(top, "f"), nil, 0o600))
	post.listen(nil)
	post.listen([]string{top})
	must(t, os.WriteFile(filepath.Join(top, "f"), nil, 0o600))
	timeout := time.After(5 * time.Second)
	for named := false; !named; {
		select {
		case named = <-post.events:
		case <-timeout:
			t.Fatal("that the file was written is lost")
		}
	}
	post.close()
}
