package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// cloudDir is cloud-init's, as provisioners and scripts know it: one
	// folder for each instance that this disk has been, and a link to that of
	// the present one.
	cloudDir = "/var/lib/cloud"
	// noInstance is what cloud-init calls a machine that nobody named.
	noInstance = "iid-datasource-none"
	// maxInstance bounds a folder's name; what clouds use is far shorter.
	maxInstance = 128
)

// enterInstance makes id the present instance. An empty one, of a machine
// whose datasource says nothing or is away, leaves what was.
func (m *Manager) enterInstance(id string) error {
	return enterInstance(filepath.Join(m.root, cloudDir), id)
}

func enterInstance(dir, id string) error {
	link := filepath.Join(dir, "instance")
	old, err := os.Readlink(link)
	isLink := err == nil
	if id == "" {
		if isLink {
			if err := os.MkdirAll(filepath.Join(dir, "instances", filepath.Base(old)), 0o755); err != nil {
				return fmt.Errorf("instance: %w", err)
			}
			return nil
		}
		id = noInstance
	}
	name := instanceName(id)
	target := filepath.Join("instances", name)
	if err := os.MkdirAll(filepath.Join(dir, target), 0o755); err != nil {
		return fmt.Errorf("instance: %w", err)
	}
	if isLink && old == target {
		return nil
	}
	if !isLink { // an older version's folder, which held nothing but the mark
		if err := os.RemoveAll(link); err != nil {
			return fmt.Errorf("instance: %w", err)
		}
	}
	next := link + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("instance: %w", err)
	}
	if err := errors.Join(os.Symlink(target, next), os.Rename(next, link)); err != nil {
		return fmt.Errorf("instance: %w", err)
	}
	return nil
}

// instanceName is a file name for an id that came from outside.
func instanceName(id string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_.:", r):
			return r
		}
		return '_'
	}, id)
	if strings.Trim(name, ".") == "" {
		return noInstance
	}
	return name[:min(len(name), maxInstance)]
}

// forgetFinished removes the mark of an earlier boot. A manager that starts
// anew within a boot leaves it.
func forgetFinished() error {
	if _, err := os.Stat(coldplugged); err == nil {
		return nil
	}
	if err := os.Remove(bootFinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mark of the last boot: %w", err)
	}
	return nil
}
