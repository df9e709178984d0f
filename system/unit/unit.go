// Package unit says what a service is, as plain data: image, command, mounts,
// namespaces, capabilities, limits, restart policy, health check, conditions.
// It refuses to know how one is run: system/oci translates a Unit, system/ctrd
// executes it, system/supervise decides.
package unit

import "time"

// Unit describes one container that the manager runs.
type Unit struct {
	// Name is the unit's and its container's name: [a-z][a-z0-9-]*.
	Name string
	// Image names a core image: a tree /usr/lib/pharos/images/<Image>/rootfs
	// with its config.json beside it.
	Image string
	// Args is the command; empty takes the image's entrypoint and cmd.
	Args []string
	// Env is added to the image's environment, KEY=VALUE.
	Env []string

	// Root is a directory of the machine, a private mount of its own, that is
	// the container's root instead of an overlay on the image's tree.
	Root string
	// RootPeers is a shared mount of the same file system. What is mounted below
	// it appears in the container; with RootBack, what is mounted in the
	// container appears there, too.
	RootPeers string
	RootBack  bool
	// Persist keeps the upper layer of the root overlay in
	// /var/lib/pharos/units/<Name>; otherwise it is a tmpfs.
	Persist bool
	// Mounts besides the standard ones (proc, dev, sys, the overlay root).
	Mounts []Mount
	// Without are mount points that come with a bind of Mounts and are unmounted
	// again before the program starts. Inside nobody can get at them: what is
	// only covered by another mount, root uncovers.
	Without []string
	// HostDev binds the machine's /dev instead of a private minimal one.
	HostDev bool
	// WritableSys mounts /sys read-write (udev, engine).
	WritableSys bool
	// WritableCgroup mounts a writable cgroup2 at /sys/fs/cgroup.
	WritableCgroup bool

	// HostPID, HostNet, HostIPC, HostUTS share the machine's namespace;
	// false gives the unit its own. The mount namespace is always its own.
	HostPID, HostNet, HostIPC, HostUTS bool
	// HostCgroupNS shares the machine's cgroup namespace.
	HostCgroupNS bool

	// Capabilities is the whole bounding, permitted and effective set:
	// CAP_… names. Inheritable and ambient stay empty.
	Capabilities []string
	// NoNewPrivileges sets no_new_privs.
	NoNewPrivileges bool
	// SeccompUnconfined leaves the default syscall filter out; Why says why.
	SeccompUnconfined bool
	// AllDevices lets the device cgroup pass everything; otherwise only the
	// standard pseudo devices and those in Devices.
	AllDevices bool
	Devices    []Device
	// ReadonlyPaths and MaskedPaths are nil for the standard sets; HostPaths
	// leaves both out (console, engine).
	HostPaths bool

	Limits Limits
	// Cgroup is the parent below /sys/fs/cgroup: "system" or "user".
	Cgroup string

	// Requires are conditions that must hold before the unit starts; names
	// of the boot graph (network, containerd, udev-settled, syslog …).
	Requires []string
	// Ready says when a started unit counts as running.
	Ready Probe
	// Health, when set, is asked every HealthEvery while running; three
	// failures in a row restart the unit.
	Health      Probe
	HealthEvery time.Duration

	Restart Restart
	// StopSignal is sent first ("SIGTERM" when empty), SIGKILL after StopTimeout.
	StopSignal  string
	StopTimeout time.Duration
	// Group: units of one group share one containerd shim process.
	Group string
}

// CoreGroup is the group of the machine's small services and the console: a
// shim of its own for each would cost 7 MB and a second of two emulated CPUs.
// The engine is not in it: whatever ends that shim must not end users'
// containers, and the other way round.
const CoreGroup = "core"

// Mount is one mount of a unit.
type Mount struct {
	Source, Target string
	Type           string   // "" is bind
	Options        []string // e.g. "ro", "rslave", "rw"; bind mounts get rbind by default
	// Mkdir creates a missing source directory with this mode before start (0 = do not).
	Mkdir uint32
	// Except is for a bind of Source alone ("bind" in Options). If it is not empty,
	// what is mounted below Source when the unit starts comes as well, but for the
	// mounts at these paths and below them.
	Except []string
}

// Device is one allowed device node: "c 10:200 rwm" as type, major, minor, access.
type Device struct {
	Type         string // "c" or "b"
	Major, Minor int64  // -1 is any
	Access       string // of "rwm"
}

// Limits bounds what a unit takes. Zero leaves the kernel's default.
type Limits struct {
	MemoryMin, MemoryMax int64 // bytes
	PidsMax              int64
	CPUWeight            uint64 // 1–10000, default 100
	IOWeight             uint64 // 1–10000, default 100
	OOMScoreAdj          int    // -1000–1000
	NoFile               uint64 // RLIMIT_NOFILE, soft and hard
}

// Restart is a unit's restart policy.
type Restart string

const (
	RestartAlways    Restart = "always"     // whatever the exit code
	RestartOnFailure Restart = "on-failure" // exit code ≠ 0 or a signal
	RestartNever     Restart = "never"      // one-shot: exit 0 is success
)

// Probe is a readiness or health check. At most one check is set; the zero
// Probe means "as soon as the process runs".
type Probe struct {
	Socket  string        // a unix socket that accepts a connection (path on the host)
	TCP     string        // host:port that accepts a connection
	Banner  string        // with TCP: the first bytes that must arrive, "SSH-"
	HTTP    string        // path on Socket that answers 200, e.g. /_ping
	File    string        // a file that exists (path on the host)
	Exit    bool          // the process ended with code 0 (one-shot)
	Timeout time.Duration // until the unit counts as failed to start; 0 is 60 s
	// Since is a file (path on the host) without which the unit does nothing:
	// Timeout counts from when it exists. Empty is the unit's start.
	Since string
}

// IsZero reports whether no check is set.
func (p Probe) IsZero() bool { return p == Probe{Timeout: p.Timeout, Since: p.Since} }
