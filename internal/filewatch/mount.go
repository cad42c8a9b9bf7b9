// SPDX-License-Identifier: AGPL-3.0-only

package filewatch

import (
	"os"
	"path/filepath"
	"strings"
)

// Replaced returns a function that warns of each of the files that somebody has
// replaced or removed where it comes from, but not here: one that is mounted alone,
// as into a container, stays the file that it was.
func Replaced(paths ...string) func() []string {
	before := make([]string, len(paths))
	for i, path := range paths {
		before[i] = mountedFrom(path)
	}
	return func() (all []string) {
		for i, path := range paths {
			info, err := os.Stat(path)
			// The former file is kept by some editors, under another name.
			if err == nil && (Links(info) == 0 || before[i] != "" && mountedFrom(path) != before[i]) {
				all = append(all, path+": was replaced outside of the mount that it comes from, and here it is the former file still: "+
					"mount its folder instead of the file, and restart")
			}
		}
		return all
	}
}

// mountedFrom returns where a file that is mounted alone comes from, as Linux writes
// it: its present path in the file system that it belongs to. It is empty for other
// files.
func mountedFrom(path string) (from string) {
	path, err := filepath.EvalSymlinks(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return ""
	}
	path = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(path)
	text, _ := os.ReadFile("/proc/self/mountinfo") // see proc(5)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == path {
			from = fields[3]
		}
	}
	return from
}
