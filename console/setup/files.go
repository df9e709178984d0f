package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// writeFile carries out one entry of write_files.
func (s *setup) writeFile(f osconfig.File) error {
	if f.Container != "" && f.Container != "console" {
		return fmt.Errorf("write_files %s: container %q: only the console is supported", f.Path, f.Container)
	}
	err := s.place(f)
	if err != nil {
		return fmt.Errorf("write_files %s: %w", f.Path, err)
	}
	return nil
}

// errDirectory is the error for a file whose place is taken.
var errDirectory = errors.New("there is a directory of that name; Docker makes one for a container that binds the file before it is written " +
	"(defer: true, or docker run in a command): remove it")

func (s *setup) place(f osconfig.File) error {
	if !filepath.IsAbs(f.Path) {
		return errors.New("path is not absolute")
	}
	content, err := f.DecodeContent()
	if err != nil {
		return err
	}
	mode, err := fileMode(f.Permissions)
	if err != nil {
		return err
	}
	uid, gid, err := s.owner(f.Owner)
	if err != nil {
		return fmt.Errorf("owner: %w", err)
	}
	path := s.path(f.Path)
	if err := trusted(s.Root, f.Path, f.Append); err != nil {
		return err
	}
	if kernels(path, f.Path) {
		return writeInto(path, content)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return errDirectory
	}
	if f.Append {
		return s.appendTo(f, content, mode, uid, gid)
	}
	delete(s.memory.Appended, f.Path) // it is as if nothing had been added
	return s.replace(path, content, mode, uid, gid)
}

// kernels says whether a file is the kernel's, which is written into and
// cannot be replaced; path is name in the console's root. Elsewhere a device
// may be what a user's link leads to, and the link is replaced.
func kernels(path, name string) bool {
	name = filepath.Clean(name)
	if strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/") {
		return true
	}
	info, err := os.Stat(path)
	return strings.HasPrefix(name, "/dev/") && err == nil && info.Mode()&os.ModeDevice != 0
}

// unreadFor ends a write to a terminal whose other end nobody reads.
const unreadFor = 5 * time.Second

// writeInto writes a file of the kernel's in one go: each write is a command
// there.
func writeInto(path string, content []byte) error {
	return writeWithin(path, os.O_WRONLY, content, unreadFor)
}

// writeWithin writes into what is there. Where a write may have to wait for
// somebody it has an end.
func writeWithin(path string, flags int, content []byte, timeout time.Duration) error {
	f, err := os.OpenFile(path, flags|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	err = f.SetWriteDeadline(time.Now().Add(timeout))
	if err == nil || errors.Is(err, os.ErrNoDeadline) { // it never waits
		_, err = f.Write(content)
	}
	return errors.Join(err, f.Close())
}

// replace writes a file whole. One that is already as it should be stays the
// same file: a running container may have bound it.
func (s *setup) replace(path string, content []byte, mode os.FileMode, uid, gid int) error {
	if isFile(path, content, mode, uid, gid) {
		return nil
	}
	// Closed until it has its owner.
	if err := atomicfile.WriteFile(path, content, mode&0o600); err != nil {
		return err
	}
	if err := s.chown(path, uid, gid); err != nil {
		return fmt.Errorf("owner: %w", err)
	}
	// After the owner: a change of owner takes set-id bits away.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	if err := errors.Join(f.Chmod(mode), f.Close()); err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	return nil
}

// isFile reports whether there is a regular file with this content, mode and
// owner. One that cannot be read counts as different.
func isFile(path string, content []byte, mode os.FileMode, uid, gid int) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != mode || info.Size() != int64(len(content)) {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) != uid || int(st.Gid) != gid {
		return false
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	// A user may have put another file there meanwhile.
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) {
		return false
	}
	old, err := io.ReadAll(io.LimitReader(f, info.Size()+1))
	return err == nil && bytes.Equal(old, content)
}

