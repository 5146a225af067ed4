// Package walls measures the structure of the module: the exported names and the largest cycle of
// files of each package, the complexity of functions, and the length and width of files. Its test
// compares the figures with maxima.txt. They may fall, or rise in a commit that says why.
package walls

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// The widths of lines, in columns, a tab counting as one.
const (
	CodeWidth  = 120
	ProseWidth = 100 // comments and Markdown
	TestWidth  = 140
)

// Package has the measured figures of a package.
type Package struct {
	Path     string
	Exported int      // exported names at the top level
	Cycle    []string // the largest set of files in which each file refers, directly or not, to each other
	Wide     int      // lines that are too wide, tests included
	Longest  int      // lines of its longest file, tests left out
	Complex  int      // the most ways through a function, tests left out
}

// listed is a package in the output of the go command.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	TestGoFiles             []string
	XTestGoFiles            []string
	Module                  *struct{ Main bool }
}

// Measure measures the packages of the module at root that match patterns. It builds their imports.
func Measure(ctx context.Context, root string, patterns ...string) ([]Package, error) {
	all, err := list(ctx, root, patterns)
	if err != nil {
		return nil, err
	}
	exports := make(map[string]string)
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	var out []Package
	for _, p := range all {
		if p.Module == nil || !p.Module.Main {
			continue
		}
		measured, err := measure(fset, imports, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		out = append(out, measured)
	}
	return out, nil
}

func list(ctx context.Context, root string, patterns []string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-deps", "-export",
		"-json=ImportPath,Dir,Export,GoFiles,TestGoFiles,XTestGoFiles,Module"}, patterns...)...)
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

func measure(fset *token.FileSet, imports types.Importer, p listed) (Package, error) {
	out := Package{Path: p.ImportPath}
	var files []*ast.File
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return out, err
		}
		files = append(files, file)
		out.Longest = max(out.Longest, fset.File(file.Pos()).LineCount())
		out.Complex = max(out.Complex, mostComplex(file))
	}
	for _, name := range append(append(append([]string{}, p.GoFiles...), p.TestGoFiles...), p.XTestGoFiles...) {
		wide, err := wideLines(filepath.Join(p.Dir, name))
		if err != nil {
			return out, err
		}
		out.Wide += wide
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	pkg, err := (&types.Config{Importer: imports}).Check(p.ImportPath, fset, files, info)
	if err != nil {
		return out, err
	}
	for _, name := range pkg.Scope().Names() {
		if token.IsExported(name) {
			out.Exported++
		}
	}
	out.Cycle = largestCycle(references(fset, pkg, info))
	return out, nil
}

// references returns which files refer to names that other files declare: at the top level, as a
// field or as a method.
func references(fset *token.FileSet, pkg *types.Package, info *types.Info) map[string]map[string]bool {
	all := make(map[string]map[string]bool)
	for id, used := range info.Uses {
		if used == nil || used.Pkg() != pkg {
			continue
		}
		if v, ok := used.(*types.Var); ok && !v.IsField() && used.Parent() != pkg.Scope() {
			continue // local
		}
		from, to := filepath.Base(fset.Position(id.Pos()).Filename), filepath.Base(fset.Position(used.Pos()).Filename)
		if all[from] == nil {
			all[from] = make(map[string]bool)
		}
		if from != to {
			all[from][to] = true
		}
	}
	return all
}

// mostComplex counts the paths through each function: one, and one more for each branch.
func mostComplex(file *ast.File) (most int) {
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		n := 1
		ast.Inspect(fn.Body, func(node ast.Node) bool {
			switch x := node.(type) {
			case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
				n++
			case *ast.CaseClause:
				if x.List != nil {
					n++
				}
			case *ast.CommClause:
				if x.Comm != nil {
					n++
				}
			case *ast.BinaryExpr:
				if x.Op == token.LAND || x.Op == token.LOR {
					n++
				}
			}
			return true
		})
		most = max(most, n)
	}
	return most
}

// wideLines counts the lines of a file that are wider than allowed for their kind.
func wideLines(path string) (n int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	code, prose := CodeWidth, ProseWidth
	switch {
	case strings.HasSuffix(path, "_test.go"):
		code, prose = TestWidth, TestWidth
	case strings.HasSuffix(path, ".md"):
		code = ProseWidth
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		most := code
		if text := strings.TrimSpace(line); strings.HasPrefix(text, "//") || strings.HasPrefix(text, "--") {
			most = prose
		}
		if utf8.RuneCountInString(line) > most {
			n++
		}
	}
	return n, lines.Err()
}
