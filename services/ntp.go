package services

import (
	"time"

	"github.com/pharos-os/pharos/services/chrony"
	"github.com/pharos-os/pharos/system/unit"
)

// NTP is chronyd. It needs no network to start: it waits for one itself, so
// its being up never depends on a time server. Its servers are not a part of
// the unit: package chrony tells it, also while it runs.
func NTP(m Machine) unit.Unit {
	return unit.Unit{
		Name:  "ntp",
		Image: "ntp",
		// -d keeps it in the foreground and logs to stderr, -u drops root for
		// the image's user, -F 1 installs its own, narrower syscall filter. "/"
		// is no pid file: it would always say 1, which is alive by definition,
		// and a killed chronyd's would refuse the next one.
		Args: []string{"/usr/sbin/chronyd", "-d", "-F", "1", "-u", "_chrony",
			"include /etc/chrony/chrony.conf", "pidfile /"},
		Env: m.zone(),
		Mounts: []unit.Mount{
			// chronyd makes its socket's directory itself, with the owner and
			// mode that it insists on: the mount is one level up. It has the
			// machine's name, too, for the paths that chronyd answers to.
			{Source: chrony.Run, Target: "/run", Options: []string{"rw"}, Mkdir: 0o755},
			{Source: chrony.Run, Target: chrony.Run, Options: []string{"rw"}, Mkdir: 0o755},
			{Source: chrony.SourceDir, Target: chrony.SourceDir, Options: []string{"ro"}, Mkdir: 0o755},
			// The drift file: the clock's error survives a reboot. One level
			// up, too: chronyd makes /var/lib/chrony and gives it to itself.
			{Source: "/var/lib/pharos/ntp", Target: "/var/lib", Options: []string{"rw"}, Mkdir: 0o755},
			etcMount(),
		},
		HostNet: true,
		Capabilities: []string{
			"CAP_SYS_TIME",         // set and slew the clock
			"CAP_NET_BIND_SERVICE", // part of the set that chronyd keeps when it drops root; it dies without
			"CAP_SETUID",           // become _chrony
			"CAP_SETGID",           // and its group
			"CAP_CHOWN",            // give it its socket directory and drift file
			"CAP_DAC_OVERRIDE",     // enter its 0750 directory before it drops root
		},
		NoNewPrivileges: true,
		// The hardware clock is set by the kernel (rtcsync), so no device.
		Limits: unit.Limits{
			MemoryMax:   64 * mib,
			PidsMax:     16,
			OOMScoreAdj: oomNTP,
		},
		Cgroup:      "system",
		Group:       unit.CoreGroup,
		Requires:    []string{NeedsState},
		Ready:       unit.Probe{File: chrony.Socket, Timeout: 30 * time.Second},
		Restart:     unit.RestartAlways,
		StopTimeout: 5 * time.Second,
	}
}
