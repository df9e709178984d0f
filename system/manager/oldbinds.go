package manager

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/services/engine/rebind"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/control/api"
)

// insideOf returns a function that opens the root of a running container of the
// engine whose first process is init, with its mounts. It returns nil for a
// container that it cannot look into: one that has ended, or whose first process
// has called chroot(2).
func insideOf(ctx context.Context, client dockerapi.Client, init int, log *slog.Logger) func(container) *beneath.Namespace {
	return func(c container) *beneath.Namespace {
		var details struct{ State struct{ Pid int } }
		err := client.Call(ctx, http.MethodGet, "/containers/"+c.ID+"/json", nil, &details)
		if err == nil && details.State.Pid != 0 {
			var inside *beneath.Namespace
			if inside, err = beneath.NamespaceInside(init, details.State.Pid); err == nil {
				return inside
			}
		}
		log.Debug("cannot look into a container", "container", c.name(), "error", err)
		return nil
	}
}

// oldBinds picks what running containers have of a tree that the console had
// before it started again. It leaves out containers for which inside returns nil,
// and those that it has not come to when ctx ends.
func (f finder) oldBinds(ctx context.Context, list []container, volumes []volume, inside func(container) *beneath.Namespace) []api.OldBind {
	bound := boundBy(volumes)
	var out []api.OldBind
	for _, c := range list {
		candidate := func(b containerMount) bool { return f.mayBeOnTree(b.source(bound)) }
		if ctx.Err() != nil {
			break
		}
		if c.State != "running" && c.State != "paused" || !slices.ContainsFunc(c.Mounts, candidate) {
			continue
		}
		there := inside(c)
		if there == nil {
			continue
		}
		for _, b := range c.Mounts {
			if candidate(b) && f.isOld(b.source(bound), there, b.Destination) {
				out = append(out, api.OldBind{
					Container: c.name(), Project: c.Labels[composeProject], Source: b.source(bound), Target: b.Destination, Command: rebind.Command(c.name(), c.Labels),
				})
			}
		}
		there.Close()
	}
	slices.SortFunc(out, func(a, b api.OldBind) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Source, b.Source))
	})
	return out
}

// isOld reports whether a container has something else at the target than what
// is at the source now, because the console's tree was another one when it
// started. A file that is the same in both trees is not old, and neither is a
// directory of the image in /usr, which nobody changes.
func (f finder) isOld(source string, there *beneath.Namespace, target string) bool {
	at, err := there.Resolve(path.Clean(target))
	if err != nil || at.Mount.Target != at.Path || at.Mount.Type != "overlay" {
		return false
	}
	now, err := f.resolve(source)
	if err == nil && now.Mount.Device == at.Mount.Device {
		return false
	}
	return !f.sameFile(source, there, at.Path) && !f.imageDirectory(now.Path)
}

// mayBeOnTree reports whether a source may have been on a tree of the console,
// and not on what is mounted on each of them. It spares the engine questions.
func (f finder) mayBeOnTree(source string) bool {
	if source == "" {
		return false
	}
	mounted := func(p string) bool {
		if osconfig.Lasts(p) {
			return true
		}
		top, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
		return slices.Contains([]string{"dev", "proc", "run", "sys", "tmp"}, top)
	}
	source = path.Clean(source)
	p, err := f.resolve(source)
	return err != nil || !mounted(source) || !mounted(p.Path)
}

// sameLimit bounds the files whose content is compared, in bytes.
const sameLimit = 1 << 20

// sameFile reports whether a path leads to a file which is in the container,
// too, or to one with the same content.
func (f finder) sameFile(source string, there *beneath.Namespace, target string) bool {
	now, err := f.tree.Open(path.Clean(source))
	if err != nil {
		return false
	}
	defer now.Close()
	old, err := there.Open(target)
	if err != nil {
		return false
	}
	defer old.Close()
	return equal(now, old)
}

// equal compares two regular files. Large ones are equal if they are the same
// file of the image, whose inode number and time they have in each tree.
func equal(a, b *os.File) bool {
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	if errA != nil || errB != nil || infoA.Size() != infoB.Size() {
		return false
	}
	if infoA.Size() > sameLimit {
		return inode(infoA) == inode(infoB) && infoA.ModTime().Equal(infoB.ModTime())
	}
	textA, errA := io.ReadAll(io.LimitReader(a, sameLimit))
	textB, errB := io.ReadAll(io.LimitReader(b, sameLimit))
	return errA == nil && errB == nil && bytes.Equal(textA, textB)
}

// imageDirectory reports whether a path without links is that of a directory in
// /usr that the image brings.
func (f finder) imageDirectory(p string) bool {
	if !strings.HasPrefix(p, "/usr/") {
		return false
	}
	info, err := os.Lstat(filepath.Join(f.image, p))
	return err == nil && info.IsDir()
}

func inode(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Ino
}
