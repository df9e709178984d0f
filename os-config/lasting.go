package osconfig

import (
	"path"
	"slices"
	"strings"
)

// LastingDirectories are the directories that are on the state file system, or
// on the RAM in its place, on every machine. All code that needs the list asks
// here: what is bound from the state, what console and engine get, what may
// stand in rancher.state.directories, what users are told.
func LastingDirectories() []string {
	return []string{"/home", "/root", "/srv", "/opt", "/usr/local", "/mnt", "/media", "/var"}
}

// Lasts reports whether a path is in one of LastingDirectories, by its text.
func Lasts(p string) bool { return within(p, LastingDirectories()) }

// LastingDirectory returns what is wrong with a directory of
// rancher.state.directories, or "": it has to be one of the console's tree that
// the machine does not make itself.
func LastingDirectory(s string) string {
	if text := absolutePath(s); text != "" {
		return text
	}
	made := []string{"/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/dev", "/proc", "/sys", "/run", "/tmp", "/boot"}
	switch s := path.Clean(s); {
	case Lasts(s):
		return s + " lasts already"
	case within(s, made):
		return s + " is made anew at each boot; use a directory such as /data"
	}
	return ""
}

// within reports whether a path is one of dirs or below it.
func within(p string, dirs []string) bool {
	p = path.Clean(p)
	return slices.ContainsFunc(dirs, func(dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") })
}
