// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/storage"
)

// put writes a file that nobody has written to for a while.
func put(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
	past := time.Now().Add(-time.Minute)
	must(t, os.Chtimes(path, past, past))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
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

// What the file holds, one content after the other, and what Load returns: names,
// or an error.
func TestFileLoad(t *testing.T) {
	const (
		missing = "\x00"
		gone    = ": is missing, and was not before: nothing is changed"
		emptied = ": is empty, and was not before: nothing is changed"
		comment = ": is empty but for comments, and was not before: nothing is changed"
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
		"lists nothing":             {{ab, "a b", ""}, {"backend = []", "", ""}, {ab, "a b", ""}, {"# none\nbackend = []", "", ""}, {ab, "a b", ""}},
		"emptied after nothing":     {{"backend = []", "", ""}, {"", "", emptied}, {missing, "", gone}},
		"becomes a comment":         {{ab, "a b", ""}, {"# nothing", "", comment}, {"\ufeff \r\n\t#[[backend]]\r\n", "", comment}, {"#", "", comment}, {ab, "a b", ""}},
		"is commented out":          {{ab, "a b", ""}, {"#" + strings.ReplaceAll(ab, "\n", "\n#"), "", comment}, {ab, "a b", ""}},
		"a comment from the start":  {{"# nothing", "", ""}, {"", "", ""}, {missing, "", ""}, {"# nothing", "", ""}, {ab, "a b", ""}, {"# nothing", "", comment}},
		"becomes invalid":           {{ab, "a b", ""}, {"x = 1", "", invalid}, {"x = 1", "", invalid}, {ab, "a b", ""}},
		"invalid from the start":    {{"x = 1", "", invalid}, {ab, "a b", ""}},
		"invalid, then empty":       {{"x = 1", "", invalid}, {"", "", emptied}, {missing, "", gone}},
		"invalid between, and gone": {{ab, "a b", ""}, {"x = 1", "", invalid}, {missing, "", gone}, {ab, "a b", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "backends.toml")
				file := NewFile(path)
				for i, step := range steps {
					if step.text == missing {
						must(t, os.RemoveAll(path))
					} else {
						put(t, path, step.text)
					}
					backends, err := file.Load(t.Context())
					switch {
					case names(backends) != step.names:
						t.Errorf("step %d: got %q, want %q", i, names(backends), step.names)
					case step.err == "" && err != nil, step.err != "" && (err == nil || err.Error() != path+step.err):
						t.Fatalf("step %d: got %v, want …%s", i, err, step.err)
					case errors.Is(err, fs.ErrNotExist):
						t.Errorf("step %d: %v could be taken for a file that was never there", i, err)
					}
				}
			})
		})
	}
}

func TestFileThatIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backends.toml")
	put(t, path, "#")
	must(t, os.Truncate(path, maxFileBytes+1))
	if _, err := NewFile(path).Load(t.Context()); err == nil || err.Error() != path+": cannot be read: larger than 16 MiB" {
		t.Errorf("got %v", err)
	}
}

// A save is reported when it is over, and loaded as it is then.
func TestFileChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "backends.toml")
	file := NewFile(path)
	if got, err := file.Load(t.Context()); err != nil || len(got) > 0 {
		t.Fatalf("got %q, %v", names(got), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	time.AfterFunc(50*time.Millisecond, func() {
		_ = os.Mkdir(filepath.Dir(path), 0o700)
		_ = os.WriteFile(path, []byte(entry("a")), 0o600)
	})
	for range file.Changes(ctx) {
		if got, err := file.Load(ctx); err != nil || names(got) != "a" {
			t.Errorf("got %q, %v", names(got), err)
		}
		return
	}
	t.Error("no change was reported")
}

func TestFileLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewFile(filepath.Join(t.TempDir(), "backends.toml")).Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A start does not wait for a file that was saved just now, if it is whole.
func TestFirstLoadOfAWholeFileDoesNotWait(t *testing.T) {
	const whole = "[[backend]]\nname = \"a\"\nhost = \"h\"\nport = 4444\n"
	for name, test := range map[string]struct {
		saved, later string // what is there, and what 100 ms later
		want         string
		waits        bool
	}{
		"whole":                     {whole, "", "h:4444", false},
		"with a comment at the end": {whole + "# end\n", "", "h:4444", false},
		"cut off in a number":       {strings.TrimSuffix(whole, "44\n"), whole, "h:4444", true},
		"cut off in a text":         {whole[:30], whole, "h:4444", true},
		"emptied":                   {"", whole, "h:4444", true},
		"only its first comment":    {"# the hubs\n", "# the hubs\n" + whole, "h:4444", true},
		"without an end of line":    {strings.TrimSuffix(whole, "\n"), "", "h:4444", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "backends.toml")
				save := func(text string) {
					err := os.WriteFile(path, []byte(text), 0o600)
					if err == nil {
						err = os.Chtimes(path, time.Now(), time.Now())
					}
					if err != nil {
						t.Error(err)
					}
				}
				save(test.saved)
				if test.later != "" {
					time.AfterFunc(100*time.Millisecond, func() { save(test.later) })
				}
				file := NewFile(path)
				for i := range 2 {
					begin := time.Now()
					backends, err := file.Load(t.Context())
					if err != nil || len(backends) != 1 || fmt.Sprintf("%s:%d", backends[0].Host, backends[0].Port) != test.want {
						t.Fatalf("loaded %v, %v", backends, err)
					}
					if waited := time.Since(begin) > 0; waited != (test.waits && i == 0) {
						t.Errorf("load %d took %v", i, time.Since(begin))
					}
				}
			})
		})
	}
}
