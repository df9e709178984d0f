package services

import (
	"time"

	"github.com/pharos-os/pharos/system/unit"
)

// SyslogSocket is the unix datagram socket that rsyslogd makes; /dev/log of
// the machine and of every unit with the host's /dev is a symlink to it.
const SyslogSocket = "/run/pharos/syslog/log"

// Syslog is rsyslogd: everybody's /dev/log and the kernel's log go to
// /var/log/syslog of the machine.
func Syslog(m Machine) unit.Unit {
	return unit.Unit{
		Name:  "syslog",
		Image: "syslog",
		// No pid file: a stale one from a killed predecessor refuses the start.
		Args: []string{"/usr/sbin/rsyslogd", "-n", "-iNONE"},
		Env:  m.zone(),
		Mounts: []unit.Mount{
			// Only its own directory of /run: rsyslogd parses hostile input.
			{Source: "/run/pharos/syslog", Target: "/run/pharos/syslog", Options: []string{"rw"}, Mkdir: 0o755},
			{Source: "/var/log", Target: "/var/log", Options: []string{"rw"}, Mkdir: 0o755},
			etcMount(),
		},
		// /proc/kmsg is read once by one reader, so a restart repeats no line
		// and loses none; the manager reads /dev/kmsg and is not disturbed.
		Capabilities: []string{
			"CAP_SYSLOG", // open /proc/kmsg
		},
		HostNet:         true, // remote targets (*.* @host) that an admin adds
		HostUTS:         true, // every line carries the machine's name, also after it changes
		NoNewPrivileges: true,
		Limits: unit.Limits{
			MemoryMax:   128 * mib,
			PidsMax:     64,
			OOMScoreAdj: oomSyslog,
		},
		Cgroup:      "system",
		Group:       unit.CoreGroup,
		Requires:    []string{NeedsState},
		Ready:       unit.Probe{File: SyslogSocket, Timeout: 30 * time.Second},
		Restart:     unit.RestartAlways,
		StopTimeout: 5 * time.Second,
	}
}
