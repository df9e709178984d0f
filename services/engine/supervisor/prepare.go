package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Names of groups below the unit's own cgroup. A group that has children with
// controllers may hold no processes, so the daemons get a leaf.
const (
	daemonsGroup    = "engine"
	containersGroup = "containers"
)

// prepare makes the container fit for an engine. It goes on past what it
// cannot do and returns it.
func prepare(o Options) []error {
	var problems []error
	check := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	if o.Mounts {
		// So that "docker run -v /mnt:/mnt:rshared" has something to share.
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
			check(fmt.Errorf("shared mounts: %w", err))
		}
	}
	check(groups(o.Cgroup))
	// With the nftables backend dockerd leaves this to the machine and
	// refuses to start without. The manager sets it too; whoever is first.
	check(os.WriteFile(filepath.Join(o.ProcSys, "net/ipv4/ip_forward"), []byte("1"), 0o644))
	// Left by an engine that was killed with its container: none of its
	// shims live, and containerd would wait for each of them.
	check(empty(filepath.Join(o.Run, "containerd")))
	check(removeAll(filepath.Join(o.Run, "docker")))
	check(os.MkdirAll(filepath.Join(o.Run, "containerd"), 0o711))
	check(os.MkdirAll(filepath.Join(o.Run, "docker"), 0o700))
	return problems
}

// empty removes what is in a directory, which may be a mount point itself.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	all := []error{err}
	for _, e := range entries {
		all = append(all, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(all...)
}

// groups makes both groups, moves every process of the root into the leaf and
// hands all controllers down.
func groups(root string) error {
	for _, name := range []string{daemonsGroup, containersGroup} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("cgroup: %w", err)
		}
	}
	procs, err := os.ReadFile(filepath.Join(root, "cgroup.procs"))
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	for pid := range strings.FieldsSeq(string(procs)) {
		err := os.WriteFile(filepath.Join(root, daemonsGroup, "cgroup.procs"), []byte(pid), 0o644)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("cgroup of process %s: %w", pid, err)
		}
	}
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	var all []error
	for c := range strings.FieldsSeq(string(controllers)) {
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+c), 0o644); err != nil {
			all = append(all, fmt.Errorf("cgroup controller %s: %w", c, err))
		}
	}
	return errors.Join(all...)
}

// refuses reports whether a socket is there that nobody listens on.
func refuses(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
