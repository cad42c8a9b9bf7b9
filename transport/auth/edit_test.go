// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAddToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.toml")
	one, oneEntry := newToken(t, "one", time.Time{})
	must(t, AddToken(path, oneEntry))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a new file: %v, %v", info.Mode(), err)
	}
	made, err := os.ReadFile(path)
	must(t, err)
	// As a person leaves it: comments, no end of line, readable for others.
	before := "# Ours.\n" + string(made) + "# the end"
	must(t, os.WriteFile(path, []byte(before), 0o644))
	must(t, os.Chmod(path, 0o644))
	two, twoEntry := newToken(t, "two \"quoted\"", time.Now().Add(time.Hour), "registry:read")
	twoEntry.Description = "several\nlines"
	must(t, AddToken(path, twoEntry))

	after, err := os.ReadFile(path)
	must(t, err)
	if !strings.HasPrefix(string(after), before+"\n\n[[token]]\n") {
		t.Errorf("got %s", after)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 { // as it was
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	tokens := open(t, path)
	for token, name := range map[string]string{one: oneEntry.Name, two: twoEntry.Name} {
		if caller, err := tokens.Authenticate(bearing(token)); err != nil || caller.Name != name {
			t.Errorf("got %+v, %v", caller, err)
		}
	}
}

func TestAddTokenRefuses(t *testing.T) {
	_, entry := newToken(t, "one", time.Time{})
	taken := entry
	taken.Hash = hashOf(1)
	same := entry
	same.Name = "two"
	malformed := entry
	malformed.Hash = "x"
	for name, c := range map[string]struct {
		text  string
		entry Entry
		want  string
	}{
		"a name that is taken": {written(t, taken), entry, `token "one": name is already used on line`},
		"a hash that is taken": {written(t, same), entry, `token "one": hash is already used on line`},
		"a broken file":        {"[[token]", entry, "tokens.toml:1:"},
		"a malformed entry":    {"", malformed, "hash is not sha256:"},
		"an inline list":       {"token = [{name = \"x\", hash = \"" + hashOf(2) + "\", scopes = []}]\n", entry, "with it, the file would be wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeTokens(t, c.text)
			if err := AddToken(path, c.entry); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != c.text {
				t.Errorf("the file holds %q, %v", text, err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".tokens*")); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
	if err := AddToken(filepath.Join(t.TempDir(), "none", "tokens.toml"), entry); err == nil {
		t.Error("it was added to a folder that isn't there")
	}
	if err := AddToken(t.TempDir(), entry); err == nil {
		t.Error("it was added to a folder")
	}
}

func TestRevokeToken(t *testing.T) {
	one, oneEntry := newToken(t, "one", time.Time{})
	two, twoEntry := newToken(t, "two \"x\"", time.Time{})
	path := writeTokens(t, "# ours\n"+written(t, oneEntry)+"# of two\n"+written(t, twoEntry)+"# the end\n")
	must(t, RevokeToken(path, oneEntry.Name))
	if text, err := os.ReadFile(path); err != nil || string(text) != "# ours\n# of two\n"+written(t, twoEntry)+"# the end\n" {
		t.Errorf("%v, the file holds %s", err, text)
	}
	tokens := open(t, path)
	if _, err := tokens.Authenticate(bearing(one)); err == nil {
		t.Error("it is accepted")
	}
	if _, err := tokens.Authenticate(bearing(two)); err != nil {
		t.Error(err)
	}
	for name, file := range map[string]string{"one": path, "two": path, "x": filepath.Join(t.TempDir(), "none.toml")} {
		if err := RevokeToken(file, name); err == nil || !strings.Contains(err.Error(), file+" has no token") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if list, err := ListTokens(path); err != nil || len(list) != 1 || list[0].Name != twoEntry.Name {
		t.Errorf("listed are %v, %v", list, err)
	}
	// Who removes the last one leaves a file that says so; it can be added to.
	must(t, RevokeToken(path, twoEntry.Name))
	if list, err := ListTokens(path); err != nil || len(list) != 0 {
		t.Errorf("listed are %v, %v", list, err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "# ours\n# of two\n# the end\ntoken = []\n" {
		t.Errorf("%v, the file holds %q", err, text)
	}
	must(t, AddToken(path, oneEntry))
	if _, err := open(t, path).Authenticate(bearing(one)); err != nil {
		t.Error(err)
	}
	inline := writeTokens(t, "token = [{name = \"x\", hash = \""+hashOf(2)+"\", scopes = []}]\n")
	if err := RevokeToken(inline, "x"); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("got %v", err)
	}
}

func TestAddTokenKeepsALink(t *testing.T) {
	path := writeTokens(t, "")
	link := filepath.Join(t.TempDir(), "link.toml")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	for _, target := range []string{path, "here.toml", filepath.Join(t.TempDir(), "new.toml")} { // the last ones don't exist
		must(t, os.Remove(link))
		must(t, os.Symlink(target, link))
		token, entry := newToken(t, "one", time.Time{})
		must(t, AddToken(link, entry))
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link is gone: %v", err)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(link), target)
		}
		if _, err := open(t, target).Authenticate(bearing(token)); err != nil {
			t.Error(err)
		}
	}
}

// All names of a file stay names of it.
func TestEditsKeepLinks(t *testing.T) {
	path := writeTokens(t, "")
	other := path + ".other"
	must(t, os.Link(path, other))
	token, entry := newToken(t, "one", time.Time{})
	_, another := newToken(t, "two", time.Time{})
	must(t, errors.Join(AddToken(path, entry), AddToken(path, another), RevokeToken(path, "two")))
	if _, err := open(t, other).Authenticate(bearing(token)); err != nil {
		t.Error(err)
	}
}

func TestAddTokenConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.toml")
	const adders, each = 4, 5
	var wg sync.WaitGroup
	for i := range adders {
		wg.Go(func() {
			for j := range each {
				_, entry, err := NewToken(fmt.Sprint(i, " ", j), nil, time.Time{})
				if err == nil {
					err = AddToken(path, entry)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(open(t, path).tokens.entries.Get().tokens); got != adders*each {
		t.Errorf("%d tokens are in the file, want %d", got, adders*each)
	}
}

// A program that is killed while it adds leaves a file with everything that it
// has reported, and nothing that is broken.
func TestAddTokenSurvivesAKill(t *testing.T) {
	if path := os.Getenv("ADD_TOKENS_TO"); path != "" { // the program
		for i := 0; ; i++ {
			_, entry, err := NewToken(fmt.Sprint(os.Getpid(), " ", i), nil, time.Time{})
			must(t, err)
			must(t, AddToken(path, entry))
			fmt.Println("added", entry.Name)
		}
	}
	path := filepath.Join(t.TempDir(), "tokens.toml")
	reported := map[string]bool{}
	for round := range 5 {
		command := exec.Command(os.Args[0], "-test.run=^TestAddTokenSurvivesAKill$")
		command.Env = append(os.Environ(), "ADD_TOKENS_TO="+path)
		out, err := command.StdoutPipe()
		must(t, err)
		must(t, command.Start())
		lines := bufio.NewScanner(out)
		for count := 0; lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "added "); ok {
				reported[name] = true
				if count++; count == 5+round { // what is reported after that counts as well
					must(t, command.Process.Kill())
				}
			}
		}
		_ = command.Wait() // it was killed
	}
	if len(reported) < 25 {
		t.Fatalf("only %d were added", len(reported))
	}
	for _, entry := range open(t, path).tokens.entries.Get().tokens {
		delete(reported, entry.Name)
	}
	if len(reported) > 0 {
		t.Errorf("%v were reported, and are not in the file", reported)
	}
}
