package state

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// mkfs makes a real ext4 file system in a file.
func mkfs(t *testing.T, args ...string) string {
	t.Helper()
	img := filepath.Join(t.TempDir(), "state.img")
	f, err := os.Create(img)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	out, err := exec.Command("/sbin/mkfs.ext4", append(append([]string{"-q"}, args...), img, "32768")...).CombinedOutput()
	if err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	return img
}

func TestSuperblock(t *testing.T) {
	img := mkfs(t, "-b", "1024")
	sb, err := readSuperblock(img)
	if err != nil {
		t.Fatal(err)
	}
	if want := (superblock{clean: true, blocks: 32768, size: 1024}); sb != want {
		t.Errorf("fresh file system: %+v, want %+v", sb, want)
	}
	for _, tt := range []struct {
		name, command string
	}{
		{"errors recorded", "set_super_value state 2"},
		{"not unmounted", "set_super_value state 0"},
		{"journal to replay", "feature needs_recovery"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			img := mkfs(t)
			if out, err := exec.Command("/sbin/debugfs", "-w", "-R", tt.command, img).CombinedOutput(); err != nil {
				t.Fatalf("debugfs: %v: %s", err, out)
			}
			sb, err := readSuperblock(img)
			if err != nil {
				t.Fatal(err)
			}
			if sb.clean {
				t.Error("counts as clean")
			}
		})
	}
	if _, err := parseSuperblock(make([]byte, 1024)); err == nil {
		t.Error("zeros were taken for a superblock")
	}
}

