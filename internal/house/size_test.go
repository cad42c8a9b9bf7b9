// SPDX-License-Identifier: AGPL-3.0-only

package house

import (
	"bytes"
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// forTests are the packages that only tests import.
var forTests = regexp.MustCompile(`^(internal/(house|testkit)|plugin/plugintest|storage/storagetest)/`)

// countedOnce are things of which the project has one of each, and how they are
// counted: by what no second one can do without.
var countedOnce = []struct {
	what  string
	count func(files map[string]source) []string // one name each
}{
	// Who watches files, or parses TOML, imports the library.
	{"file watchers", packagesThat(product, imports("github.com/fsnotify/fsnotify"))},
	{"TOML readers", packagesThat(product, imports("github.com/BurntSushi/toml"))},
	// Who looks for tables in the text of TOML knows their brackets.
	{"TOML line finders", packagesThat(product, contains(`"\[\[|\\\[\\\[`))},
	// A program has the help of cobra, of another library, or one of its own.
	{"help systems", func(files map[string]source) []string {
		found := packagesThat(product, contains(`(?m)^func .*\b\w*([uU]sage|[hH]elp)\w*\(.*io\.Writer|Set(Help|Usage)(Func|Template)\(|PrintDefaults\(`))(files)
		for _, library := range []string{"flag", "github.com/alecthomas/kong", "github.com/urfave/cli", "github.com/spf13/cobra"} {
			if len(packagesThat(product, imports(library))(files)) > 0 && (library != "github.com/spf13/cobra" || len(found) == 0) {
				found = append(found, library)
			}
		}
		return found
	}},
	// Who stands between a WebSocket and its connection has deadlines of its own.
	{"sockets", packagesThat(product, contains(`(?m)^func \(.*\) SetWriteDeadline\(`))},
	{"coded errors", packagesThat(product, contains(`(?m)^func \(.*\) ErrorCode\(\) int`))},
	{"readers of recordings", packagesThat(func(string) bool { return true }, contains(`"transcripts"|testdata/(wire|transcripts)|\.jsonl"`))},
}

// product reports whether a file is part of the product: no test, no testing
// package, no example.
func product(name string) bool {
	return !strings.HasSuffix(name, "_test.go") && !forTests.MatchString(name) && !strings.HasPrefix(name, "examples/")
}

// packagesThat returns the folders of the files that are in the scope and
// satisfy the condition.
func packagesThat(scope func(name string) bool, condition func(source) bool) func(map[string]source) []string {
	return func(files map[string]source) []string {
		folders := map[string]bool{}
		for name, file := range files {
			if scope(name) && condition(file) && path.Dir(name) != "internal/house" {
				folders[path.Dir(name)] = true
			}
		}
		return slices.Sorted(maps.Keys(folders))
	}
}

func imports(library string) func(source) bool {
	return func(file source) bool {
		return slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool { return strings.Trim(spec.Path.Value, `"`) == library })
	}
}

func contains(pattern string) func(source) bool {
	compiled := regexp.MustCompile(pattern)
	return func(file source) bool { return compiled.Match(file.text) }
}

// TestSize prints how large the project is: `make size`.
func TestSize(t *testing.T) {
	var products, tests, kits, examples, exported int
	public := map[string]int{}
	var long []string
	files := goFiles(t)
	for name, file := range files {
		lines := bytes.Count(file.text, []byte("\n"))
		if lines > maxLines {
			long = append(long, fmt.Sprintf("%s (%d)", name, lines))
		}
		switch {
		case strings.HasSuffix(name, "_test.go"):
			tests += lines
		case forTests.MatchString(name):
			kits += lines
		case strings.HasPrefix(name, "examples/"):
			examples += lines
		default:
			products += lines
		}
		if isPublic(path.Dir(name)) && !strings.HasSuffix(name, "_test.go") {
			exported += countExported(file.File)
			public[path.Dir(name)] += countExported(file.File)
		}
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "product code\t%d\tlines\n", products)
	fmt.Fprintf(w, "tests\t%d\tlines\n", tests)
	fmt.Fprintf(w, "testing packages\t%d\tlines\n", kits)
	fmt.Fprintf(w, "examples\t%d\tlines\n", examples)
	fmt.Fprintf(w, "exported\t%d\tnames and methods\n", exported)
	slices.Sort(long)
	fmt.Fprintf(w, "files over %d lines\t%d\t%s\n", maxLines, len(long), strings.Join(long, ", "))
	for _, thing := range countedOnce {
		found := thing.count(files)
		fmt.Fprintf(w, "%s\t%d\t%s\n", thing.what, len(found), strings.Join(found, ", "))
	}
	for _, folder := range slices.Sorted(maps.Keys(public)) {
		fmt.Fprintf(w, "exported by %s\t%d\t\n", folder, public[folder])
	}
	w.Flush()
	t.Log("\n" + table.String())
}

// isPublic reports whether other modules may import the package.
func isPublic(folder string) bool {
	return !strings.HasPrefix(folder, "internal/") && !strings.HasPrefix(folder, "cmd/") && !strings.HasPrefix(folder, "examples")
}

// countExported counts the exported names of a file, and the exported methods
// of its exported types, interfaces too.
func countExported(file *ast.File) (count int) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Name.IsExported() && (decl.Recv == nil || ast.IsExported(receiver(decl))) {
				count++
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						count += 1 + exportedOfInterface(spec.Type)
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if name.IsExported() {
							count++
						}
					}
				}
			}
		}
	}
	return count
}

func exportedOfInterface(expr ast.Expr) (count int) {
	if i, ok := expr.(*ast.InterfaceType); ok {
		for _, method := range i.Methods.List {
			for _, name := range method.Names {
				if name.IsExported() {
					count++
				}
			}
		}
	}
	return count
}

// receiver is the name of the type that a method belongs to.
func receiver(f *ast.FuncDecl) string {
	expr := f.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}
