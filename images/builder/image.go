package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func imageCommand(fs *flag.FlagSet) func(context.Context, *slog.Logger) error {
	recipe := fs.String("recipe", "", "image `folder` with recipe.yml and files/")
	out := fs.String("out", "", "`folder` to make: rootfs, config.json, packages.json")
	cache := fs.String("cache", "", "download cache `folder`")
	suite := fs.String("suite", "", "Debian `release`, part of the cache's keys")
	return func(ctx context.Context, log *slog.Logger) error {
		b := imageBuild{cache: Cache{Dir: *cache, Suite: *suite}, recipeDir: *recipe}
		tmp := *out + ".new"
		if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(filepath.Join(tmp, "rootfs"), 0o755)); err != nil {
			return err
		}
		if err := b.build(ctx, log, tmp); err != nil {
			return fmt.Errorf("%s: %w", *recipe, err)
		}
		if err := os.RemoveAll(*out); err != nil {
			return err
		}
		return os.Rename(tmp, *out)
	}
}

type imageBuild struct {
	cache     Cache
	recipeDir string
}

// build makes the image in dir. The order matters: what is run inside the
// tree needs the files that are dropped afterwards.
func (b imageBuild) build(ctx context.Context, log *slog.Logger, dir string) error {
	r, err := readRecipe(b.recipeDir)
	if err != nil {
		return err
	}
	names, err := b.cache.resolve(ctx, log, r)
	if err != nil {
		return err
	}
	t := tree{root: filepath.Join(dir, "rootfs")}
	if err := t.mergedUsr(); err != nil {
		return err
	}
	pkgs, err := b.cache.unpack(ctx, r, names, t.root)
	if err != nil {
		return err
	}
	if err := readLicenses(t.root, pkgs); err != nil {
		return err
	}
	if r.Accounts {
		if err := t.accounts(r.Users, r.Groups); err != nil {
			return err
		}
	}
	if err := t.finish(r, filepath.Join(b.recipeDir, "files")); err != nil {
		return err
	}
	for _, args := range r.Run {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: t.root}
		cmd.Dir = "/"
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	// Debian's ldconfig is in a package that nothing else needs.
	if _, err := os.Stat(t.path("/usr/lib/x86_64-linux-gnu")); err == nil {
		if _, err := output(exec.CommandContext(ctx, "ldconfig", "-r", t.root, "/usr/lib/x86_64-linux-gnu")); err != nil {
			return err
		}
	}
	if err := t.drop(r.Drop, r.Keep); err != nil {
		return err
	}
	if err := t.standAlone(ctx, r.Standalone); err != nil {
		return err
	}
	if err := t.dropOrphanScripts(); err != nil {
		return err
	}
	missing, err := t.missingLibraries()
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing libraries: %s", strings.Join(missing, "; "))
	}
	pkgs = slices.DeleteFunc(pkgs, func(p Package) bool { return !t.holds(p) })
	return errors.Join(
		writeJSON(filepath.Join(dir, "config.json"), r.Config),
		writeJSON(filepath.Join(dir, "packages.json"), pkgs),
		writeJSON(filepath.Join(dir, "binaries.json"), r.Binaries))
}

// finish applies everything of a recipe that needs no program.
func (t tree) finish(r Recipe, files string) error {
	if err := t.caBundle(); err != nil {
		return err
	}
	for _, target := range sortedKeys(r.Copy) {
		if err := t.copyFile(t.path(r.Copy[target]), target); err != nil {
			return err
		}
	}
	if err := t.copyTree(files); err != nil {
		return err
	}
	for _, p := range sortedKeys(r.Links) {
		if err := t.link(p, r.Links[p]); err != nil {
			return err
		}
	}
	for _, p := range sortedKeys(r.Directories) {
		if err := os.MkdirAll(t.path(p), 0o755); err != nil {
			return err
		}
		if err := t.chmod(p, r.Directories[p]); err != nil {
			return err
		}
	}
	for _, p := range sortedKeys(r.Modes) {
		if err := t.chmod(p, r.Modes[p]); err != nil {
			return err
		}
	}
	return nil
}

// holds reports whether a file of p besides its documentation is in the tree.
func (t tree) holds(p Package) bool {
	return slices.ContainsFunc(p.files, func(f string) bool {
		if strings.HasPrefix(f, "/usr/share/doc/") {
			return false
		}
		_, err := os.Lstat(t.path(f))
		return err == nil
	})
}

func writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(name, append(data, '\n'))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
