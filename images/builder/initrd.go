package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

func initrdCommand(flags *flag.FlagSet) func(context.Context, *slog.Logger) error {
	kernel := flags.String("kernel", "", "`folder` made by builder kernel")
	initBin := flags.String("init", "", "`file` that becomes /init")
	busybox := flags.String("busybox", "", "static busybox `file`")
	list := flags.String("modules", "", "`file` with module globs")
	system := flags.String("system", "", "write an archive of this system image `file` alone, to append to an initrd (PXE)")
	out := flags.String("out", "", "archive `file` to write")
	mtime := flags.Int64("mtime", 0, "time of every member, `seconds` since the epoch")
	return func(_ context.Context, log *slog.Logger) error {
		fill := func(c *cpioWriter) { c.file("system.img", *system, 0o644) }
		if *system == "" {
			version, err := os.ReadFile(filepath.Join(*kernel, "version"))
			if err != nil {
				return err
			}
			globs, err := readList(*list)
			if err != nil {
				return err
			}
			dir := filepath.Join(*kernel, "root/usr/lib/modules", strings.TrimSpace(string(version)))
			m, err := readModules(dir)
			if err != nil {
				return err
			}
			chosen := m.closure(globs)
			log.Info("initrd", "modules", len(chosen))
			fill = func(c *cpioWriter) {
				writeInitrd(c, initrdParts{version: strings.TrimSpace(string(version)), init: *initBin, busybox: *busybox}, m, chosen)
			}
		}
		f, err := os.Create(*out + ".new")
		if err != nil {
			return err
		}
		w := bufio.NewWriterSize(f, 1<<20)
		c := &cpioWriter{w: w, mtime: *mtime}
		fill(c)
		if err := errors.Join(c.close(), w.Flush(), f.Close()); err != nil {
			return err
		}
		return os.Rename(*out+".new", *out)
	}
}

type initrdParts struct{ version, init, busybox string }

func writeInitrd(c *cpioWriter, p initrdParts, m modules, chosen []string) {
	mods := "usr/lib/modules/" + p.version
	dirs := map[string]bool{}
	addDir := func(d string) {
		for ; d != "."; d = path.Dir(d) {
			dirs[d] = true
		}
	}
	for _, d := range []string{"dev", "proc", "sys", "run", "mnt", "root", "sysroot", "tmp", "usr/bin", "usr/lib", mods} {
		addDir(d)
	}
	for _, f := range chosen {
		addDir(path.Join(mods, path.Dir(f)))
	}
	for _, d := range sortedKeys(dirs) {
		c.dir(d)
	}
	for _, l := range []string{"bin", "sbin"} {
		c.symlink(l, "usr/bin")
	}
	c.symlink("lib", "usr/lib")
	// The kernel opens /dev/console for init before anything is mounted.
	c.device("dev/console", 0o600, 5, 1)
	c.device("dev/null", 0o666, 1, 3)
	c.device("dev/kmsg", 0o644, 1, 11)
	c.file("init", p.init, 0o755)
	c.file("usr/bin/busybox", p.busybox, 0o755)
	c.symlink("usr/bin/sh", "busybox")
	for _, f := range chosen {
		c.file(path.Join(mods, f), filepath.Join(m.dir, f), 0o644)
	}
	for _, name := range []string{"modules.alias", "modules.dep", "modules.softdep"} {
		c.entry(path.Join(mods, name), cpioFile|0o644, m.reduced(name, chosen), 0, 0)
	}
	for _, name := range []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"} {
		if _, err := os.Stat(filepath.Join(m.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			c.file(path.Join(mods, name), filepath.Join(m.dir, name), 0o644)
		}
	}
}

// readList reads a file of one word a line; # begins a comment.
func readList(name string) ([]string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var words []string
	for l := range strings.Lines(string(data)) {
		l, _, _ = strings.Cut(l, "#")
		words = append(words, strings.Fields(l)...)
	}
	return words, nil
}

// modules is a kernel's module tree as depmod describes it.
type modules struct {
	dir  string
	deps map[string][]string // path → paths, both relative to dir
}

func readModules(dir string) (modules, error) {
	m := modules{dir: dir, deps: map[string][]string{}}
	data, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return m, err
	}
	for l := range strings.Lines(string(data)) {
		name, deps, ok := strings.Cut(strings.TrimSpace(l), ":")
		if ok {
			m.deps[name] = strings.Fields(deps)
		}
	}
	return m, nil
}

// moduleName is a module file's name as the kernel knows it.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
}

// closure returns the files, sorted, of every module whose name or path
// matches a glob, and of all that they depend on. A glob that matches nothing
// is no error: the same list serves kernels that have a driver built in.
func (m modules) closure(globs []string) []string {
	var chosen []string
	for f, deps := range m.deps {
		if matchAny(globs, moduleName(f)) || matchAny(globs, f) {
			chosen = append(append(chosen, f), deps...)
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

// reduced returns depmod's file name with only the lines about chosen modules.
func (m modules) reduced(name string, chosen []string) []byte {
	data, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil {
		return nil
	}
	names := map[string]bool{}
	for _, f := range chosen {
		names[f], names[moduleName(f)] = true, true
	}
	var out []byte
	for l := range strings.Lines(string(data)) {
		f := strings.Fields(l)
		if len(f) < 2 && name != "modules.dep" || len(f) == 0 {
			continue
		}
		key := strings.TrimSuffix(f[0], ":") // modules.dep: PATH: …
		switch name {
		case "modules.alias": // alias PATTERN NAME
			key = f[len(f)-1]
		case "modules.softdep": // softdep NAME pre: …
			key = f[1]
		}
		if names[strings.ReplaceAll(key, "-", "_")] || names[key] {
			out = append(out, l...)
		}
	}
	return out
}
