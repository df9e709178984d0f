package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// imagesDir is where the core images are in the system tree.
const imagesDir = "/usr/lib/pharos/images"

func systemCommand(flags *flag.FlagSet) func(context.Context, *slog.Logger) error {
	kernel := flags.String("kernel", "", "`folder` made by builder kernel")
	images := flags.String("images", "", "`folder` of images made by builder image")
	names := flags.String("core", "", "core images, `names` separated by commas")
	bin := flags.String("bin", "", "`folder` of Go binaries")
	osRelease := flags.String("os-release", "", "os-release `file`")
	out := flags.String("out", "", "system tree to make")
	return func(_ context.Context, log *slog.Logger) error {
		if err := errors.Join(os.RemoveAll(*out), os.MkdirAll(*out, 0o755)); err != nil {
			return err
		}
		s := systemTree{tree: tree{root: *out}, seen: map[fileKey]string{}}
		if err := s.host(*bin, *osRelease, filepath.Join(*images, "host/rootfs")); err != nil {
			return err
		}
		if err := s.merge(filepath.Join(*kernel, "root"), "/"); err != nil {
			return err
		}
		for _, name := range strings.Split(*names, ",") {
			if err := s.image(filepath.Join(*images, name), name, *bin, *osRelease); err != nil {
				return fmt.Errorf("image %s: %w", name, err)
			}
		}
		log.Info("system tree", "files", s.files, "shared", s.shared, "shared_bytes", s.sharedBytes)
		return nil
	}
}

// systemTree is the tree of the system image. Files go in as hard links of
// where they were made; one that is equal to an earlier one becomes a link of
// that, so that its pages are in memory once.
type systemTree struct {
	tree
	seen          map[fileKey]string
	files, shared int
	sharedBytes   int64
}

// fileKey is what must be equal for two files to be one.
type fileKey struct {
	sum      [sha256.Size]byte
	mode     os.FileMode
	uid, gid uint32
}

// hostFiles are the Go binaries of the system image, target: name in bin.
func hostFiles() map[string]string {
	return map[string]string{
		"/usr/sbin/init":                   "init",
		"/usr/bin/ros":                     "ros",
		"/usr/bin/containerd":              "containerd",
		"/usr/bin/containerd-shim-runc-v2": "containerd-shim-runc-v2",
		"/usr/bin/runc":                    "runc",
	}
}

// host makes the part of the tree that runs outside containers.
func (s *systemTree) host(bin, osRelease, packages string) error {
	if err := s.mergedUsr(); err != nil {
		return err
	}
	for _, d := range []string{"dev", "proc", "sys", "run", "tmp", "var", "home", "opt", "etc", "mnt", "media", "root", "srv", "usr/local"} {
		if err := os.MkdirAll(s.path(d), 0o755); err != nil {
			return err
		}
	}
	for _, target := range sortedKeys(hostFiles()) {
		if err := s.add(filepath.Join(bin, hostFiles()[target]), target); err != nil {
			return err
		}
	}
	// The check of the state file system, and the shell of the recovery console.
	for from, to := range map[string]string{
		"usr/sbin/e2fsck.static": "/usr/sbin/e2fsck", "usr/bin/busybox": "/usr/lib/pharos/recovery/busybox",
	} {
		if err := s.add(filepath.Join(packages, from), to); err != nil {
			return err
		}
	}
	links := map[string]string{
		"/usr/bin/rosd": "ros", "/usr/sbin/fsck.ext4": "e2fsck",
		"/usr/sbin/poweroff": "../bin/ros", "/usr/sbin/reboot": "../bin/ros",
		"/usr/sbin/halt": "../bin/ros", "/usr/sbin/shutdown": "../bin/ros",
	}
	for _, l := range sortedKeys(links) {
		if err := s.link(l, links[l]); err != nil {
			return err
		}
	}
	return s.add(osRelease, "/usr/lib/os-release")
}

// image adds a core image: its tree, its configuration and the Go binaries of
// bin that it shares with the host.
func (s *systemTree) image(dir, name, bin, osRelease string) error {
	to := filepath.Join(imagesDir, name)
	if err := s.merge(filepath.Join(dir, "rootfs"), filepath.Join(to, "rootfs")); err != nil {
		return err
	}
	if err := s.add(filepath.Join(dir, "config.json"), filepath.Join(to, "config.json")); err != nil {
		return err
	}
	// Not the image's own: it changes with every version.
	if err := s.add(osRelease, filepath.Join(to, "rootfs/usr/lib/os-release")); err != nil {
		return err
	}
	if err := s.link(filepath.Join(to, "rootfs/etc/os-release"), "../usr/lib/os-release"); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, "binaries.json"))
	if err != nil {
		return err
	}
	var binaries map[string]string
	if err := json.Unmarshal(data, &binaries); err != nil {
		return err
	}
	for _, target := range sortedKeys(binaries) {
		if err := s.add(filepath.Join(bin, binaries[target]), filepath.Join(to, "rootfs", target)); err != nil {
			return err
		}
	}
	for _, f := range []string{"hosts", "resolv.conf", "hostname"} {
		if err := s.link(filepath.Join(to, "rootfs/etc", f), "/run/pharos/etc/"+f); err != nil {
			return err
		}
	}
	return nil
}

// merge adds everything below the directory from at the path to.
func (s *systemTree) merge(from, to string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(p, from))
		switch {
		case d.IsDir():
			return s.mkdir(p, target)
		case d.Type()&os.ModeSymlink != 0:
			link, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return s.link(target, link)
		default:
			return s.add(p, target)
		}
	})
}

// mkdir makes a directory like the directory like.
func (s *systemTree) mkdir(like, target string) error {
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.path(target), 0o755); err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(s.path(target), int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	return os.Chmod(s.path(target), info.Mode())
}

// add links the file source into the tree, or the equal file that is there.
func (s *systemTree) add(source, target string) error {
	key, size, err := keyOf(source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path(target)), 0o755); err != nil {
		return err
	}
	s.files++
	// An empty file has no pages to share, and a marker's link count is odd.
	if first, ok := s.seen[key]; ok && size > 0 {
		s.shared++
		s.sharedBytes += size
		return os.Link(first, s.path(target))
	}
	s.seen[key] = s.path(target)
	return os.Link(source, s.path(target))
}

func keyOf(name string) (fileKey, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return fileKey{}, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fileKey{}, 0, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fileKey{}, 0, err
	}
	st := info.Sys().(*syscall.Stat_t)
	k := fileKey{mode: info.Mode(), uid: st.Uid, gid: st.Gid}
	copy(k.sum[:], h.Sum(nil))
	return k, info.Size(), nil
}

// coreImages returns the images of a list, sorted.
func coreImages(list string) []string {
	names := strings.Split(list, ",")
	slices.Sort(names)
	return names
}
