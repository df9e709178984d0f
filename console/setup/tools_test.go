package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pharos-os/pharos/system/linux"
)

// toolbox stands in for the programs of the image: it does to the files of
// the room what they would.
type toolbox struct {
	room    *room
	mu      sync.Mutex
	calls   []string          // command lines, without the room's path
	devices map[string]string // what findfs knows
	broken  string            // command lines that begin so fail
	silent  string            // command lines that hold this do not end by themselves
	away    map[string]bool   // servers that refuse connections
	mounted int               // so many mounts there have been
}

func (b *toolbox) run(ctx context.Context, stdin string, args ...string) (string, error) {
	line := strings.ReplaceAll(strings.Join(args, " "), b.room.root, "")
	b.mu.Lock()
	if silent := b.silent; silent != "" && strings.Contains(line, silent) {
		b.mu.Unlock()
		<-ctx.Done()
		return "", fmt.Errorf("%s: : killed by SIGTERM", args[0])
	}
	defer b.mu.Unlock()
	if args[0] == "mount" {
		for server, away := range b.away {
			if away && strings.Contains(line, server) { // tried again and again
				return args[0] + ": Connection refused by " + server + "\nadvice\n", fmt.Errorf("%s: advice: exit 32", args[0])
			}
		}
	}
	if args[0] != "findfs" { // asked again and again
		b.calls = append(b.calls, line)
	}
	if b.broken != "" && strings.HasPrefix(line, b.broken) {
		return "", fmt.Errorf("%s: it is broken: exit 1", args[0])
	}
	switch args[0] {
	case "chpasswd":
		return "", b.chpasswd(stdin)
	case "findfs":
		if d := b.devices[args[1]]; d != "" {
			return d + "\n", nil
		}
		return "", errors.New("findfs: unable to resolve")
	case "visudo":
		text, err := os.ReadFile(args[len(args)-1])
		if err != nil || strings.Contains(string(text), "BAD") {
			return "", errors.New("visudo: syntax error: exit 1")
		}
	case "mkswap":
		f, err := os.OpenFile(b.room.path(args[1]), os.O_RDWR, 0)
		if err != nil {
			return "", err
		}
		defer f.Close()
		_, err = f.WriteAt([]byte("SWAPSPACE2"), page-10)
		return "", err
	case "swapon", "swapoff":
		return "", b.swaps(args[0], args[len(args)-1])
	case "mount", "umount":
		return "", b.mounts(args)
	}
	return "", nil
}

// set changes how the programs behave.
func (b *toolbox) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// mounts keeps the table of mounts as mount and umount change it.
func (b *toolbox) mounts(args []string) error {
	path := b.room.path("/proc/self/mountinfo")
	list, err := linux.MountsIn(path)
	if err != nil {
		return err
	}
	point := args[len(args)-1]
	at, ok := linux.MountAt(list, point)
	if args[0] == "umount" {
		if !ok || at.Target != point {
			return fmt.Errorf("umount: %s: not mounted", point)
		}
		list = slices.DeleteFunc(list, func(m linux.MountInfo) bool { return m.ID == at.ID })
	} else {
		b.mounted++
		id := 1 + b.mounted
		list = append(list, linux.MountInfo{ID: id, Parent: at.ID, Device: fmt.Sprintf("0:%d", id), Root: "/", Target: point, Type: "any", Source: args[len(args)-2]})
	}
	var text strings.Builder
	for _, m := range list {
		fmt.Fprintf(&text, "%d %d %s %s %s rw - %s %s rw\n", m.ID, m.Parent, m.Device, m.Root, m.Target, m.Type, m.Source)
	}
	return writeState(path, []byte(text.String()), 0o644) // whole: others read it meanwhile
}

func (b *toolbox) chpasswd(stdin string) error {
	path := b.room.path("/etc/shadow")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for entry := range strings.Lines(stdin) {
		name, plain, _ := strings.Cut(strings.TrimSuffix(entry, "\n"), ":")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		if i < 0 {
			return fmt.Errorf("chpasswd: no user %s", name)
		}
		f := strings.Split(lines[i], ":")
		f[1] = "$y$of(" + strings.ReplaceAll(plain, ":", "_") + ")"
		lines[i] = strings.Join(f, ":")
	}
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o640)
}

func (b *toolbox) swaps(what, file string) error {
	path := b.room.path("/proc/swaps")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool { return strings.HasPrefix(l, file+" ") })
	if what == "swapon" {
		lines = append(lines, file+" file 1 0 -2")
	}
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644)
}

// called returns the command lines since the last call of it.
func (b *toolbox) called() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.calls
	b.calls = nil
	return list
}
