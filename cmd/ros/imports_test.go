package main

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The client's files reach the manager through the API alone.
func TestClientKeepsApart(t *testing.T) {
	const module = "github.com/pharos-os/pharos/"
	allowed := []string{"system/control/api", "system/control/client", "os-config", "os-config/load", "os-config/schema"}
	parts := []string{"rosd.go", "console.go", "engine.go"} // the other programs
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || slices.Contains(parts, file) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if own, ok := strings.CutPrefix(path, module); ok && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s", file, own)
			}
		}
	}
}
