package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// appendTo makes a file longer. What outlasts the console's root must not
// grow again at each boot: what was added there is remembered, until somebody
// removes the file. An owner and permissions that are not said stay.
func (s *setup) appendTo(f osconfig.File, content []byte, mode fs.FileMode, uid, gid int) error {
	path := s.path(f.Path)
	info, err := os.Stat(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if !missing && !info.Mode().IsRegular() {
		return errors.New("it is no regular file; nothing can be added to it") // reading a pipe would not end
	}
	sum := digest(string(content))
	outlasts := s.outlasts(f.Path)
	if missing {
		delete(s.memory.Appended, f.Path)
	}
	if outlasts && slices.Contains(s.memory.Appended[f.Path], sum) {
		return nil
	}
	var old []byte
	if !missing {
		if old, err = os.ReadFile(path); err != nil {
			return err
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
		if f.Permissions == "" {
			mode = info.Mode()
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && f.Owner == "" {
			uid, gid = int(st.Uid), int(st.Gid)
		}
	}
	if err := s.replace(path, append(old, content...), mode, uid, gid); err != nil {
		return err
	}
	if !outlasts {
		return nil
	}
	s.memory.Appended[f.Path] = append(s.memory.Appended[f.Path], sum)
	if err := s.keepMemory(); err != nil {
		return fmt.Errorf("it will grow again at the next boot: %w", err)
	}
	return nil
}

// outlasts reports whether a path is on something else than the console's root:
// a directory that it has from the machine, one of rancher.state.directories, a
// mount.
func (s *setup) outlasts(name string) bool {
	if onSharedMount(name) {
		return true
	}
	path := s.path(name)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = filepath.Dir(real) // of a file of an overlay the device says nothing
	}
	var dir, root syscall.Stat_t
	for err := syscall.Stat(path, &dir); err != nil; err = syscall.Stat(path, &dir) {
		if path = filepath.Dir(path); path == "/" {
			return false
		}
	}
	return syscall.Stat(s.path("/"), &root) == nil && dir.Dev != root.Dev
}

// onSharedMount reports whether a path is in a directory that the console has
// from the machine: what is there outlasts it.
func onSharedMount(path string) bool {
	return osconfig.Lasts(path) || below(path, []string{"/run", "/tmp"})
}

func below(path string, dirs []string) bool {
	path = filepath.Clean(path)
	return slices.ContainsFunc(dirs, func(dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") })
}
