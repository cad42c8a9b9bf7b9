// SPDX-License-Identifier: AGPL-3.0-only

package house

import (
	"bytes"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// forTests are the packages that only tests import.
var forTests = regexp.MustCompile(`^(internal/(house|testkit)|plugin/plugintest|storage/storagetest)/`)

// countedOnce are things of which the project has one: what its definition
// looks like. Each match in a file that is no test is one.
var countedOnce = []struct{ what, pattern string }{
	{"file watchers", `fsnotify\.NewWatcher\(`},
	{"help systems", `(?m)^func .*\b(usage|[Hh]elp)\(.*io\.Writer`},
	{"sockets", `(?m)^type \w*[sS]ocket struct`},
	{"coded errors", `(?m)^func \(.*\) ErrorCode\(\) int`},
}

// TestSize prints how large the project is: `make size`.
func TestSize(t *testing.T) {
	var product, tests, kits, examples, exported int
	public := map[string]int{}
	var long []string
	once := make([]int, len(countedOnce))
	for name, file := range goFiles(t) {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(text, []byte("\n"))
		if lines > 450 {
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
			product += lines
			for i, thing := range countedOnce {
				once[i] += len(regexp.MustCompile(thing.pattern).FindAll(text, -1))
			}
		}
		if isPublic(path.Dir(name)) && !strings.HasSuffix(name, "_test.go") {
			exported += countExported(file)
			public[path.Dir(name)] += countExported(file)
		}
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "product code\t%d\tlines\n", product)
	fmt.Fprintf(w, "tests\t%d\tlines\n", tests)
	fmt.Fprintf(w, "testing packages\t%d\tlines\n", kits)
	fmt.Fprintf(w, "examples\t%d\tlines\n", examples)
	fmt.Fprintf(w, "exported\t%d\tnames and methods\n", exported)
	fmt.Fprintf(w, "files over 450 lines\t%d\t%s\n", len(long), strings.Join(long, ", "))
	for i, thing := range countedOnce {
		fmt.Fprintf(w, "%s\t%d\t\n", thing.what, once[i])
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
