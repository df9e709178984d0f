package services

import (
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/unit"
)

// ChronySocket is chronyd's command socket as the machine sees it. chronyd
// makes the directory that it is in itself, with the owner and mode that it
// insists on; the mount is therefore one level up: the unit's whole /run.
const ChronySocket = "/run/pharos/ntp/chrony/chronyd.sock"

// defaultPool is asked when nobody names a time server. Debian lets its
// derivatives use it.
const defaultPool = "2.debian.pool.ntp.org"

// timeSources are chronyd's directives for the servers of a configuration. As
// arguments they are a part of the unit: with other servers it is another one
// and starts again.
func timeSources(c osconfig.NTP) []string {
	var list []string
	add := func(kind string, names []string) {
		for _, name := range names {
			if name != "" && !strings.ContainsAny(name, " \t\r\n#!;%") { // a directive is a line
				list = append(list, kind+" "+name+" iburst")
			}
		}
	}
	add("server", c.Servers)
	add("pool", c.Pools)
	if len(list) == 0 {
		add("pool", []string{defaultPool})
	}
	return list
}

// NTP is chronyd. It needs no network to start: it waits for one itself, so
// its being up never depends on a time server.
func NTP(m Machine, c osconfig.NTP) unit.Unit {
	return unit.Unit{
		Name:  "ntp",
		Image: "ntp",
		// -d keeps it in the foreground and logs to stderr, -u drops root for
		// the image's user, -F 1 installs its own, narrower syscall filter. "/"
		// is no pid file: it would always say 1, which is alive by definition,
		// and a killed chronyd's would refuse the next one.
		Args: append([]string{"/usr/sbin/chronyd", "-d", "-F", "1", "-u", "_chrony",
			"include /etc/chrony/chrony.conf", "pidfile /"}, timeSources(c)...),
		Env: m.zone(),
		Mounts: []unit.Mount{
			{Source: "/run/pharos/ntp", Target: "/run", Options: []string{"rw"}, Mkdir: 0o755},
			// Time sources that the manager writes (*.sources).
			{Source: "/run/pharos/chrony", Target: "/run/pharos/chrony", Options: []string{"ro"}, Mkdir: 0o755},
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
		Ready:       unit.Probe{File: ChronySocket, Timeout: 30 * time.Second},
		Restart:     unit.RestartAlways,
		StopTimeout: 5 * time.Second,
	}
}
