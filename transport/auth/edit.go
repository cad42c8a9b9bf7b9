// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/plexus-go/plexus/internal/filewatch"
	"github.com/plexus-go/plexus/internal/tomlfile"
)

// AddToken appends an entry to the token file at path, and creates the file if
// there is none. The rest of the file stays as it is, comments included, and so do
// its owner and its mode; a new file is the calling user's, who alone can read it.
// The file is replaced in one step: it has the entry or not, never half of it, even
// if the program is killed. Only where a replacement could not have the same owner
// and place is the file written to. Several programs may edit it at once: they lock
// the file path.lock, which is not removed.
//
// The error says what is wrong with the entry, a name that is taken for example,
// or with the file. Then the file is as it was before.
func AddToken(path string, entry Entry) error {
	return edit(path, "adding a token", func(text []byte) ([]byte, error) {
		text, err := appended(text, entry)
		if err == nil {
			_, err = parse(path, text)
		}
		if err != nil {
			return nil, fmt.Errorf("with it, the file would be wrong: %w", err)
		}
		return text, nil
	})
}

// RevokeToken removes the entry with the name from the token file at path, as
// [AddToken] adds one. It fails if there is no such token, or file.
func RevokeToken(path, name string) error {
	return edit(path, "revoking a token", func(text []byte) ([]byte, error) {
		document, err := tomlfile.Parse(path, text, tableToken, tableCertificate)
		if err != nil {
			return nil, err
		}
		tokens := document.Tables(tableToken)
		at := slices.IndexFunc(tokens, func(t *tomlfile.Table) bool { return t.String("name") == name })
		if at < 0 {
			return nil, fmt.Errorf("%s has no token %q", path, name)
		}
		left, err := document.Without(tokens[at])
		if err != nil {
			return nil, err
		}
		if len(tokens) == 1 && len(document.Tables(tableCertificate)) == 0 {
			// Without anything, the file would look as if it were being written.
			left = append(left, tableToken+" = []\n"...)
		}
		now, err := parse(path, left)
		if err == nil && len(now.tokens) != len(tokens)-1 {
			err = errors.New("the file can't be edited: remove the token by hand")
		}
		return left, err
	})
}

// ListTokens returns what the token file at path lists, sorted by name.
func ListTokens(path string) ([]Entry, error) {
	file := filewatch.Read(path, maxFileBytes)
	if file.Err != nil {
		return nil, fmt.Errorf("%s: %w", path, file.Err)
	}
	found, err := parse(path, file.Data)
	list := make([]Entry, 0, len(found.tokens))
	for _, entry := range found.tokens {
		list = append(list, entry)
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return list, err
}

// lockTime is how long to wait for other programs that edit the file.
const lockTime = 10 * time.Second

// edit replaces the text of the token file. Where change returns an error, the file
// stays as it is.
func edit(path, what string, change func(text []byte) ([]byte, error)) error {
	target, err := filepath.EvalSymlinks(path) // a link stays one
	if errors.Is(err, fs.ErrNotExist) {
		target, err = path, nil
		if to, failed := os.Readlink(path); failed == nil { // to what does not exist yet
			target = to
			if !filepath.IsAbs(to) {
				target = filepath.Join(filepath.Dir(path), to)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", what, path, err)
	}
	file := filewatch.Read(target, maxFileBytes)
	lock, err := lockFile(target, file.Info)
	if err != nil {
		return fmt.Errorf("%s: locking %s: %w", what, path, err)
	}
	defer func() { _ = lock.Close() }() // the kernel would do it too

	file = filewatch.Read(target, maxFileBytes)
	if file.Err != nil && !errors.Is(file.Err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %s: %w", what, path, file.Err)
	}
	if _, err := parse(path, file.Data); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	text, err := change(file.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(text) > maxFileBytes {
		return fmt.Errorf("%s: %s would be larger than %d MiB", what, path, maxFileBytes>>20)
	}
	if err := replace(target, text, file.Info); err != nil {
		return fmt.Errorf("%s: %s: %w", what, path, err)
	}
	return nil
}

// lockFile locks the file beside the token file, which belongs to whom that
// belongs to: who may edit the one may lock the other.
func lockFile(target string, of fs.FileInfo) (*flock.Flock, error) {
	path := target + ".lock"
	_, err := os.Lstat(path)
	made := errors.Is(err, fs.ErrNotExist)
	lock := flock.New(path, flock.SetPermissions(0o600))
	for end := time.Now().Add(lockTime); ; time.Sleep(10 * time.Millisecond) {
		locked, err := lock.TryLock()
		switch {
		case err != nil:
			return nil, err
		case locked && made && of != nil:
			if file, err := os.Open(path); err == nil {
				_ = likeOwner(file, of) // as far as this user may
				_ = file.Close()
			}
			return lock, nil
		case locked:
			return lock, nil
		case time.Now().After(end):
			return nil, fmt.Errorf("another program has held the lock for %s", lockTime)
		}
	}
}

// likeOwner gives a file the owner, the group and the mode of another one.
func likeOwner(file *os.File, other fs.FileInfo) error {
	if user, group, ok := filewatch.Owner(other); ok {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		if u, g, _ := filewatch.Owner(info); u != user || g != group {
			if err := file.Chown(user, group); err != nil {
				return err
			}
		}
	}
	return file.Chmod(other.Mode().Perm())
}

// appended returns the text with a table for the entry at its end.
func appended(text []byte, entry Entry) ([]byte, error) {
	table := map[string]any{"name": entry.Name, "hash": entry.Hash, "scopes": append([]string{}, entry.Scopes...)}
	if entry.Description != "" {
		table["description"] = entry.Description
	}
	if !entry.Expires.IsZero() {
		table["expires"] = entry.Expires
	}
	return tomlfile.Append(text, tableToken, table)
}

// replace writes the file durably: in one step, unless the new file could not be
// like the former one (nil for none), with its owner, its access control list and
// its other names, or not be in its place, as where it is mounted alone into a
// container.
func replace(path string, text []byte, former fs.FileInfo) error {
	if former != nil && (filewatch.Links(former) > 1 || hasACL(path)) {
		return overwrite(path, text)
	}
	folder := filepath.Dir(path)
	// For its owner only, as CreateTemp makes it.
	file, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*")
	if errors.Is(err, fs.ErrPermission) && former != nil {
		return overwrite(path, text)
	}
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // unless it has another name by then
	if former != nil {
		if err := likeOwner(file, former); errors.Is(err, fs.ErrPermission) {
			_ = file.Close()
			return overwrite(path, text)
		} else if err != nil {
			return errors.Join(err, file.Close())
		}
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if errors.Is(err, syscall.EBUSY) {
		return overwrite(path, text)
	}
	if err != nil {
		return err
	}
	if at, err := os.Open(folder); err == nil {
		_ = at.Sync() // not every system can; the file is whole in any case
		_ = at.Close()
	}
	return nil
}

// overwrite writes a text into a file that stays the same one.
func overwrite(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Truncate(int64(len(text))), file.Sync(), file.Close())
}
