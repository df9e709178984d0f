package rootfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func names(rows []Row) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.String())
	}
	return out
}

func TestTables(t *testing.T) {
	if diff := cmp.Diff([]string{
		"mount proc on /proc", "mount sysfs on /sys", "mount devtmpfs on /dev", "mount tmpfs on /run",
		`write "1" to /sys/kernel/rcu_expedited`,
		`write "madvise" to /sys/kernel/mm/transparent_hugepage/enabled`,
		"directory /run/pharos/etc 0755",
		"directory /run/pharos/syslog 0755",
		"directory /run/pharos/engine 0755",
		"keep directory /run/pharos/etc",
		"keep directory /run/pharos/syslog",
		"keep directory /run/pharos/engine",
		"keep directory /run/pharos",
		"mount tmpfs on /run/pharos", "directory /sysroot 0755",
	}, names(Initramfs())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"make mounts below / shared",
		"mount tmpfs on /etc", "mount tmpfs on /tmp", "mount tmpfs on /mnt", "mount tmpfs on /media", "mount tmpfs on /root",
		"mount devpts on /dev/pts", "mount tmpfs on /dev/shm", "mount mqueue on /dev/mqueue", "mount cgroup2 on /sys/fs/cgroup",
		"mount hugetlbfs on /dev/hugepages", "mount debugfs on /sys/kernel/debug", "mount tracefs on /sys/kernel/tracing",
		"mount securityfs on /sys/kernel/security", "mount bpf on /sys/fs/bpf",
		"link /dev/fd → /proc/self/fd", "link /dev/stdin → /proc/self/fd/0", "link /dev/stdout → /proc/self/fd/1", "link /dev/stderr → /proc/self/fd/2",
		"directory /run/lock 01777",
		"directory /run/sshd 0755",
		"keep directory /run/sshd",
		"directory /run/udev 0755",
		"keep directory /run/udev",
		"mount tmpfs on /run/udev",
		`write "-999" to /proc/self/oom_score_adj`,
	}, names(System())); diff != "" {
		t.Error(diff)
	}
}

func TestTableMountsAreBounded(t *testing.T) {
	for _, row := range System() {
		if m, ok := row.(Mount); ok && m.Type == "tmpfs" && m.Target != "/dev/shm" && !strings.Contains(m.Data, "size=") {
			t.Errorf("%s has no size", m)
		}
	}
}

func TestApply(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a/knob")
	rows := []Row{
		Dir{filepath.Join(dir, "a"), 0o1777},
		Link{"a", filepath.Join(dir, "link")},
		Write{Path: filepath.Join(dir, "none"), Text: "x", May: true},
		Link{"b", filepath.Join(dir, "missing/link")},
		Write{Path: file, Text: "new"},
	}
	if err := os.MkdirAll(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time everything is there
		fatal, tolerable := Apply(rows)
		if fatal == nil || !strings.HasPrefix(fatal.Error(), "link "+dir+"/missing") || strings.Contains(fatal.Error(), "\n") {
			t.Errorf("fatal: %v", fatal)
		}
		if tolerable == nil || !strings.Contains(tolerable.Error(), "none") {
			t.Errorf("tolerable: %v", tolerable)
		}
	}
	if text, err := os.ReadFile(file); string(text) != "new" || err != nil {
		t.Errorf("rows after a failed one: %q %v", text, err)
	}
	info, err := os.Stat(filepath.Join(dir, "link"))
	if err != nil || info.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Errorf("directory: %v %v", info.Mode(), err)
	}
}

func TestClearRefusesARealRoot(t *testing.T) {
	initramfs, err := InInitramfs()
	if err != nil {
		t.Fatal(err)
	}
	if initramfs {
		t.Skip("needs a machine whose root is no tmpfs")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "keep")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := clearInitramfs(dir); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
