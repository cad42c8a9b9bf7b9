// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links are followed, as many as Linux does.
const maxLinks = 40

// folders returns the directories in which a change may lead path to another
// file: that of the file, those of the symbolic links on the way, and where
// something is missing, the one where it would have to appear.
//
// A link to a name with ".." behind another link may be followed wrongly; then
// only the events are missing.
func folders(path string) (found []string) {
	path, err := filepath.Abs(path) // and clean
	if err != nil {
		return nil
	}
	for range maxLinks {
		next, folder := step(path)
		if folder != "" && !slices.Contains(found, folder) {
			found = append(found, folder)
		}
		if next == "" {
			break
		}
		path = next
	}
	return found
}

// step walks along an absolute, clean path up to the first symbolic link, which is in
// folder, and returns the path with the link replaced by what it points to.
// Without a link, next is empty, and folder where the walk came to an end.
func step(path string) (next, folder string) {
	root := filepath.VolumeName(path) + string(filepath.Separator)
	folder = root
	parts := strings.Split(strings.TrimPrefix(path, root), string(filepath.Separator))
	for i, part := range parts {
		at := filepath.Join(folder, part)
		info, err := os.Lstat(at)
		if err != nil {
			return "", folder
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(at)
			if err != nil {
				return "", folder
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(folder, target)
			}
			return filepath.Join(append([]string{target}, parts[i+1:]...)...), folder
		}
		if !info.IsDir() || i == len(parts)-1 {
			break
		}
		folder = at
	}
	return "", folder
}
