package pharos_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one parsed Go file of this repository.
type source struct {
	path, pkg string // "system/oci/spec.go", "system/oci"
	test      bool
	fset      *token.FileSet
	file      *ast.File
}

// sources parses every Go file of ours.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (d.Name() == "build" || d.Name() == "testdata" || d.Name()[0] == '.'):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || filepath.Dir(path) == ".":
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		list = append(list, source{path, filepath.Dir(path), strings.HasSuffix(path, "_test.go"), fset, file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no Go files")
	}
	return list
}

func (s source) imports() []string {
	var paths []string
	for _, i := range s.file.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

func (s source) lines() int { return s.fset.File(s.file.Pos()).LineCount() }

func (s source) at(n ast.Node) string { return s.fset.Position(n.Pos()).String() }

// TestPackageDocs: every package has exactly one doc comment, which says more
// than its name.
func TestPackageDocs(t *testing.T) {
	docs := map[string][]string{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		docs[f.pkg] = append(docs[f.pkg], nil...)
		if f.file.Doc == nil {
			continue
		}
		text := f.file.Doc.Text()
		docs[f.pkg] = append(docs[f.pkg], f.path)
		want := "Package " + f.file.Name.Name + " "
		if f.file.Name.Name == "main" {
			want = "Command " + filepath.Base(f.pkg) + " "
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s: the package comment does not begin with %q", f.path, want)
		}
		if len(strings.Fields(text)) < 12 {
			t.Errorf("%s: the package comment does not say what the package owns and refuses", f.path)
		}
	}
	for pkg, files := range docs {
		if len(files) != 1 {
			t.Errorf("package %s has %d doc comments, want one: %v", pkg, len(files), files)
		}
	}
}

// TestNoHiddenState: no init functions, no package variables that can change.
// Sentinel errors, embedded files and interface assertions are what may be declared.
func TestNoHiddenState(t *testing.T) {
	for _, f := range sources(t) {
		for _, d := range f.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: func init", f.at(d))
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					checkVars(t, f, d)
				}
			}
		}
	}
}

func checkVars(t *testing.T, f source, d *ast.GenDecl) {
	t.Helper()
	for _, s := range d.Specs {
		v := s.(*ast.ValueSpec)
		for i, name := range v.Names {
			switch {
			case name.Name == "_", strings.HasPrefix(name.Name, "Err"), strings.HasPrefix(name.Name, "err"):
			case embedded(d.Doc) || embedded(v.Doc):
			case f.test && i < len(v.Values) && isCall(v.Values[i], "flag"): // -update
			case i < len(v.Values) && isCall(v.Values[i], "sync", "OnceValue", "OnceValues"):
			case f.path == "cmd/ros/main.go" && name.Name == "version": // the linker sets it
			default:
				t.Errorf("%s: package variable %s", f.at(name), name.Name)
			}
		}
	}
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// isCall reports whether e calls a function of package pkg.
func isCall(e ast.Expr, pkg string, names ...string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg && (len(names) == 0 || slices.Contains(names, sel.Sel.Name))
}

// TestForbiddenCalls: programs end in main, nothing sleeps, one reaper, no shell.
func TestForbiddenCalls(t *testing.T) {
	for _, f := range sources(t) {
		main := f.file.Name.Name == "main"
		for _, decl := range f.file.Decls {
			fn, _ := decl.(*ast.FuncDecl)
			inMain := main && fn != nil && fn.Recv == nil && (fn.Name.Name == "main" || fn.Name.Name == "TestMain")
			ast.Inspect(decl, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					checkCall(t, f, n, inMain)
				case *ast.BasicLit:
					if n.Kind == token.INT && len(n.Value) > 1 && n.Value[0] == '0' && n.Value[1] >= '0' && n.Value[1] <= '7' {
						t.Errorf("%s: octal without 0o: %s", f.at(n), n.Value)
					}
				}
				return true
			})
		}
	}
}

func checkCall(t *testing.T, f source, c *ast.CallExpr, inMain bool) {
	t.Helper()
	switch {
	case isCall(c, "os", "Exit") && !inMain && !(f.test && slices.Contains(testMains(f), f.path)),
		isCall(c, "log", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf"):
		t.Errorf("%s: only main ends the program", f.at(c))
	case isCall(c, "time", "Sleep") && !slices.Contains(f.imports(), "testing/synctest"): // virtual time may pass
		t.Errorf("%s: time.Sleep", f.at(c))
	case isCall(c, "unix", "Wait4") || isCall(c, "syscall", "Wait4"):
		lit, minus := c.Args[0].(*ast.UnaryExpr)
		reapers := []string{"init/pid1", "services/engine/supervisor", "system/keep"}
		if minus && lit.Op == token.SUB && !slices.Contains(reapers, f.pkg) {
			t.Errorf("%s: wait4(-1) outside a PID 1", f.at(c))
		}
	}
	if id, ok := c.Fun.(*ast.Ident); ok && id.Name == "panic" && !f.test {
		t.Errorf("%s: panic", f.at(c))
	}
	if isCall(c, "exec", "Command", "CommandContext") && f.pkg != "console/setup" && !f.test {
		for _, a := range c.Args {
			if lit, ok := a.(*ast.BasicLit); ok && (lit.Value == `"sh"` || lit.Value == `"/bin/sh"`) {
				t.Errorf("%s: a shell instead of an argument vector", f.at(c))
			}
		}
	}
}

// testMains are files whose TestMain may end the program.
func testMains(f source) []string {
	for _, d := range f.file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "TestMain" {
			return []string{f.path}
		}
	}
	return nil
}

// TestNoHostNames: mirrors and registries are the build machine's business.
func TestNoHostNames(t *testing.T) {
	hosts := regexp.MustCompile(strings.Join([]string{
		`deb\.debian` + `\.org`, `(?:proxy|sum)\.golang` + `\.org`, `registry-1\.docker` + `\.io`, `(?:ghcr|quay|gcr)` + `\.io/`, `archive\.ubuntu` + `\.com`,
	}, "|"))
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == "build" || path == ".git") {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || path == "go.sum" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if m := hosts.Find(text); m != nil {
			t.Errorf("%s names the host %s", path, m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
