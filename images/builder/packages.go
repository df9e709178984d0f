package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Cache is the directory outside the tree that keeps downloads: debs/ holds
// package files under their full names (name, version, architecture), sets/
// what a list of packages resolved to. A set stays until `make update` removes
// it, so that builds with a warm cache need no network and are repeatable.
type Cache struct {
	Dir   string
	Suite string
}

// Package is one unpacked Debian package.
type Package struct {
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Source   string   `json:"source"`
	Licenses []string `json:"licenses"`
	files    []string // paths in the tree, absolute
}

// resolve returns the package files that r needs, from the cache or by apt.
func (c Cache) resolve(ctx context.Context, log *slog.Logger, r Recipe) ([]string, error) {
	unlock, err := lock(filepath.Join(c.Dir, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	key := sha256.Sum256([]byte(c.Suite + "\n" + strings.Join(r.Packages, "\n")))
	set := filepath.Join(c.Dir, "sets", hex.EncodeToString(key[:8]))
	if names, err := c.readSet(set); err == nil {
		return names, nil
	}
	log.Info("resolving packages", "packages", len(r.Packages))
	names, err := c.download(ctx, r.Packages)
	if err != nil {
		// The lists may be older than the mirror.
		if _, err := aptGet(ctx, "update"); err != nil {
			return nil, err
		}
		if names, err = c.download(ctx, r.Packages); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(set), 0o755); err != nil {
		return nil, err
	}
	return names, writeFile(set, []byte(strings.Join(names, "\n")+"\n"))
}

// readSet returns a stored set if every package file of it is still there.
func (c Cache) readSet(set string) ([]string, error) {
	data, err := os.ReadFile(set)
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(data))
	for _, n := range names {
		if _, err := os.Stat(c.deb(n)); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func (c Cache) deb(name string) string { return filepath.Join(c.Dir, "debs", name) }

// download has apt resolve packages as if nothing were installed and fetch
// what the cache lacks; apt checks signatures and digests.
func (c Cache) download(ctx context.Context, packages []string) ([]string, error) {
	if err := os.MkdirAll(c.deb("partial"), 0o755); err != nil {
		return nil, err
	}
	install := func(archives string, more ...string) ([]byte, error) {
		args := append([]string{"install", "--yes", "-o", "Dir::State::status=/dev/null", "-o", "APT::Install-Recommends=false",
			"-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", "-o", "Dir::Cache::archives=" + archives}, more...)
		return aptGet(ctx, append(args, packages...)...)
	}
	// With an archive directory that holds nothing --print-uris names every file.
	uris, err := install("/var/empty", "--print-uris")
	if err != nil {
		return nil, err
	}
	if _, err := install(c.deb(""), "--download-only"); err != nil {
		return nil, err
	}
	return parseURIs(uris), nil
}

// parseURIs returns the file names of `apt-get --print-uris`: lines of
// 'URI' NAME SIZE DIGEST.
func parseURIs(out []byte) []string {
	var names []string
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		if f := strings.Fields(sc.Text()); len(f) >= 3 && strings.HasPrefix(f[0], "'") {
			names = append(names, f[1])
		}
	}
	return names
}

func aptGet(ctx context.Context, args ...string) ([]byte, error) {
	return output(exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...))
}

// output runs cmd and returns what it prints; its error output is in the error.
func output(cmd *exec.Cmd) ([]byte, error) {
	var errs bytes.Buffer
	cmd.Stderr = &errs
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args[:min(3, len(cmd.Args))], " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	return out, nil
}

// unpack extracts the packages of names that r wants into root.
func (c Cache) unpack(ctx context.Context, r Recipe, names []string, root string) ([]Package, error) {
	var pkgs []Package
	for _, n := range names {
		name, _, _ := strings.Cut(n, "_")
		if len(r.Only) > 0 && !matchAny(r.Only, name) || matchAny(r.Exclude, name) {
			continue
		}
		p, err := describe(ctx, c.deb(n))
		if err != nil {
			return nil, err
		}
		if _, err := output(exec.CommandContext(ctx, "dpkg-deb", "--extract", c.deb(n), root)); err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

// describe reads a package file's control data and list of files.
func describe(ctx context.Context, deb string) (Package, error) {
	var p Package
	out, err := output(exec.CommandContext(ctx, "dpkg-deb", "--show", "--showformat=${Package} ${Version} ${source:Package}", deb))
	if err != nil {
		return p, err
	}
	f := strings.Fields(string(out))
	if len(f) != 3 {
		return p, fmt.Errorf("package %s: control data %q", deb, out)
	}
	p.Name, p.Version, p.Source = f[0], f[1], f[2]
	p.files, err = packageFiles(ctx, deb)
	return p, err
}

// packageFiles lists what a package installs, directories left out.
func packageFiles(ctx context.Context, deb string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var list []string
	archive := tar.NewReader(out)
	h, err := archive.Next()
	for ; err == nil; h, err = archive.Next() {
		if h.Typeflag != tar.TypeDir {
			list = append(list, path.Join("/", h.Name))
		}
	}
	if errors.Is(err, io.EOF) {
		_, err = io.Copy(io.Discard, out) // the padding: dpkg-deb must not write into a closed pipe
	}
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return nil, fmt.Errorf("files of %s: %w", deb, err)
	}
	return list, nil
}

func matchAny(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := path.Match(g, name)
		return ok && err == nil
	})
}

// lock takes an exclusive lock on a file and returns what releases it.
func lock(name string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}

// writeFile replaces a file of the cache or the build directory in one step.
func writeFile(name string, data []byte) error {
	if err := os.WriteFile(name+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
