package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"
)

func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/usr/share/man", "/usr/share/man", true},
		{"/usr/share/man", "/usr/share/man/man1/ls.1", true},
		{"/usr/share/man", "/usr/share/manual", false},
		{"/usr/share/doc/*/*", "/usr/share/doc/bash", false},
		{"/usr/share/doc/*/*", "/usr/share/doc/bash/README", true},
		{"/usr/bin/perl*", "/usr/bin/perl5.40", true},
		{"/usr/bin/perl*", "/usr/bin/env", false},
	} {
		if got := matchPath([]string{c.pattern}, c.path); got != c.want {
			t.Errorf("matchPath(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
}

func TestDropKeepsWhatKeepNames(t *testing.T) {
	tr := tree{root: t.TempDir()}
	for _, f := range []string{"/doc/a/copyright", "/doc/a/README", "/doc/b/news", "/man/ls", "/bin/ls"} {
		write(t, tr.path(f), f)
	}
	if err := tr.drop([]string{"/doc/*/*", "/man"}, []string{"/doc/*/copyright"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"/bin/ls", "/doc/a/copyright"}
	if diff := cmp.Diff(want, files(t, tr.root)); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(tr.path("/man")); err == nil {
		t.Error("a dropped directory is still there")
	}
}

func TestParseLicenses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"machine-readable": {"Files: *\nLicense: GPL-2+\n text\n\nFiles: x\nLicense:  BSD-3-clause\n\nLicense: GPL-2+\n", []string{"BSD-3-clause", "GPL-2+"}},
		"free-form":        {"see /usr/share/common-licenses/LGPL-2.1.\n", []string{"LGPL-2.1"}},
		"prose":            {"under the GNU Lesser General Public\nLicense, version 2.1\n", []string{"LGPL"}},
		"nothing":          {"do what you like\n", []string{"unknown"}},
	} {
		if diff := cmp.Diff(c.want, parseLicenses([]byte(c.text))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestParseURIs(t *testing.T) {
	out := "Reading package lists...\n'http://mirror.example/p/libc6_2.41-12_amd64.deb' libc6_2.41-12_amd64.deb 100 SHA256:aa\n" +
		"'http://mirror.example/p/x_1%3a2_amd64.deb' x_1%3a2_amd64.deb 5 SHA256:bb\n"
	want := []string{"libc6_2.41-12_amd64.deb", "x_1%3a2_amd64.deb"}
	if diff := cmp.Diff(want, parseURIs([]byte(out))); diff != "" {
		t.Error(diff)
	}
}

func TestAccountsAreLocked(t *testing.T) {
	got := map[string]string{}
	for _, f := range renderAccounts([]byte("root:*:0:0:root:/root:/bin/bash\n"), []byte("root:*:0:\nsudo:*:27:\n"),
		[]User{{"rancher", 1100, 1100, "/home/rancher", "/bin/bash"}},
		[]Group{{Name: "rancher", GID: 1100}, {Name: "sudo", GID: 27, Members: []string{"rancher"}}}) {
		got[f.name] = string(f.data)
	}
	want := map[string]string{
		"passwd":  "root:x:0:0:root:/root:/bin/bash\nrancher:x:1100:1100::/home/rancher:/bin/bash\n",
		"shadow":  "root:*:::::::\nrancher:*:::::::\n",
		"group":   "root:x:0:\nsudo:x:27:rancher\nrancher:x:1100:\n",
		"gshadow": "root:*::\nsudo:*::rancher\nrancher:*::\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestModuleClosure(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "modules.dep"), "kernel/a/sd_mod.ko: kernel/b/scsi_mod.ko kernel/c/t10.ko\nkernel/b/scsi_mod.ko: kernel/c/t10.ko\nkernel/c/t10.ko:\nkernel/d/snd.ko:\n")
	write(t, filepath.Join(dir, "modules.alias"), "# comment\nalias scsi:t-0x00* sd_mod\nalias pci:v* snd\n")
	m, err := readModules(dir)
	if err != nil {
		t.Fatal(err)
	}
	chosen := m.closure([]string{"sd_*", "not_there"})
	if diff := cmp.Diff([]string{"kernel/a/sd_mod.ko", "kernel/b/scsi_mod.ko", "kernel/c/t10.ko"}, chosen); diff != "" {
		t.Error(diff)
	}
	if got := string(m.reduced("modules.alias", chosen)); got != "alias scsi:t-0x00* sd_mod\n" {
		t.Errorf("modules.alias: %q", got)
	}
	if got := string(m.reduced("modules.dep", chosen)); strings.Contains(got, "snd") || strings.Count(got, "\n") != 3 {
		t.Errorf("modules.dep: %q", got)
	}
}

// TestUnxz: a module is unpacked with its signature, and none is taken without.
func TestUnxz(t *testing.T) {
	tr := tree{root: t.TempDir()}
	source := filepath.Join(t.TempDir(), "m.ko.xz")
	for text, want := range map[string]error{"code, signature" + signatureMark: nil, "code": errUnsigned, "": errUnsigned, signatureMark + "more": errUnsigned} {
		var packed bytes.Buffer
		w, err := xz.NewWriter(&packed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		write(t, source, packed.String())
		if err := tr.unxz(source, "/m.ko"); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
		if got, err := os.ReadFile(tr.path("/m.ko")); err != nil || string(got) != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

// TestCpio lets the real cpio read what cpioWriter wrote.
func TestCpio(t *testing.T) {
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("this machine has no cpio; scripts/deps test installs it")
	}
	source := filepath.Join(t.TempDir(), "f")
	write(t, source, "hello")
	archive := func() []byte {
		var b bytes.Buffer
		c := &cpioWriter{w: &b, mtime: 1}
		c.dir("d")
		c.symlink("d/l", "f")
		c.file("d/f", source, 0o755)
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := archive()
	if !bytes.Equal(first, archive()) {
		t.Error("two archives of the same files differ")
	}
	cmd := exec.Command(cpio, "--quiet", "-i", "--to-stdout", "d/f")
	cmd.Stdin = bytes.NewReader(first)
	out, err := cmd.Output()
	if err != nil || string(out) != "hello" {
		t.Errorf("cpio: %q, %v", out, err)
	}
}

func TestSystemTreeSharesEqualFiles(t *testing.T) {
	src := t.TempDir()
	for _, f := range []string{"a/lib", "b/lib", "a/empty", "b/empty"} {
		text := "same"
		if strings.HasSuffix(f, "empty") {
			text = ""
		}
		write(t, filepath.Join(src, f), text)
	}
	write(t, filepath.Join(src, "c/lib"), "same")
	if err := os.Chmod(filepath.Join(src, "c/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := systemTree{tree: tree{root: t.TempDir()}, seen: map[fileKey]string{}}
	for _, d := range []string{"a", "b", "c"} {
		if err := s.merge(filepath.Join(src, d), "/"+d); err != nil {
			t.Fatal(err)
		}
	}
	same := func(x, y string) bool {
		a, errA := os.Stat(s.path(x))
		b, errB := os.Stat(s.path(y))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		return os.SameFile(a, b)
	}
	if !same("/a/lib", "/b/lib") {
		t.Error("equal files are two")
	}
	if same("/a/lib", "/c/lib") {
		t.Error("files of different modes are one")
	}
	if same("/a/empty", "/b/empty") {
		t.Error("empty files are one")
	}
}

func TestDropOrphanScripts(t *testing.T) {
	tr := tree{root: t.TempDir()}
	for name, text := range map[string]string{
		"/usr/bin/sh": "ELF", "/usr/bin/a": "#!/bin/sh\n", "/usr/sbin/b": "#! /usr/bin/perl -w\n", "/usr/bin/c": "#!/usr/bin/env python3",
	} {
		write(t, tr.path(name), text)
	}
	if err := tr.dropOrphanScripts(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/usr/bin/a", "/usr/bin/sh"}, files(t, tr.root)); diff != "" {
		t.Error(diff)
	}
}

// TestRecipes reads every recipe of the repository.
func TestRecipes(t *testing.T) {
	found, err := filepath.Glob("../*/recipe.yml")
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	for _, f := range found {
		if _, err := readRecipe(filepath.Dir(f)); err != nil {
			t.Error(err)
		}
	}
}

func TestRunNeedsACommand(t *testing.T) {
	if err := run(context.Background(), slog.New(slog.DiscardHandler), []string{"nothing"}); err == nil {
		t.Error("an unknown subcommand is accepted")
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimPrefix(p, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
