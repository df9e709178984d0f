// Package console describes the console: the administrator's room, a
// container with the machine's process, network and IPC namespaces in which
// sshd and the gettys run. It refuses to prepare accounts and files: package
// setup does that, inside.
package console

import (
	"net"
	"strconv"
	"time"

	"github.com/pharos-os/pharos/console/setup"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/unit"
)

// Options is what the unit depends on.
type Options struct {
	SSH osconfig.SSH
	RAM int64 // bytes
	// LibModules binds the machine's kernel modules; false where it has none.
	LibModules bool
	// Root is the tree that the console shares with the engine, and RootPeers
	// the mount of it that both follow; empty is an overlay of its own.
	Root, RootPeers string
}

// oomScore is inherited by an administrator's shell and what it starts: it
// outlives a user's container (0), yet a leak in it is found long before any
// service. sshd lowers its own by itself.
const oomScore = -100

// Unit is the console. It waits for no network and no device manager: a
// shell on the serial line must be there when those are broken.
func Unit(o Options) unit.Unit {
	u := unit.Unit{
		Name:           "console",
		Image:          "console",
		Root:           o.Root,
		RootPeers:      o.RootPeers,
		RootBack:       o.RootPeers != "", // an administrator mounts for containers
		Args:           []string{"/usr/bin/ros-console"},
		Mounts:         mounts(),
		HostDev:        true, // terminals, disks: an administrator's tools
		WritableSys:    true, // sysfs attributes
		WritableCgroup: true, // look at and change every group
		HostPID:        true, // ps, kill and strace reach all of the machine
		HostNet:        true, // ip and sshd
		HostIPC:        true, // ipcs
		HostUTS:        true, // hostname
		HostCgroupNS:   true, // the whole tree, as the manager sees it
		Capabilities:   capabilities(),
		// The default filter takes keyctl, bpf, unshare, perf and mount from
		// programs that an administrator starts here on purpose.
		SeccompUnconfined: true,
		AllDevices:        true,
		HostPaths:         true, // /proc/sys for sysctl, nothing masked from root
		Limits: unit.Limits{
			// A runaway build in a shell must not push the services out.
			MemoryMax:   o.RAM / 4 * 3,
			OOMScoreAdj: oomScore,
			NoFile:      1 << 20,
		},
		Cgroup:   "system",
		Group:    unit.CoreGroup,
		Requires: []string{"state"},
		Ready:    ready(o.SSH),
		Restart:  unit.RestartAlways,
		// Units of coreos.units stop first, a `docker stop` takes ten seconds.
		StopTimeout: 20 * time.Second,
	}
	if o.LibModules {
		// For modprobe and modinfo; the verified root's own.
		u.Mounts = append(u.Mounts, unit.Mount{Source: "/usr/lib/modules", Target: "/usr/lib/modules", Options: []string{"ro"}})
	}
	return u
}

// mounts are the directories of the machine. rshared: what is mounted here or
// there appears on both sides.
func mounts() []unit.Mount {
	list := []unit.Mount{
		// The control socket, the engine's, the logs.
		{Source: "/run", Target: "/run", Options: []string{"rw", "rshared"}},
		{Source: "/tmp", Target: "/tmp", Options: []string{"rw", "nosuid", "nodev"}, Mkdir: 0o1777},
		// The machine's debugfs, tracefs, securityfs and bpf.
		{Source: "/sys/kernel", Target: "/sys/kernel", Options: []string{"rw", "rshared"}},
		{Source: "/sys/fs/bpf", Target: "/sys/fs/bpf", Options: []string{"rw", "rshared"}},
	}
	// What lasts. A set-user-ID file or a device that a container leaves there
	// gives nobody rights in the console.
	for _, dir := range osconfig.LastingDirectories() {
		list = append(list, unit.Mount{Source: dir, Target: dir, Options: []string{"rw", "rshared", "nosuid", "nodev"}, Mkdir: 0o755})
	}
	return list
}

// ready is sshd's banner; without sshd the setup's first status.
func ready(ssh osconfig.SSH) unit.Probe {
	if ssh.Daemon != nil && !*ssh.Daemon {
		return unit.Probe{File: setup.StatusPath, Timeout: 60 * time.Second}
	}
	port, host := ssh.Port, ssh.ListenAddress
	if port == 0 {
		port = 22
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return unit.Probe{TCP: net.JoinHostPort(host, strconv.Itoa(port)), Banner: "SSH-", Timeout: 60 * time.Second}
}

// capabilities is what an administrator needs: root here is root of the
// machine, and sudo is the way to it. It is listed all the same, so that a
// new kernel's capabilities are not handed out unseen.
func capabilities() []string {
	return []string{
		"CAP_AUDIT_CONTROL",      // the login uid that PAM sets
		"CAP_AUDIT_READ",         // watch audit events
		"CAP_AUDIT_WRITE",        // sshd, login and sudo record who came
		"CAP_BLOCK_SUSPEND",      // keep the machine awake
		"CAP_BPF",                // tracers
		"CAP_CHECKPOINT_RESTORE", // debuggers
		"CAP_CHOWN",              // home directories, write_files
		"CAP_DAC_OVERRIDE",       // root reads and writes everything
		"CAP_DAC_READ_SEARCH",    // backups by file handle
		"CAP_FOWNER",             // chmod of others' files
		"CAP_FSETID",             // set-id bits
		"CAP_IPC_LOCK",           // gpg, cryptsetup
		"CAP_IPC_OWNER",          // ipcrm
		"CAP_KILL",               // every process of the machine
		"CAP_LEASE",              // file servers
		"CAP_LINUX_IMMUTABLE",    // chattr
		"CAP_MAC_ADMIN",          // load a security policy
		"CAP_MAC_OVERRIDE",       // and repair under one
		"CAP_MKNOD",              // device nodes
		"CAP_NET_ADMIN",          // ip, nft, sysctl net.*
		"CAP_NET_BIND_SERVICE",   // sshd on 22
		"CAP_NET_BROADCAST",      // diagnosis
		"CAP_NET_RAW",            // ping, tcpdump
		"CAP_PERFMON",            // perf
		"CAP_SETFCAP",            // setcap
		"CAP_SETGID",             // become a user
		"CAP_SETPCAP",            // drop privileges
		"CAP_SETUID",             // become a user
		"CAP_SYSLOG",             // dmesg
		"CAP_SYS_ADMIN",          // mount, hostname, swapon, cgroups
		"CAP_SYS_BOOT",           // reboot -f when nothing else answers
		"CAP_SYS_CHROOT",         // sshd's separation, chroot
		"CAP_SYS_MODULE",         // modprobe
		"CAP_SYS_NICE",           // nice, taskset, ionice
		"CAP_SYS_PACCT",          // process accounting
		"CAP_SYS_PTRACE",         // strace, nsenter
		"CAP_SYS_RAWIO",          // smartctl, hdparm
		"CAP_SYS_RESOURCE",       // ulimit, quota, sshd's own OOM score
		"CAP_SYS_TIME",           // date, hwclock
		"CAP_SYS_TTY_CONFIG",     // agetty hangs a terminal up
		"CAP_WAKE_ALARM",         // rtcwake
	}
}
