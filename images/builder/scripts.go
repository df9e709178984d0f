package main

import (
	"bufio"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// dropOrphanScripts removes programs that are scripts for an interpreter that
// the tree lacks: perl helpers of packages whose perl was left out.
func (t tree) dropOrphanScripts() error {
	for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
		entries, err := os.ReadDir(t.path(dir))
		if err != nil {
			return err
		}
		for _, e := range entries {
			p := path.Join(dir, e.Name())
			if !e.Type().IsRegular() {
				continue
			}
			name, err := interpreter(t.path(p))
			if err != nil {
				return err
			}
			if name == "" || t.hasProgram(name) {
				continue
			}
			if err := os.Remove(t.path(p)); err != nil {
				return err
			}
		}
	}
	return nil
}

// interpreter returns what a script's first line asks for, "" for no script;
// of "/usr/bin/env NAME" it is NAME.
func interpreter(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 256).ReadString('\n') // a short file or a binary: no #! then
	line, ok := strings.CutPrefix(line, "#!")
	words := strings.Fields(line)
	if !ok || len(words) == 0 {
		return "", nil
	}
	if path.Base(words[0]) == "env" && len(words) > 1 {
		return words[1], nil
	}
	return words[0], nil
}

// hasProgram reports whether a program, by path or by name, is in the tree.
func (t tree) hasProgram(name string) bool {
	for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
		if _, err := os.Lstat(filepath.Join(t.path(dir), path.Base(name))); err == nil {
			return true
		}
	}
	return false
}
