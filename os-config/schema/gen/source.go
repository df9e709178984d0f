package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source is what the Go files of package osconfig say and reflection does not.
type source struct {
	types  map[string]string // doc comment by type
	fields map[string]string // comment by "Type.Field"
	bounds map[string]bounds // by pattern path
	cases  []string          // texts of case clauses, in the order of the alphabet
}

// bounds are the rules of a value that a schema can say too.
type bounds struct {
	oneOf     []string
	low, high int
	orZero    bool
}

// readSource parses the package in dir.
func readSource(dir string) (*source, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no Go files in %s: %w", dir, errors.Join(err, errors.New("the folder moved")))
	}
	src := &source{types: map[string]string{}, fields: map[string]string{}, bounds: map[string]bounds{}}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				src.declaration(n)
			case *ast.KeyValueExpr:
				src.rule(n)
			case *ast.CaseClause:
				src.candidates(n)
			}
			return true
		})
	}
	slices.Sort(src.cases)
	src.cases = slices.Compact(src.cases)
	return src, nil
}

func (s *source) declaration(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		doc := t.Doc
		if doc == nil {
			doc = d.Doc
		}
		s.types[t.Name.Name] = sentence(doc)
		fields, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range fields.Fields.List {
			for _, name := range f.Names {
				s.fields[t.Name.Name+"."+name.Name] = sentence(f.Doc)
			}
		}
	}
}

// sentence is a comment on one line, in words for people who do not read Go.
func sentence(doc *ast.CommentGroup) string {
	text := strings.Join(strings.Fields(doc.Text()), " ")
	return strings.NewReplacer("Nil is ", "Not set is ", "Nil: ", "Not set: ").Replace(text)
}

// rule reads `"PATTERN": on(oneOf("a", "b"))` and the like.
func (s *source) rule(kv *ast.KeyValueExpr) {
	pattern, ok := text(kv.Key)
	outer, isCall := kv.Value.(*ast.CallExpr)
	if !ok || !isCall || name(outer.Fun) != "on" || len(outer.Args) != 1 {
		return
	}
	call, isCall := outer.Args[0].(*ast.CallExpr)
	if !isCall {
		return
	}
	switch name(call.Fun) {
	case "oneOf":
		var b bounds
		for _, arg := range call.Args {
			value, ok := text(arg)
			if !ok {
				return
			}
			b.oneOf = append(b.oneOf, value)
		}
		s.bounds[pattern] = b
	case "between", "zeroOr":
		if len(call.Args) != 2 {
			return
		}
		low, ok1 := number(call.Args[0])
		high, ok2 := number(call.Args[1])
		if ok1 && ok2 {
			s.bounds[pattern] = bounds{low: low, high: high, orZero: name(call.Fun) == "zeroOr"}
		}
	}
}

// candidates are the texts of case clauses. The functions of notes know keys
// by them, as whole pattern paths or as what follows the path of a section.
func (s *source) candidates(c *ast.CaseClause) {
	for _, e := range c.List {
		if key, ok := text(e); ok && key != "" {
			s.cases = append(s.cases, key)
		}
	}
}

func name(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func number(e ast.Expr) (int, bool) {
	minus := 1
	if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.SUB {
		minus, e = -1, u.X
	}
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.INT {
		return 0, false
	}
	i, err := strconv.Atoi(lit.Value)
	return minus * i, err == nil
}
