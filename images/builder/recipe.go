package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
)

// Recipe is an image's recipe.yml: what its tree is made of, in the order in
// which the builder applies it. Paths are absolute inside the tree.
type Recipe struct {
	// Packages are Debian packages; what they depend on comes with them,
	// what they only recommend does not.
	Packages []string `yaml:"packages"`
	// Only and Exclude are globs over package names; a resolved package
	// is unpacked if it matches Only (empty: all) and not Exclude.
	Only    []string `yaml:"only,omitempty"`
	Exclude []string `yaml:"exclude,omitempty"`
	// Drop and Keep are path patterns: * stays inside a path element, a
	// directory stands for everything below it. Keep wins over Drop.
	Drop []string `yaml:"drop,omitempty"`
	Keep []string `yaml:"keep,omitempty"`
	// Copy copies files inside the tree, target: source.
	Copy map[string]string `yaml:"copy,omitempty"`
	// Links are symbolic links, path: target.
	Links map[string]string `yaml:"links,omitempty"`
	// Directories are made or changed, path: octal mode.
	Directories map[string]string `yaml:"directories,omitempty"`
	// Modes of files, path: octal mode; Git keeps only the execute bit.
	Modes map[string]string `yaml:"modes,omitempty"`
	// Users and Groups are added to those that base-passwd defines.
	Users  []User  `yaml:"users,omitempty"`
	Groups []Group `yaml:"groups,omitempty"`
	// Accounts makes /etc/passwd, group, shadow and gshadow.
	Accounts bool `yaml:"accounts,omitempty"`
	// Run are commands run inside the tree (chroot) when all files are
	// there and before Drop: ldconfig and the like.
	Run [][]string `yaml:"run,omitempty"`
	// Standalone programs find their loader and libraries below Home.
	Standalone Standalone `yaml:"standalone,omitempty"`
	// Binaries are the project's Go binaries, path in the image: name. One
	// that the host has too is the same file.
	Binaries map[string]string `yaml:"binaries,omitempty"`
	// Config is the OCI image configuration.
	Config Config `yaml:"config"`
}

// Standalone names dynamically linked programs that run where the tree is no
// root but mounted at Home, whatever the root around it has for libraries.
type Standalone struct {
	Home     string   `yaml:"home"`
	Programs []string `yaml:"programs"`
}

// User is one line of /etc/passwd; its password is locked.
type User struct {
	Name  string `yaml:"name"`
	UID   int    `yaml:"uid"`
	GID   int    `yaml:"gid"`
	Home  string `yaml:"home"`
	Shell string `yaml:"shell"`
}

// Group is one line of /etc/group.
type Group struct {
	Name    string   `yaml:"name"`
	GID     int      `yaml:"gid"`
	Members []string `yaml:"members,omitempty"`
}

// Config is the "config" object of an OCI image configuration
// (github.com/opencontainers/image-spec, config.md).
type Config struct {
	User       string   `yaml:"user,omitempty" json:"User,omitempty"`
	Env        []string `yaml:"env,omitempty" json:"Env,omitempty"`
	Entrypoint []string `yaml:"entrypoint,omitempty" json:"Entrypoint,omitempty"`
	Cmd        []string `yaml:"cmd,omitempty" json:"Cmd,omitempty"`
	WorkingDir string   `yaml:"working_dir,omitempty" json:"WorkingDir,omitempty"`
	StopSignal string   `yaml:"stop_signal,omitempty" json:"StopSignal,omitempty"`
}

// readRecipe reads dir/recipe.yml and puts dir/../common.yml's drop list, which
// every image shares, before its own. An unknown key is an error.
func readRecipe(dir string) (Recipe, error) {
	var common, r Recipe
	if err := decodeFile(filepath.Join(dir, "..", "common.yml"), &common); err != nil {
		return r, err
	}
	if err := decodeFile(filepath.Join(dir, "recipe.yml"), &r); err != nil {
		return r, err
	}
	r.Drop = append(common.Drop, r.Drop...)
	r.Keep = append(common.Keep, r.Keep...)
	if len(r.Packages) == 0 {
		return r, fmt.Errorf("recipe %s: no packages", dir)
	}
	return r, nil
}

func decodeFile(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(into); err != nil {
		return fmt.Errorf("recipe %s: %w", path, err)
	}
	return nil
}