func TestDisks(t *testing.T) {
	img := mkfs(t, "-L", "PHAROS_STATE", "-U", "0a0b0c0d-0000-4000-8000-000000000001")
	root := t.TempDir()
	for name, uevent := range map[string]string{
		"vda": "DEVNAME=vda\n", "vda4": "DEVNAME=vda4\nPARTNAME=STATE\n", "loop0": "", "sr0": "",
	} {
		dir := filepath.Join(root, "sys/class/block", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "uevent"), []byte(uevent), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dev := filepath.Join(root, "dev")
	if err := os.Mkdir(dev, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(img, filepath.Join(dev, "vda4")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dev, "vda"), make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Disks(filepath.Join(root, "sys"), dev)
	if err != nil {
		t.Fatal(err)
	}
	want := []Disk{
		{Path: dev + "/vda"},
		{Path: dev + "/vda4", Type: "ext4", Label: "PHAROS_STATE", UUID: "0a0b0c0d-0000-4000-8000-000000000001", PartLabel: "STATE"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	for _, spec := range []string{"LABEL=PHAROS_STATE", "PARTLABEL=STATE", "UUID=0A0B0C0D-0000-4000-8000-000000000001", dev + "/vda4"} {
		if !got[1].Match(spec) || got[0].Match(spec) {
			t.Errorf("%s does not name just the state disk", spec)
		}
	}
	if got[1].Match("LABEL=pharos") || got[1].Match("NAME=vda4") {
		t.Error("a wrong spec matches")
	}
}

func TestFindMount(t *testing.T) {
	const mounts = "/dev/vda4 /run/pharos/stateroot ext4 rw,nodev 0 0\n/dev/vda4 /var ext4 rw,nodev 0 0\n"
	dev, fstype, ok := findMount(mounts, Root)
	if dev != "/dev/vda4" || fstype != "ext4" || !ok {
		t.Errorf("%q %q %v", dev, fstype, ok)
	}
	if _, _, ok := findMount(mounts, "/home"); ok {
		t.Error("found what is not mounted")
	}
}

func TestMkdirOpensWhatIsAbove(t *testing.T) {
	dir := t.TempDir()
	if err := mkdir(filepath.Join(dir, "lib/pharos/conf"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mkdir(filepath.Join(dir, "tmp"), 0o1777); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		"lib": 0o755, "lib/pharos": 0o755, "lib/pharos/conf": 0o700, "tmp": os.ModeSticky | 0o777,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode() &^ os.ModeDir; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// removable takes the flag of linux.KeepDirectory away.
func removable(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0); err != nil {
		t.Error(err)
	}
}

// TestBindPlacesGoesOn: a directory that cannot be made keeps no other from
// its place.
func TestBindPlacesGoesOn(t *testing.T) {
	root := t.TempDir()
	t.Cleanup(func() { removable(t, filepath.Join(root, Root, ownState)) })
	// A version before had its own state below /var.
	if err := os.MkdirAll(filepath.Join(root, Root, ownState, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/cni"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// A new home of root begins with what the image has; /opt is older.
	for path, text := range map[string]string{"image/root/.bashrc": "new", "image/opt/a": "new", Root + "/opt/a": "old"} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var bound []string
	err := bindPlaces(root, filepath.Join(root, "image"), func(_, target string) error {
		bound = append(bound, strings.TrimPrefix(target, root))
		if target == filepath.Join(root, "/home") {
			return errors.New("no")
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "/var/lib/cni") || !strings.Contains(err.Error(), "/home: no") {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"/home", "/root", "/srv", "/opt", "/usr/local", "/mnt", "/media", "/var", ownState, ownState + "/conf"}, bound); diff != "" {
		t.Error(diff)
	}
	if entries, err := os.ReadDir(filepath.Join(root, Root, ownState)); err != nil || len(entries) > 0 {
		t.Errorf("left below /var: %v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(root, Root, "pharos/conf")); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(root, Root, ownState)); err == nil && os.Geteuid() == 0 {
		t.Error("the mount point of the machine's own state can be removed")
	}
	for path, want := range map[string]string{"root/.bashrc": "new", "opt/a": "old"} {
		if text, err := os.ReadFile(filepath.Join(root, Root, path)); string(text) != want {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	if info, err := os.Stat(filepath.Join(root, Root, "root")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("root's home: %v", err)
	}
	if info, err := os.Stat(filepath.Join(root, "var/lib/kubelet")); err != nil || !info.IsDir() {
		t.Errorf("the other directories: %v", err)
	}
}

// TestFill: what the image has is copied with its modes and owners, and a copy
// that fails leaves nothing behind that would pass for one that is done.
func TestFill(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "image/root"), filepath.Join(dir, "root")
	made := map[string]os.FileMode{".": 0o700, ".ssh": 0o700, "bin": 0o755 | os.ModeSetgid, "tmp": 0o777 | os.ModeSticky}
	for name, mode := range made {
		if err := errors.Join(os.MkdirAll(filepath.Join(from, name), 0o755), os.Chmod(filepath.Join(from, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"key": 0o600, "bin/run": 0o755, "bin/suid": 0o755 | os.ModeSetuid, "readonly": 0o444} {
		if err := errors.Join(os.WriteFile(filepath.Join(from, name), []byte(name), 0o600), os.Chmod(filepath.Join(from, name), mode)); err != nil {
			t.Fatal(err)
		}
		made[name] = mode
	}
	if err := os.Symlink("/key", filepath.Join(from, "link")); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		for _, name := range []string{"bin", "bin/suid", "link"} {
			if err := os.Lchown(filepath.Join(from, name), 12, 34); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.Chmod(filepath.Join(from, "bin"), made["bin"]), os.Chmod(filepath.Join(from, "bin/suid"), made["bin/suid"])); err != nil {
			t.Fatal(err)
		}
	}
	if err := fill(to, from); err != nil {
		t.Fatal(err)
	}
	for name, mode := range made {
		a, errA := os.Lstat(filepath.Join(from, name))
		b, errB := os.Lstat(filepath.Join(to, name))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		was, is := a.Sys().(*syscall.Stat_t), b.Sys().(*syscall.Stat_t)
		if b.Mode()&^os.ModeDir != mode || was.Uid != is.Uid || was.Gid != is.Gid {
			t.Errorf("%s: %v %d:%d, want %v %d:%d", name, b.Mode(), is.Uid, is.Gid, mode, was.Uid, was.Gid)
		}
	}
	if text, err := os.ReadFile(filepath.Join(to, "bin/run")); string(text) != "bin/run" {
		t.Errorf("%q, %v", text, err)
	}
	if target, err := os.Readlink(filepath.Join(to, "link")); target != "/key" {
		t.Errorf("link to %q, %v", target, err)
	}
}

// TestFillAgain: a directory that could not be filled, on a full disk for
// instance, is filled at the next boot, and a user's is left alone.
func TestFillAgain(t *testing.T) {
	root := t.TempDir()
	t.Cleanup(func() { removable(t, filepath.Join(root, Root, ownState)) })
	write := func(path string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("new"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	image := filepath.Join(root, "image")
	write(filepath.Join(image, "root/.bashrc"))
	write(filepath.Join(image, "usr/local/a"))
	odd := filepath.Join(image, "root/pipe") // fails as a full disk does
	if err := unix.Mkfifo(odd, 0o600); err != nil {
		t.Fatal(err)
	}
	bound := map[string]bool{}
	bind := func(_, target string) error { bound[strings.TrimPrefix(target, root)] = true; return nil }
	if err := bindPlaces(root, image, bind); err == nil {
		t.Error("no error")
	}
	if _, err := os.Lstat(filepath.Join(root, Root, "root")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty home that stays: %v", err)
	}
	if bound["/root"] || !bound["/usr/local"] {
		t.Errorf("bound: %v", bound)
	}
	if _, err := os.Lstat(filepath.Join(root, Root, "root.new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a copy takes the room: %v", err)
	}
	if err := os.Remove(odd); err != nil {
		t.Fatal(err)
	}
	if err := bindPlaces(root, image, bind); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(root, Root, "root/.bashrc")); string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
}
