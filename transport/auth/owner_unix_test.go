// SPDX-License-Identifier: AGPL-3.0-only

//go:build unix

package auth

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/filewatch"
)

// editing is who edits a file of whom, with which mode, in a folder with which
// mode.
type editing struct {
	name         string
	owner, group int
	mode         os.FileMode
	folder       os.FileMode
	as           [2]int // user and group
}

// Whoever edits the file, its owner, group and mode are what they were.
func TestEditsKeepOwnerAndMode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, who := range []editing{
		{"root, of the service", 1234, 5678, 0o600, 0o755, [2]int{0, 0}},
		{"root, of its own, for the group", 0, 5678, 0o640, 0o755, [2]int{0, 0}},
		{"root, for all", 0, 0, 0o444, 0o755, [2]int{0, 0}},
		{"its owner", 1234, 5678, 0o640, 0o777, [2]int{1234, 5678}},
		{"its owner, of another group", 1234, 5678, 0o640, 0o777, [2]int{1234, 1}},
		{"one of the group", 1234, 5678, 0o660, 0o777, [2]int{1235, 5678}},
		{"one of the group that may not add files", 1234, 5678, 0o660, 0o755, [2]int{1235, 5678}},
		{"anybody", 0, 0, 0o666, 0o777, [2]int{1235, 5679}},
	} {
		t.Run(who.name, func(t *testing.T) {
			folder, err := os.MkdirTemp("", "tokens") // everybody may enter it
			must(t, err)
			defer os.RemoveAll(folder)
			must(t, os.Chmod(folder, who.folder))
			path := filepath.Join(folder, "tokens.toml")
			_, old := newToken(t, "old", time.Time{}, strings.Repeat("long", 20))
			token, entry := newToken(t, "one", time.Time{})
			must(t, os.WriteFile(path, []byte(written(t, old)), 0o600))
			must(t, os.WriteFile(path+".lock", nil, 0o600))
			for _, file := range []string{path, path + ".lock"} {
				must(t, os.Chown(file, who.owner, who.group))
				must(t, os.Chmod(file, who.mode))
			}
			must(t, syscall.Setegid(who.as[1]))
			must(t, syscall.Seteuid(who.as[0]))
			err = errors.Join(AddToken(path, entry), RevokeToken(path, "old"))
			must(t, errors.Join(syscall.Seteuid(0), syscall.Setegid(0)))
			must(t, err)
			info, err := os.Stat(path)
			must(t, err)
			if user, group, _ := filewatch.Owner(info); user != who.owner || group != who.group || info.Mode().Perm() != who.mode {
				t.Errorf("it belongs to %d:%d, with %v", user, group, info.Mode())
			}
			if _, err := open(t, path).Authenticate(bearing(token)); err != nil {
				t.Error(err)
			}
			if left, _ := filepath.Glob(filepath.Join(folder, ".tokens*")); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
}

// The lock is for those who may edit the file.
func TestTheLockBelongsToTheOwnerOfTheFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path := writeTokens(t, "")
	must(t, os.Chown(path, 1234, 5678))
	must(t, os.Chmod(path, 0o660))
	_, entry := newToken(t, "one", time.Time{})
	must(t, AddToken(path, entry))
	info, err := os.Stat(path + ".lock")
	must(t, err)
	if user, group, _ := filewatch.Owner(info); user != 1234 || group != 5678 || info.Mode().Perm() != 0o660 {
		t.Errorf("it belongs to %d:%d, with %v", user, group, info.Mode())
	}
}

// A file that is mounted alone can't be replaced.
func TestAFileThatIsMountedAloneIsWrittenTo(t *testing.T) {
	path, place := writeTokens(t, "# ours\n"), writeTokens(t, "")
	if out, err := exec.Command("mount", "--bind", path, place).CombinedOutput(); err != nil {
		t.Skipf("no mount: %v: %s", err, out)
	}
	defer exec.Command("umount", "-l", place).Run() // it may be in use still
	token, entry := newToken(t, "one", time.Time{})
	_, other := newToken(t, "two", time.Time{})
	must(t, AddToken(place, entry))
	must(t, AddToken(place, other))
	must(t, RevokeToken(place, "two"))
	for _, file := range []string{path, place} {
		if _, err := open(t, file).Authenticate(bearing(token)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// ownedFile is a file of somebody, as a service of user 10 and groups 20, 21 sees it.
type ownedFile struct {
	fs.FileInfo
	owner, group int
	mode         fs.FileMode
}

func (f ownedFile) Mode() fs.FileMode { return f.mode }
func (f ownedFile) Sys() any          { return &syscall.Stat_t{Uid: uint32(f.owner), Gid: uint32(f.group)} }

// The advice keeps others out, and never the service that reads the file.
func TestAdviceAboutModes(t *testing.T) {
	for _, test := range []struct {
		file ownedFile
		want string
	}{
		{ownedFile{owner: 10, group: 20, mode: 0o600}, ""},
		{ownedFile{owner: 10, group: 20, mode: 0o700}, ""},
		{ownedFile{owner: 10, group: 20, mode: 0o400}, ""},
		{ownedFile{owner: 10, group: 20, mode: 0o640}, "others than its owner may read the token file: chmod 600"},
		{ownedFile{owner: 10, group: 99, mode: 0o644}, "others than its owner may read the token file: chmod 600"},
		{ownedFile{owner: 10, group: 20, mode: 0o620}, "others than its owner may write the token file: chmod 600"},
		{ownedFile{owner: 10, group: 20, mode: 0o666}, "others than its owner may read and write the token file: chmod 600"},
		{ownedFile{owner: 10, group: 20, mode: 0o444}, "others than its owner may read the token file: chmod 400"},
		// The usual way: it belongs to root, and the service's group reads it.
		{ownedFile{owner: 0, group: 20, mode: 0o640}, ""},
		{ownedFile{owner: 0, group: 21, mode: 0o440}, ""},
		{ownedFile{owner: 0, group: 20, mode: 0o600}, ""},
		{ownedFile{owner: 0, group: 20, mode: 0o644}, "others than its owner and group may read the token file: chmod 640"},
		{ownedFile{owner: 0, group: 21, mode: 0o660}, "others than its owner may write the token file: chmod 640"},
		{ownedFile{owner: 0, group: 21, mode: 0o666}, "others than its owner and group may read and write the token file: chmod 640"},
		// Without the last bits the service could not read it.
		{ownedFile{owner: 0, group: 99, mode: 0o644}, "others than its owner and this process may read the token file: give it to a group of this process with chgrp, then chmod 640"},
		{ownedFile{owner: 0, group: 0, mode: 0o604}, "others than its owner and this process may read the token file: give it to a group of this process with chgrp, then chmod 640"},
	} {
		if got := wrongMode(test.file, 10, []int{20, 21}); got != test.want {
			t.Errorf("%d:%d %v: got %q, want %q", test.file.owner, test.file.group, test.file.mode, got, test.want)
		}
	}
	// Root reads everything.
	if got := wrongMode(ownedFile{owner: 10, group: 99, mode: 0o644}, 0, []int{0}); got != "others than its owner and group may read the token file: chmod 640" {
		t.Errorf("root: got %q", got)
	}
}
