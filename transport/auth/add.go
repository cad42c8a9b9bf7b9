// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/plexus-go/plexus/internal/filewatch"
	"github.com/plexus-go/plexus/internal/tomlfile"
)

// AddToken appends an entry to the token file at path, and creates the file if
// there is none. The rest of the file stays as it is, comments included. The file
// is replaced in one step: it has the entry or not, never half of it, even if the
// program is killed. The new file is the calling user's, who alone can read it.
// Several programs may add at once: they lock the file path.lock, which is not
// removed.
//
// The error says what is wrong with the entry, a name that is taken for example,
// or with the file. Then the file is as it was before.
func AddToken(path string, entry Entry) error {
	target, err := filepath.EvalSymlinks(path) // a link stays one
	if errors.Is(err, fs.ErrNotExist) {
		target, err = path, nil
	}
	if err != nil {
		return fmt.Errorf("adding a token to %s: %w", path, err)
	}
	lock := flock.New(target+".lock", flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("adding a token to %s: locking it: %w", path, err)
	}
	defer func() { _ = lock.Close() }() // the kernel would do it too

	file := filewatch.Read(target, maxFileBytes)
	if file.Err != nil && !errors.Is(file.Err, fs.ErrNotExist) {
		return fmt.Errorf("adding a token to %s: %w", path, file.Err)
	}
	if _, err := parse(path, file.Data); err != nil {
		return fmt.Errorf("adding a token: %w", err)
	}
	text, err := appended(file.Data, entry)
	if err == nil {
		_, err = parse(path, text)
	}
	if err != nil {
		return fmt.Errorf("adding a token: with it, the file would be wrong: %w", err)
	}
	if err := replace(target, text); err != nil {
		return fmt.Errorf("adding a token to %s: %w", path, err)
	}
	return nil
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

// replace writes the file in one step, and durably.
func replace(path string, text []byte) error {
	folder := filepath.Dir(path)
	// For its owner only, as CreateTemp makes it.
	file, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return err
	}
	if at, err := os.Open(folder); err == nil {
		_ = at.Sync() // not every system can; the file is whole in any case
		_ = at.Close()
	}
	return nil
}
