// Command gen writes os-config/schema/schema.json and docs/reference.md from
// the types of package osconfig and their comments. Nobody edits the two; a
// test fails when they are stale. Run it by `go generate ./os-config/schema`.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := repository()
	if err != nil {
		return err
	}
	files, err := generate(root)
	if err != nil {
		return err
	}
	for path, data := range files {
		if err := os.WriteFile(filepath.Join(root, path), data, 0o644); err != nil {
			return fmt.Errorf("generated file: %w", err)
		}
	}
	return nil
}

// repository is the nearest folder above that has a go.mod.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("working directory: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory; run it inside the repository")
		}
		dir = up
	}
}

// generate makes all files, by path below the repository.
func generate(root string) (map[string][]byte, error) {
	src, err := readSource(filepath.Join(root, "os-config"))
	if err != nil {
		return nil, err
	}
	shape := newShape(src)
	schema, err := shape.schema()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"os-config/schema/schema.json": schema,
		"docs/reference.md":            shape.reference(),
	}, nil
}
