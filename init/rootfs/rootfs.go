// Package rootfs owns the shape of the root file system while it is made:
// tables of mounts, directories, links and small kernel files, and the switch
// from the initramfs to the system image. It refuses what belongs to the
// manager: the directories that last, and the content of /etc.
package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/linux"
)

// Row is one thing to be made. Rows are applied in order and can be applied
// again.
type Row interface {
	fmt.Stringer
	Apply() error
	// Optional rows may fail: the machine works without them.
	Optional() bool
}

// Mount makes the target's last directory if it can, and mounts on it.
type Mount struct {
	Source, Target, Type string
	Flags                uintptr
	Data                 string
	May                  bool // fail
}

// Dir is a directory with exactly this mode, in the bits of chmod(2).
type Dir struct {
	Path string
	Mode uint32
}

// Keep makes a directory immutable: a container that sees it below what is
// mounted on it must not be able to remove it, and with it the mount.
type Keep struct{ Path string }

// Link is a symbolic link at Path.
type Link struct{ Target, Path string }

// Write puts text into a file of the kernel's.
type Write struct {
	Path, Text string
	May        bool // fail
}

func (m Mount) String() string {
	if m.Flags&unix.MS_SHARED != 0 {
		return "make mounts below " + m.Target + " shared"
	}
	return fmt.Sprintf("mount %s on %s", m.Type, m.Target)
}
func (d Dir) String() string   { return fmt.Sprintf("directory %s %#o", d.Path, d.Mode) }
func (k Keep) String() string  { return "keep directory " + k.Path }
func (l Link) String() string  { return fmt.Sprintf("link %s → %s", l.Path, l.Target) }
func (w Write) String() string { return fmt.Sprintf("write %q to %s", w.Text, w.Path) }

func (m Mount) Optional() bool { return m.May }
func (d Dir) Optional() bool   { return false }
func (k Keep) Optional() bool  { return true }
func (l Link) Optional() bool  { return false }
func (w Write) Optional() bool { return w.May }

func (m Mount) Apply() error {
	if err := os.Mkdir(m.Target, 0o755); err != nil && !errors.Is(err, fs.ErrExist) && !isDir(m.Target) {
		return fmt.Errorf("mount point: %w", err)
	}
	return linux.Mount(m.Source, m.Target, m.Type, m.Flags, m.Data)
}

func (d Dir) Apply() error {
	if err := os.MkdirAll(d.Path, 0o755); err != nil {
		return err
	}
	return unix.Chmod(d.Path, uint32(d.Mode)) // past the umask; the bits are chmod(2)'s
}

func (k Keep) Apply() error { return linux.KeepDirectory(k.Path) }

func (l Link) Apply() error {
	err := os.Symlink(l.Target, l.Path)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (w Write) Apply() error {
	f, err := os.OpenFile(w.Path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(w.Text)
	return err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Apply makes all rows, also after one has failed. It returns what failed, in
// two parts: what the machine cannot do without, and what it can.
func Apply(rows []Row) (fatal, tolerable error) {
	for _, row := range rows {
		err := row.Apply()
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: %w", row, err)
		if row.Optional() {
			tolerable = errors.Join(tolerable, err)
		} else {
			fatal = errors.Join(fatal, err)
		}
	}
	return fatal, tolerable
}
