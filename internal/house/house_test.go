// SPDX-License-Identifier: AGPL-3.0-only

package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/plexus-go/plexus/"

// mayImport says which packages of ours each package may import. What is not
// listed may import nothing of ours; cmd and examples may import everything,
// and tests are free.
var mayImport = map[string][]string{
	"plugin":                   {"internal/callscope", "internal/codec"},
	"plugin/echo":              {"plugin"},
	"plugin/plugintest":        {"hub", "plugin", "internal/codec"},
	"plugin/registry":          {"plugin", "storage", "internal/address", "internal/codec"},
	"hub":                      {"internal/callscope", "plugin"},
	"transport":                {"hub", "internal/address", "internal/filewatch", "plugin", "transport/client", "transport/registryclient", "transport/websocket"},
	"transport/auth":           {"internal/address", "internal/filewatch", "internal/tomlfile", "plugin", "transport"},
	"internal/wire":            {"hub", "plugin", "internal/codec"},
	"transport/prober":         {"internal/address", "internal/filewatch", "plugin", "plugin/registry", "transport/client"},
	"transport/websocket":      {"hub", "plugin", "internal/socket", "internal/wire", "internal/codec"},
	"internal/connect":         {"plugin"},
	"transport/registryclient": {"plugin", "internal/address", "internal/codec", "internal/connect", "transport/client"},
	"transport/client":         {"plugin", "internal/address", "internal/codec", "internal/connect", "internal/socket", "internal/wire"},
	"storage/sqlite":           {"storage"},
	"storage/storagetest":      {"storage"},
	"config":                   {"internal/address", "internal/filewatch", "internal/tomlfile", "storage"},
	"internal/address":         {"storage"},
	"internal/settings":        {"config", "internal/address", "internal/helptext", "plugin", "plugin/registry", "storage", "transport", "transport/auth", "transport/prober"},

	"internal/testkit/testhub": {"hub", "internal/testkit", "plugin", "plugin/registry", "storage/sqlite", "transport"},
}

// maxLines is how long a file may be.
const maxLines = 450

// source is a Go file.
type source struct {
	*ast.File
	text []byte
}

// goFiles returns every Go file of the project, by its path from the root.
func goFiles(t *testing.T) map[string]source {
	t.Helper()
	files, err := parseAll()
	if err != nil || len(files) < 20 {
		t.Fatalf("%d Go files, %v", len(files), err)
	}
	return files
}

var parseAll = sync.OnceValues(func() (map[string]source, error) {
	root := os.DirFS("../..")
	files := map[string]source{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name != "." && strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		files[name] = source{file, text}
		return err
	})
	return files, err
})

// TestArrows holds the imports against mayImport, which allows nothing that is
// not used.
func TestArrows(t *testing.T) {
	used := map[string]bool{}
	for name, file := range goFiles(t) {
		folder := path.Dir(name)
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(folder, "cmd/") || strings.HasPrefix(folder, "examples") {
			continue
		}
		for _, spec := range file.Imports {
			imported, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if !ours {
				continue
			}
			used[folder+" imports "+imported] = true
			if !slices.Contains(mayImport[folder], imported) {
				t.Errorf("%s imports %s, which %s may not know", name, imported, folder)
			}
		}
	}
	for folder, allowed := range mayImport {
		for _, imported := range allowed {
			if !used[folder+" imports "+imported] {
				t.Errorf("%s may import %s, and does not", folder, imported)
			}
		}
	}
}

// TestNamedTestsExist looks for the tests that SECURITY.md names, and for the fuzz
// targets that the Makefile runs: go test passes where there is none.
func TestNamedTestsExist(t *testing.T) {
	for document, pattern := range map[string]string{
		"Makefile":    `-fuzz '\^(\w+)\$\$'.* \./(\S+)`,
		"SECURITY.md": "`(Test\\w+)`()",
	} {
		text, err := os.ReadFile("../../" + document)
		if err != nil {
			t.Fatal(err)
		}
		all := regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1)
		if len(all) == 0 {
			t.Errorf("%s names no tests", document)
		}
		for _, named := range all {
			found := false
			for name, file := range goFiles(t) {
				found = found || strings.HasPrefix(name, named[2]) && bytes.Contains(file.text, []byte("\nfunc "+named[1]+"("))
			}
			if !found {
				t.Errorf("%s names %s: there is none in ./%s", document, named[1], named[2])
			}
		}
	}
}

func TestJSONStaysWhereItIs(t *testing.T) {
	allowed := []string{"internal/codec", "plugin", "plugin/registry", "internal/wire"}
	for name, file := range goFiles(t) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, spec := range file.Imports {
			if strings.Contains(spec.Path.Value, "go-json-experiment") && !slices.Contains(allowed, path.Dir(name)) {
				t.Errorf("%s imports %s", name, spec.Path.Value)
			}
		}
	}
}

func TestEveryFile(t *testing.T) {
	documented := map[string]bool{}
	folders := map[string]string{}
	for name, file := range goFiles(t) {
		folder := path.Dir(name)
		if !strings.HasPrefix(string(file.text), "// SPDX-License-Identifier: AGPL-3.0-only\n") {
			t.Errorf("%s does not begin with its licence", name)
		}
		if lines := bytes.Count(file.text, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines; a file is one idea, of %d lines", name, lines, maxLines)
		}
		if slices.Contains([]string{"util", "utils", "common", "types"}, file.Name.Name) {
			t.Errorf("%s: a package named %s says nothing", name, file.Name.Name)
		}
		if path.Base(name) == "doc.go" || file.Name.Name == "main" && file.Doc != nil {
			documented[folder] = file.Doc != nil
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		folders[folder] = name
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", name)
			}
		}
	}
	for folder := range folders {
		if !documented[folder] {
			t.Errorf("%s has no doc.go with a package comment", folder)
		}
	}
}

// TestTrackedFiles refuses programs and generated bulk in git.
func TestTrackedFiles(t *testing.T) {
	list, err := exec.Command("git", "-C", "../..", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("not a git checkout: ", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 1<<20 {
			t.Errorf("%s has %d bytes; a tracked file may have 1 MiB", name, len(text))
		}
		for _, program := range []string{"\x7fELF", "MZ", "\xcf\xfa\xed\xfe", "!<arch>\n"} {
			if strings.HasPrefix(string(text), program) {
				t.Errorf("%s is a program", name)
			}
		}
	}
}
