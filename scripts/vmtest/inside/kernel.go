package inside

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// field returns a field of /proc/self/status.
func field(name string) (string, error) {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("/proc/self/status has no field %s", name)
}

func status(c Check) error {
	got, err := field(c.Path)
	if err != nil {
		return err
	}
	if got != c.Want {
		return fmt.Errorf("is %s, want %s", got, c.Want)
	}
	return nil
}

// capability looks into the bounding set, and for root, who gets all of that
// at exec, into the effective set too.
func capability(c Check) error {
	bit, err := strconv.ParseUint(c.Want, 10, 6)
	if err != nil {
		return err
	}
	sets := []string{"CapBnd"}
	if os.Geteuid() == 0 {
		sets = append(sets, "CapEff")
	}
	for _, name := range sets {
		hex, err := field(name)
		if err != nil {
			return err
		}
		set, err := strconv.ParseUint(hex, 16, 64)
		if err != nil {
			return err
		}
		if set&(1<<bit) == 0 {
			return fmt.Errorf("is missing in %s, %s", name, hex)
		}
	}
	return nil
}

func bounding(c Check) error { return status(Check{Path: "CapBnd", Want: c.Want}) }

func limit(c Check) error {
	numbers := map[string]int{
		"memlock": unix.RLIMIT_MEMLOCK, "nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC,
		"core": unix.RLIMIT_CORE, "stack": unix.RLIMIT_STACK, "rtprio": unix.RLIMIT_RTPRIO,
	}
	number, ok := numbers[c.Path]
	if !ok {
		return errors.New("unknown resource")
	}
	var r unix.Rlimit
	if err := unix.Getrlimit(number, &r); err != nil {
		return err
	}
	// "unlimited" is the largest number there is; compose files say -1. Of open
	// files only the hard limit is known: Go's runtime raises the soft one to it.
	want := c.Want
	if _, hard, _ := strings.Cut(want, " "); number == unix.RLIMIT_NOFILE {
		want = hard + " " + hard
	}
	if got := fmt.Sprintf("%d %d", int64(r.Cur), int64(r.Max)); got != want {
		return fmt.Errorf("is %s, want %s", got, want)
	}
	return nil
}

func hostname(c Check) error {
	got, err := os.Hostname()
	if err == nil && got != c.Want {
		err = fmt.Errorf("is %q, want %q", got, c.Want)
	}
	return err
}

func user(c Check) error {
	if got := fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()); got != c.Want {
		return fmt.Errorf("is %s, want %s", got, c.Want)
	}
	return nil
}

func group(c Check) error {
	want, err := strconv.Atoi(c.Want)
	if err != nil {
		return err
	}
	got, err := os.Getgroups()
	if err == nil && !slices.Contains(got, want) {
		err = fmt.Errorf("the process is in the groups %v, want %d", got, want)
	}
	return err
}

func env(c Check) error {
	if got, ok := os.LookupEnv(c.Path); !ok || got != c.Want {
		return fmt.Errorf("is %q, want %q", got, c.Want)
	}
	return nil
}

func process(c Check) error {
	files, err := filepath.Glob(filepath.Join(c.Path, "[0-9]*", "comm"))
	if err != nil {
		return err
	}
	for _, f := range files {
		// A process may end meanwhile.
		if name, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(name)) == c.Want {
			return nil
		}
	}
	return fmt.Errorf("%d processes, none is called %s", len(files), c.Want)
}

func tmpfs(c Check) error {
	var st unix.Statfs_t
	if err := unix.Statfs(c.Path, &st); err != nil {
		return err
	}
	if st.Type != unix.TMPFS_MAGIC {
		return fmt.Errorf("is a file system of type %#x, not tmpfs", st.Type)
	}
	if got := strconv.FormatUint(st.Blocks*uint64(st.Bsize), 10); c.Want != "" && got != c.Want {
		return fmt.Errorf("has %s bytes, want %s", got, c.Want)
	}
	return nil
}

// tunnel makes a tun device, which ends with its descriptor.
func tunnel(c Check) error {
	fd, err := unix.Open(c.Path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("tun-test%d")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return fmt.Errorf("new tun device: %w", err)
	}
	return nil
}

// newLink asks the kernel, by RTM_NEWLINK, for a link of a kind and takes it
// away again.
func newLink(c Check) error {
	const name = "inside0"
	if err := linkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, name, c.Want); err != nil {
		return fmt.Errorf("new link of kind %s: %w", c.Want, err)
	}
	if err := linkRequest(unix.RTM_DELLINK, 0, name, ""); err != nil {
		return fmt.Errorf("end of the link of kind %s: %w", c.Want, err)
	}
	return nil
}

func linkRequest(kind, flags uint16, name, linkKind string) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	body := make([]byte, unix.SizeofIfInfomsg)
	body = append(body, attribute(unix.IFLA_IFNAME, append([]byte(name), 0))...)
	if linkKind != "" {
		info := attribute(unix.IFLA_INFO_KIND, append([]byte(linkKind), 0))
		if linkKind == "vxlan" { // the kernel refuses one without its number
			number := attribute(unix.IFLA_VXLAN_ID, binary.NativeEndian.AppendUint32(nil, 4242))
			info = append(info, attribute(unix.IFLA_INFO_DATA, number)...)
		}
		body = append(body, attribute(unix.IFLA_LINKINFO, info)...)
	}
	head := unix.NlMsghdr{Len: uint32(unix.NLMSG_HDRLEN + len(body)), Type: kind, Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK | flags}
	message := append(unsafe.Slice((*byte)(unsafe.Pointer(&head)), unix.NLMSG_HDRLEN), body...)
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.NLMSG_HDRLEN+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return fmt.Errorf("unexpected answer of %d bytes", n)
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.NLMSG_HDRLEN:])); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}

// attribute is a netlink attribute, padded to four bytes.
func attribute(kind uint16, value []byte) []byte {
	a := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	a = binary.NativeEndian.AppendUint16(a, kind)
	a = append(a, value...)
	return append(a, make([]byte, (4-len(a)%4)%4)...)
}

// mounts does what an engine in a container does: a tmpfs, and an overlay whose
// directories are on Path.
func mounts(c Check) error {
	var dirs []string
	for _, name := range []string{"lower", "upper", "work", "merged", "memory"} {
		dir := filepath.Join(c.Path, "inside", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		dirs = append(dirs, dir)
	}
	merged, memory := dirs[3], dirs[4]
	if err := unix.Mount("tmpfs", memory, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("mount of a tmpfs: %w", err)
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dirs[0], dirs[1], dirs[2])
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		return errors.Join(fmt.Errorf("mount of an overlay on %s: %w", c.Path, err), unix.Unmount(memory, 0))
	}
	return errors.Join(writes(Check{Path: filepath.Join(merged, "file"), Want: "x"}), unix.Unmount(merged, 0), unix.Unmount(memory, 0))
}

// shares makes a mount that stays; the test looks whether the machine sees it.
func shares(c Check) error {
	if err := os.MkdirAll(c.Path, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", c.Path, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("mount of a tmpfs: %w", err)
	}
	return writes(Check{Path: filepath.Join(c.Path, "file"), Want: c.Want})
}

func controlGroup(c Check) error {
	dir := filepath.Join(c.Path, "inside")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Remove(dir)
}

// writable writes what is there already.
func writable(c Check) error {
	value, err := os.ReadFile(c.Path)
	if err != nil {
		return err
	}
	return os.WriteFile(c.Path, value, 0)
}
