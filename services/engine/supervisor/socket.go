package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// socket is the API socket. Process 1 owns it, so it outlives dockerd: a
// container that has bound it can talk to the next dockerd, and requests wait
// meanwhile.
type socket struct {
	file *os.File
	path string
}

// open listens on path unless that is done already; it reports whether the
// socket is a new one, which is root's alone. A socket that somebody has deleted
// is made anew.
func (s *socket) open(path string) (fresh bool, err error) {
	if s.file != nil && s.stands() {
		return false, nil
	}
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	if err := removeAll(path); err != nil {
		return false, fmt.Errorf("API socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return false, fmt.Errorf("API socket: %w", err)
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil { // until it has its group
		return false, fmt.Errorf("API socket: %w", err)
	}
	if s.file, err = l.File(); err != nil {
		return false, fmt.Errorf("API socket: %w", err)
	}
	s.path = path
	return true, nil
}

// openSocket opens the API socket and gives it to its group. The group may be
// one that the console has yet to make: giveLate waits for it.
func (e *engine) openSocket() error {
	path := e.dockerSocket()
	fresh, err := e.listening.open(path)
	if err != nil || !fresh || e.group == "" {
		return err
	}
	switch err := give(path, e.Groups, e.group); {
	case errors.Is(err, errNoGroup):
		e.log.Warn("API socket is root's until its group is there", "path", path, "error", err)
		select {
		case e.late <- struct{}{}:
		default:
		}
	case err != nil:
		e.log.Error("API socket is for root alone", "path", path, "error", err)
	}
	return nil
}

// lookAgain is how often the group is looked for without an event: when the
// engine gets another tree, /etc is another directory.
const lookAgain = 30 * time.Second

// giveLate gives the socket to its group when the group comes, until ctx ends.
func (e *engine) giveLate(ctx context.Context) {
	for {
		select {
		case <-e.late:
		case <-ctx.Done():
			return
		}
		var err error
		given := func() bool {
			err = give(e.dockerSocket(), e.Groups, e.group)
			return !errors.Is(err, errNoGroup)
		}
		for {
			errWatch := await(ctx, filepath.Dir(e.Groups), lookAgain, given)
			if ctx.Err() != nil {
				return
			}
			if errWatch == nil {
				break
			}
			if !errors.Is(errWatch, os.ErrDeadlineExceeded) {
				err = errWatch
				break
			}
		}
		if err != nil {
			e.log.Error("API socket is for root alone", "path", e.dockerSocket(), "error", err)
			continue
		}
		e.log.Info("API socket has its group", "group", e.group)
	}
}

// give opens a socket to a group. It follows no link: containers may have
// written to the directory.
func give(path, groups, group string) error {
	gid, err := groupID(groups, group)
	if err != nil {
		return err
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%s: not a socket", path)
	}
	if err := unix.Fchownat(fd, "", -1, gid, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("chown %s: %w", path, err)
	}
	return os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), 0o660)
}

// stands reports whether the path still leads to a socket that somebody
// listens on. Nothing else than we listens below that name.
func (s *socket) stands() bool {
	info, err := os.Lstat(s.path)
	return err == nil && info.Mode().Type() == fs.ModeSocket && !refuses(s.path)
}

// errNoGroup is the error for a group that is not in the table.
var errNoGroup = errors.New("no such group")

// groupID looks a group up by name or number.
func groupID(table, name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	text, err := os.ReadFile(table)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	return 0, fmt.Errorf("group %s in %s: %w", name, table, errNoGroup)
}

// awaitFile waits until a file is there; an empty path is at once.
func awaitFile(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	err := await(ctx, filepath.Dir(path), 0, func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s: %w", path, err)
	}
	return nil
}

// await asks done after each change of the files in a directory until it says
// yes. It ends with ctx, and with os.ErrDeadlineExceeded after most unless that
// is 0.
func await(ctx context.Context, dir string, most time.Duration, done func() bool) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE); err != nil {
		return fmt.Errorf("inotify: watch %s: %w", dir, err)
	}
	if most > 0 {
		if err := events.SetReadDeadline(time.Now().Add(most)); err != nil {
			return fmt.Errorf("inotify: %w", err)
		}
	}
	// The end of ctx ends a read that waits.
	stop := context.AfterFunc(ctx, func() { events.SetReadDeadline(time.Now()) })
	defer stop()
	for !done() {
		if _, err := events.Read(make([]byte, 4<<10)); err != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	return nil
}
