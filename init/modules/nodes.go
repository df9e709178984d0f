package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Node is the device node of a module that need not be loaded: who opens it
// makes the kernel load the module, by its number.
type Node struct {
	Path         string // relative to /dev
	Block        bool
	Major, Minor uint32
}

// ParseNodes reads the format of modules.devname: lines "MODULE PATH TYPE",
// where TYPE is c or b with MAJOR:MINOR behind it. A line that cannot be read
// is an error and costs only itself.
func ParseNodes(text string) ([]Node, error) {
	var nodes []Node
	var errs []error
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		n, ok := parseNode(strings.Fields(line))
		if !ok {
			errs = append(errs, fmt.Errorf("modules.devname: invalid line %q", line))
			continue
		}
		nodes = append(nodes, n)
	}
	return nodes, errors.Join(errs...)
}

func parseNode(fields []string) (Node, bool) {
	if len(fields) != 3 || !filepath.IsLocal(fields[1]) {
		return Node{}, false
	}
	kind, number := fields[2][:1], fields[2][1:]
	major, minor, ok := strings.Cut(number, ":")
	a, errA := strconv.ParseUint(major, 10, 12) // dev_t has 12 and 20 bits
	b, errB := strconv.ParseUint(minor, 10, 20)
	if !ok || errA != nil || errB != nil || kind != "c" && kind != "b" {
		return Node{}, false
	}
	return Node{Path: fields[1], Block: kind == "b", Major: uint32(a), Minor: uint32(b)}, true
}

// access is who may open a node.
type access struct {
	mode uint32
	gid  int
}

// Groups that own devices: those of Debian's base-passwd and of the udev image.
const (
	groupDisk  = 6
	groupKmem  = 15
	groupAudio = 29
	groupKVM   = 997
)

// accessTable is what udev gives nodes that it is shown (systemd's
// 50-udev-default.rules). It is shown them late; a container that starts before
// gets a node of its own with the mode of the machine's at that moment.
func accessTable() map[string]access {
	return map[string]access{
		"btrfs-control": {0o660, groupDisk},
		"fuse":          {0o666, 0},
		"loop-control":  {0o660, groupDisk},
		"net/tun":       {0o666, 0},
		"nvram":         {0o640, groupKmem},
		"rfkill":        {0o664, 0},
		"snd/seq":       {0o660, groupAudio},
		"snd/timer":     {0o660, groupAudio},
		"udmabuf":       {0o660, groupKVM},
		"vfio/vfio":     {0o666, 0},
		"vhost-net":     {0o660, groupKVM},
		"vhost-vsock":   {0o660, groupKVM},
		"vsock":         {0o666, 0},
	}
}

// MakeNodes makes the nodes that are missing below dev, root's alone, and then
// gives each of accessTable that is there what it has to have.
func MakeNodes(dev string, nodes []Node) error {
	var errs []error
	for _, n := range nodes {
		if err := n.create(filepath.Join(dev, n.Path)); err != nil && !errors.Is(err, fs.ErrExist) {
			errs = append(errs, fmt.Errorf("device node %s: %w", n.Path, err))
		}
	}
	for path, a := range accessTable() {
		path = filepath.Join(dev, path)
		err := os.Chown(path, 0, a.gid)
		if err == nil {
			err = unix.Chmod(path, a.mode) // past the umask
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("access to %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

func (n Node) create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	kind := uint32(unix.S_IFCHR)
	if n.Block {
		kind = unix.S_IFBLK
	}
	return unix.Mknod(path, kind|0o600, int(unix.Mkdev(n.Major, n.Minor)))
}

// StaticNodes is MakeNodes for all modules of the running kernel. Once udev has
// seen the devices they are its own, and nobody calls this again.
func StaticNodes(dev string) error {
	dir, err := Dir()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "modules.devname"))
	if err != nil {
		return fmt.Errorf("device nodes of modules: %w", err)
	}
	nodes, errParse := ParseNodes(string(text))
	return errors.Join(errParse, MakeNodes(dev, nodes))
}
