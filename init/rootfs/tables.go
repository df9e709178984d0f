package rootfs

import "golang.org/x/sys/unix"

const (
	kernelFS = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	noDevSet = unix.MS_NOSUID | unix.MS_NODEV
)

// Initramfs is what stage 1 needs; the mounts move on into the system image.
func Initramfs() []Row {
	return []Row{
		Mount{Source: "proc", Target: "/proc", Type: "proc", Flags: kernelFS},
		Mount{Source: "sysfs", Target: "/sys", Type: "sysfs", Flags: kernelFS},
		Mount{Source: "devtmpfs", Target: "/dev", Type: "devtmpfs", Flags: unix.MS_NOSUID, Data: "mode=0755"},
		Mount{Source: "tmpfs", Target: "/run", Type: "tmpfs", Flags: noDevSet, Data: "mode=0755"},
		// The kernel hurries RCU until it starts init, and so do we until the
		// manager says ready: mounts, cgroups and namespaces wait for it, and
		// a boot makes hundreds (a fifth of the time to the engine, measured).
		Write{Path: "/sys/kernel/rcu_expedited", Text: "1", May: true},
		// Huge pages only for who asks: unasked, they held 45 of the 80 MB that
		// the machine's own programs had at idle.
		Write{Path: "/sys/kernel/mm/transparent_hugepage/enabled", Text: "madvise", May: true},
		// Of its own, so that the user engine, which has the machine's /run,
		// has nothing of the system's but what is bound on the directories
		// below, which nobody else sees.
		Dir{Path: "/run/pharos/etc", Mode: 0o755},
		Dir{Path: "/run/pharos/syslog", Mode: 0o755},
		Dir{Path: "/run/pharos/engine", Mode: 0o755},
		Keep{Path: "/run/pharos/etc"},
		Keep{Path: "/run/pharos/syslog"},
		Keep{Path: "/run/pharos/engine"},
		Keep{Path: "/run/pharos"},
		Mount{Source: "tmpfs", Target: "/run/pharos", Type: "tmpfs", Flags: noDevSet, Data: "mode=0755"},
		Dir{Path: Sysroot, Mode: 0o755},
	}
}

// System is what PID 1 adds once it runs from the system image. Sizes are
// bounds, not reservations.
func System() []Row {
	return []Row{
		// Shared, so that what the manager mounts later appears in the
		// containers that bind /run or /mnt, and the other way about.
		Mount{Source: "none", Target: "/", Flags: unix.MS_REC | unix.MS_SHARED},
		Mount{Source: "tmpfs", Target: "/etc", Type: "tmpfs", Flags: noDevSet, Data: "mode=0755,size=16m"},
		Mount{Source: "tmpfs", Target: "/tmp", Type: "tmpfs", Flags: noDevSet, Data: "mode=1777,size=25%"},
		Mount{Source: "tmpfs", Target: "/mnt", Type: "tmpfs", Flags: noDevSet, Data: "mode=0755,size=1m"},
		Mount{Source: "tmpfs", Target: "/media", Type: "tmpfs", Flags: noDevSet, Data: "mode=0755,size=1m"},
		Mount{Source: "tmpfs", Target: "/root", Type: "tmpfs", Flags: noDevSet, Data: "mode=0700,size=16m"},
		Mount{Source: "devpts", Target: "/dev/pts", Type: "devpts", Flags: unix.MS_NOSUID | unix.MS_NOEXEC, Data: "ptmxmode=0666,mode=0620,gid=5"},
		Mount{Source: "tmpfs", Target: "/dev/shm", Type: "tmpfs", Flags: noDevSet, Data: "mode=1777"},
		Mount{Source: "mqueue", Target: "/dev/mqueue", Type: "mqueue", Flags: kernelFS, May: true},
		// favordynmods: starting a process in its cgroup must not wait for RCU.
		Mount{Source: "cgroup2", Target: Cgroup, Type: "cgroup2", Flags: kernelFS, Data: "nsdelegate,memory_recursiveprot,favordynmods"},
		// What systemd mounts on every machine, for tools and containers that look
		// at the kernel.
		Mount{Source: "hugetlbfs", Target: "/dev/hugepages", Type: "hugetlbfs", Flags: noDevSet, May: true},
		Mount{Source: "debugfs", Target: "/sys/kernel/debug", Type: "debugfs", Flags: kernelFS, May: true},
		Mount{Source: "tracefs", Target: "/sys/kernel/tracing", Type: "tracefs", Flags: kernelFS, May: true},
		Mount{Source: "securityfs", Target: "/sys/kernel/security", Type: "securityfs", Flags: kernelFS, May: true},
		Mount{Source: "bpf", Target: "/sys/fs/bpf", Type: "bpf", Flags: kernelFS, Data: "mode=0700", May: true},
		Link{Target: "/proc/self/fd", Path: "/dev/fd"},
		Link{Target: "/proc/self/fd/0", Path: "/dev/stdin"},
		Link{Target: "/proc/self/fd/1", Path: "/dev/stdout"},
		Link{Target: "/proc/self/fd/2", Path: "/dev/stderr"},
		Dir{Path: "/run/lock", Mode: 0o1777},
		// Logins need it; sshd wants it empty.
		Dir{Path: "/run/sshd", Mode: 0o755},
		Keep{Path: "/run/sshd"},
		// Of its own for the same reason: containers read it and only udev writes.
		Dir{Path: "/run/udev", Mode: 0o755},
		Keep{Path: "/run/udev"},
		Mount{Source: "tmpfs", Target: "/run/udev", Type: "tmpfs", Flags: noDevSet | unix.MS_NOEXEC, Data: "mode=0755,size=64m"},
		// Inherited by the manager; the containers get values of their own.
		Write{Path: "/proc/self/oom_score_adj", Text: "-999", May: true},
	}
}

// Where things are that others need, too.
const (
	Sysroot = "/sysroot"       // the system image in stage 1
	Cgroup  = "/sys/fs/cgroup" // of the cgroup2 hierarchy
)
