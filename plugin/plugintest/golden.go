// SPDX-License-Identifier: AGPL-3.0-only

package plugintest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// updateVariable is set to 1 to write golden files.
const updateVariable = "PLEXUS_UPDATE"

// CheckSchema compares the schema at a path, "greeter" or "solar.earth", with a
// golden file of indented JSON. Clients generate code and commands from the
// schema, so it should not change by accident. With PLEXUS_UPDATE=1 in the
// environment the file is written instead.
func (h *Hub) CheckSchema(path, file string) {
	h.t.Helper()
	text := One[json.RawMessage](h, path+".schema", nil)
	var got bytes.Buffer
	if err := json.Indent(&got, text, "", "  "); err != nil {
		h.t.Fatal(err)
	}
	got.WriteByte('\n')
	if os.Getenv(updateVariable) == "1" {
		err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, got.Bytes(), 0o644)) // #nosec G301 G306 -- files of a repository
		if err != nil {
			h.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		h.t.Errorf("%s does not exist: run the test with %s=1 to write it", file, updateVariable)
		return
	}
	if err != nil {
		h.t.Fatal(err)
	}
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if !bytes.Equal(got.Bytes(), want) {
		line, got, want := firstDifference(got.String(), string(want))
		h.t.Errorf("the schema of %s is not the one in %s. Line %d:\n got  %s\n want %s\nIf that is meant, run the test with %s=1",
			path, file, line, got, want, updateVariable)
	}
}

// firstDifference finds the first line, from 1, in which two different texts
// differ.
func firstDifference(a, b string) (line int, inA, inB string) {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for line < min(len(as), len(bs))-1 && as[line] == bs[line] {
		line++
	}
	return line + 1, as[line], bs[line]
}
