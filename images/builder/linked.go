package main

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// missingLibraries returns "FILE needs LIBRARY" for each program and library
// of the tree that the dynamic linker could not load: the check on a recipe's
// exclude and drop lists.
func (t tree) missingLibraries() ([]string, error) {
	have := map[string]bool{}
	needs := map[string][]string{}
	err := filepath.WalkDir(t.root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		have[d.Name()] = true
		if !d.Type().IsRegular() {
			return nil
		}
		libs, err := importedLibraries(p)
		for _, l := range libs {
			needs[l] = append(needs[l], strings.TrimPrefix(p, t.root))
		}
		return err
	})
	var missing []string
	for lib, files := range needs {
		if !have[lib] {
			missing = append(missing, fmt.Sprintf("%s needs %s", strings.Join(files, ", "), lib))
		}
	}
	slices.Sort(missing)
	return missing, err
}

// importedLibraries returns what an ELF file is linked against, nothing for
// any other file.
func importedLibraries(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	magic := make([]byte, len(elf.ELFMAG))
	if n, _ := f.ReadAt(magic, 0); n < len(magic) || string(magic) != elf.ELFMAG {
		return nil, nil
	}
	e, err := elf.NewFile(f)
	if err != nil {
		return nil, nil // a firmware blob or object that only begins like one
	}
	return e.ImportedLibraries()
}
