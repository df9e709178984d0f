package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Manifest is manifest.json: what a release is made of.
type Manifest struct {
	Version   string                  `json:"version"`
	Kernel    string                  `json:"kernel"`
	Cmdline   string                  `json:"cmdline"`
	Artefacts map[string]Artefact     `json:"artefacts"`
	Packages  []ManifestPackage       `json:"packages"`
	Binaries  map[string][]ModuleInfo `json:"binaries"`
}

// Artefact is one file of the build.
type Artefact struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// ManifestPackage is a Debian package and the images that hold files of it.
type ManifestPackage struct {
	Package
	Images []string `json:"images"`
}

// ModuleInfo is one Go module linked into a binary.
type ModuleInfo struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	// Changed modules are built from a copy that scripts/dockerd-mod
	// or scripts/docker-mod edits.
	Changed bool `json:"changed,omitempty"`
}

func manifestCommand(flags *flag.FlagSet) func(context.Context, *slog.Logger) error {
	build := flags.String("build", "", "build `folder`")
	images := flags.String("images", "", "image `names` separated by commas")
	version := flags.String("version", "", "version of this build")
	return func(context.Context, *slog.Logger) error {
		m := Manifest{Version: *version, Artefacts: map[string]Artefact{}}
		for dest, name := range map[*string]string{&m.Kernel: "kernel/version", &m.Cmdline: "cmdline"} {
			data, err := os.ReadFile(filepath.Join(*build, name))
			if err != nil {
				return err
			}
			*dest = strings.TrimSpace(string(data))
		}
		var err error
		for _, name := range []string{"vmlinuz", "initrd", "system.img", "pharos.iso", "pharos.raw", "ros"} {
			if m.Artefacts[name], err = measure(filepath.Join(*build, name)); err != nil {
				return err
			}
		}
		if m.Packages, err = collectPackages(*build, coreImages(*images)); err != nil {
			return err
		}
		if m.Binaries, err = collectModules(filepath.Join(*build, "bin")); err != nil {
			return err
		}
		return writeJSON(filepath.Join(*build, "manifest.json"), m)
	}
}

func measure(name string) (Artefact, error) {
	f, err := os.Open(name)
	if err != nil {
		return Artefact{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return Artefact{Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// collectPackages joins the images' package lists.
func collectPackages(build string, images []string) ([]ManifestPackage, error) {
	all := map[string]*ManifestPackage{}
	for _, name := range images {
		data, err := os.ReadFile(filepath.Join(build, "images", name, "packages.json"))
		if err != nil {
			return nil, err
		}
		var pkgs []Package
		if err := json.Unmarshal(data, &pkgs); err != nil {
			return nil, fmt.Errorf("packages of %s: %w", name, err)
		}
		for _, p := range pkgs {
			if all[p.Name] == nil {
				all[p.Name] = &ManifestPackage{Package: p}
			}
			all[p.Name].Images = append(all[p.Name].Images, name)
		}
	}
	var list []ManifestPackage
	for _, name := range sortedKeys(all) {
		list = append(list, *all[name])
	}
	return list, nil
}

// collectModules reads the modules of every Go binary in dir.
func collectModules(dir string) (map[string][]ModuleInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	binaries := map[string][]ModuleInfo{}
	for _, e := range entries {
		info, err := buildinfo.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("binary %s: %w", e.Name(), err)
		}
		mods := []ModuleInfo{{Path: "std", Version: info.GoVersion}}
		for _, d := range info.Deps {
			// A replacement is a changed copy of this very version.
			mods = append(mods, ModuleInfo{Path: d.Path, Version: d.Version, Changed: d.Replace != nil})
		}
		slices.SortFunc(mods, func(a, b ModuleInfo) int { return strings.Compare(a.Path, b.Path) })
		binaries[e.Name()] = mods
	}
	return binaries, nil
}
