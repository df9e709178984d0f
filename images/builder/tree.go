package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tree is a root file system being made in the directory root. Its methods
// take absolute paths inside the tree.
type tree struct{ root string }

func (t tree) path(p string) string { return filepath.Join(t.root, p) }

// mergedUsr makes bin, sbin, lib and lib64 links into usr before packages are
// unpacked, as base-files and the installer do on a Debian machine.
func (t tree) mergedUsr() error {
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(t.path("/usr/"+d), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+d, t.path(d)); err != nil {
			return err
		}
	}
	return nil
}

// drop removes what matches a pattern of drops and none of keeps, and the
// directories that become empty because of it.
func (t tree) drop(drops, keeps []string) error {
	var gone []string
	err := filepath.WalkDir(t.root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		in := strings.TrimPrefix(p, t.root)
		if in != "" && matchPath(drops, in) && !matchPath(keeps, in) {
			gone = append(gone, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// Deepest first; a directory that still holds a kept file stays.
	for _, p := range slices.Backward(gone) {
		if err := os.Remove(p); err != nil && !isNotEmpty(p) {
			return err
		}
	}
	return nil
}

func isNotEmpty(p string) bool {
	entries, err := os.ReadDir(p)
	return err == nil && len(entries) > 0
}

// matchPath reports whether a pattern matches p or a directory above it.
func matchPath(patterns []string, p string) bool {
	for ; p != "/" && p != "."; p = path.Dir(p) {
		for _, pat := range patterns {
			if ok, err := path.Match(pat, p); err == nil && ok {
				return true
			}
		}
	}
	return false
}

// link makes a symbolic link in the place of whatever is at p.
func (t tree) link(p, target string) error {
	if err := os.MkdirAll(t.path(path.Dir(p)), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(t.path(p)); err != nil {
		return err
	}
	return os.Symlink(target, t.path(p))
}

func (t tree) chmod(p, octal string) error {
	mode, err := strconv.ParseUint(octal, 8, 12)
	if err != nil {
		return fmt.Errorf("mode of %s: %w", p, err)
	}
	m := os.FileMode(mode & 0o777)
	if mode&0o4000 != 0 {
		m |= os.ModeSetuid
	}
	if mode&0o2000 != 0 {
		m |= os.ModeSetgid
	}
	if mode&0o1000 != 0 {
		m |= os.ModeSticky
	}
	return os.Chmod(t.path(p), m)
}

// copyFile copies the file source, outside or inside, to target in the tree.
// Of its mode only the execute bits count: umask and checkout must not.
func (t tree) copyFile(source, target string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := os.MkdirAll(t.path(path.Dir(target)), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(t.path(target)); err != nil {
		return err
	}
	out, err := os.OpenFile(t.path(target), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(mode), out.Close())
}

// copyTree copies a recipe's files folder; a missing one is empty.
func (t tree) copyTree(dir string) error {
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return t.copyFile(p, strings.TrimPrefix(p, dir))
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// caBundle joins the CA certificates of the ca-certificates package into the
// file that programs read; its maintainer script would do it.
func (t tree) caBundle() error {
	certs, err := filepath.Glob(t.path("/usr/share/ca-certificates/*/*.crt"))
	if err != nil || len(certs) == 0 {
		return err
	}
	slices.Sort(certs)
	var bundle bytes.Buffer
	for _, c := range certs {
		data, err := os.ReadFile(c)
		if err != nil {
			return err
		}
		bundle.Write(bytes.TrimSpace(data))
		bundle.WriteByte('\n')
	}
	if err := os.MkdirAll(t.path("/etc/ssl/certs"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(t.path("/etc/ssl/certs/ca-certificates.crt"), bundle.Bytes(), 0o644)
}
