package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// socketName is the API socket's, in the unit's /run.
const socketName = "docker.sock"

// Programs is where the engine's own programs are: the image's tree, bound
// into the unit beside the console's.
const Programs = "/usr/lib/pharos/engine/usr/bin"

// socket is the API socket. It is process 1's, so that it outlives dockerd: a
// container that has bound it still talks to the next one, and whoever asks
// meanwhile waits instead of being refused.
type socket struct {
	file *os.File
	path string
}

// open listens on path unless that is done already. A socket that somebody has
// deleted is made anew.
func (s *socket) open(path, group string, log *slog.Logger) error {
	if s.file != nil && s.stands() {
		return nil
	}
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	if err := removeAll(path); err != nil {
		return fmt.Errorf("API socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("API socket: %w", err)
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	if s.file, err = l.File(); err != nil {
		return fmt.Errorf("API socket: %w", err)
	}
	s.path = path
	if err := give(path, group); err != nil {
		log.Error("API socket is for root alone", "path", path, "error", err)
	}
	return nil
}

// give opens a socket to a group.
func give(path, group string) error {
	if err := os.Chmod(path, 0o600); err != nil { // until it has its group
		return err
	}
	gid, err := groupID("/etc/group", group)
	if err != nil {
		return err
	}
	if err := os.Chown(path, 0, gid); err != nil {
		return err
	}
	return os.Chmod(path, 0o660)
}

// stands reports whether the path still leads to a socket that somebody
// listens on. Nothing else than we listens below that name.
func (s *socket) stands() bool {
	info, err := os.Lstat(s.path)
	return err == nil && info.Mode().Type() == fs.ModeSocket && !refuses(s.path)
}

// groupID looks a group up by name or number.
func groupID(table, name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	text, err := os.ReadFile(table)
	if err != nil {
		return 0, fmt.Errorf("group %s: %w", name, err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 3 || f[0] != name {
			continue
		}
		n, err := strconv.Atoi(f[2])
		if err != nil {
			return 0, fmt.Errorf("group %s: %w", name, err)
		}
		return n, nil
	}
	return 0, fmt.Errorf("group %s: not in %s", name, table)
}

// awaitFile waits until a file is there; an empty path is at once.
func awaitFile(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("wait for %s: inotify: %w", path, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		return fmt.Errorf("wait for %s: inotify: %w", path, err)
	}
	// The end of ctx ends a read that waits.
	stop := context.AfterFunc(ctx, func() { events.SetReadDeadline(time.Now()) })
	defer stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		if _, err := events.Read(make([]byte, 4<<10)); err != nil {
			return fmt.Errorf("wait for %s: %w", path, errors.Join(ctx.Err(), err))
		}
	}
}