// fileMode reads octal digits; empty is 0644.
func fileMode(text string) (os.FileMode, error) {
	if text == "" {
		return 0o644, nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 12)
	if err != nil {
		return 0, fmt.Errorf("permissions %q: not octal", text)
	}
	mode := os.FileMode(n & 0o777)
	for bit, flag := range map[uint64]os.FileMode{0o4000: os.ModeSetuid, 0o2000: os.ModeSetgid, 0o1000: os.ModeSticky} {
		if n&bit != 0 {
			mode |= flag
		}
	}
	return mode, nil
}

// writeChanged writes a generated file when its content is another.
func (s *setup) writeChanged(path string, text []byte, mode os.FileMode) error {
	if old, err := os.ReadFile(s.path(path)); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := writeState(s.path(path), text, mode); err != nil {
		return err
	}
	s.changed = append(s.changed, path)
	return nil
}

// settings are the generated files besides accounts and SSH's.
func (s *setup) settings(p Plan) error {
	err := errors.Join(
		s.timezone(p.Timezone),
		s.useLocale(p.Locale),
		s.writeChanged("/etc/profile.d/50-pharos.sh", profile(p.Environment, s.locale), 0o644),
		s.writeChanged("/etc/issue", []byte(issue), 0o644),
		s.writeChanged("/usr/bin/wait-for-docker", []byte(waitForDocker), 0o755),
		s.writeChanged("/usr/bin/cloud-init-per", []byte(cloudInitPer), 0o755),
	)
	// Old paths into /var/run; /var is the state's and may be empty.
	if run := s.path("/var/run"); !exists(run) {
		os.Remove(run) // a dangling link
		err = errors.Join(err, os.Symlink("/run", run))
	}
	return err
}

// issue is agetty's: \S is the OS's name, \4 an address, \l the terminal.
const issue = "\nPharos \\r  \\n  \\l\nAddress: \\4\n\n"

// waitForDocker is RancherOS's, for the scripts that call it.
const waitForDocker = "#!/bin/sh\nuntil docker version >/dev/null 2>&1; do sleep 1; done\n"

// cloudInitPer is cloud-init's, for commands that are to run once, or once for
// each instance, while runcmd and bootcmd run at every boot. What failed is
// tried again at the next one.
const cloudInitPer = `#!/bin/sh
# cloud-init-per once|instance|always NAME COMMAND [ARGUMENT]...
dir=${CLOUD_DIR:-/var/lib/cloud} per=$1 name=$2
if [ $# -lt 3 ] || [ "${name#*/}" != "$name" ]; then
	echo "usage: cloud-init-per once|instance|always NAME COMMAND [ARGUMENT]..." >&2
	exit 1
fi
shift 2
case $per in
once) mark=$dir/sem/bootper.$name.once ;;
inst*) mark=$dir/instance/sem/bootper.$name.instance ;;
always) exec "$@" ;;
*)
	echo "cloud-init-per: $per is not one of: once, instance, always" >&2
	exit 1
	;;
esac
[ ! -e "$mark" ] || exit 0
"$@" || exit $?
mkdir -p "${mark%/*}" && date +%s >"$mark"
`

// profile is the environment of login shells.
func profile(environment map[string]string, locale string) []byte {
	var b strings.Builder
	b.WriteString("# Made by ros-console from rancher.environment and the proxies.\n")
	b.WriteString("case \":$PATH:\" in *:/usr/sbin:*) ;; *) PATH=\"$PATH:/usr/local/sbin:/usr/sbin\" ;; esac\nexport PATH\n")
	if locale != localeDefault {
		fmt.Fprintf(&b, "LANG='%s'\nexport LANG\n", strings.ReplaceAll(locale, "'", ""))
	}
	b.WriteString("case $- in *i*) [ ! -s /run/pharos/etc/motd ] || cat /run/pharos/etc/motd ;; esac\n")
	for _, name := range names(environment) {
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(environment[name], "'", `'\''`))
	}
	return []byte(b.String())
}

// names lists the variables that a shell can have, sorted.
func names(environment map[string]string) []string {
	var list []string
	for name := range environment {
		bad := strings.ContainsFunc(name, func(r rune) bool {
			return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		})
		if name != "" && !bad && (name[0] < '0' || name[0] > '9') {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}
