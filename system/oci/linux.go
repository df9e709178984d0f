package oci

import (
	"strconv"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/pharos-os/pharos/system/unit"
)

func namespaces(u unit.Unit) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	for _, n := range []struct {
		host bool
		kind specs.LinuxNamespaceType
	}{
		{u.HostPID, specs.PIDNamespace},
		{u.HostNet, specs.NetworkNamespace},
		{u.HostIPC, specs.IPCNamespace},
		{u.HostUTS, specs.UTSNamespace},
		{u.HostCgroupNS, specs.CgroupNamespace},
	} {
		if !n.host {
			list = append(list, specs.LinuxNamespace{Type: n.kind})
		}
	}
	return list
}

func resources(u unit.Unit, host Host) *specs.LinuxResources {
	r := &specs.LinuxResources{Devices: devices(u)}
	unified := map[string]string{}
	l := u.Limits
	if host.has("memory") {
		if l.MemoryMax > 0 {
			r.Memory = &specs.LinuxMemory{Limit: &l.MemoryMax}
		}
		if l.MemoryMin > 0 {
			unified["memory.min"] = strconv.FormatInt(l.MemoryMin, 10)
		}
	}
	if host.has("pids") && l.PidsMax > 0 {
		r.Pids = &specs.LinuxPids{Limit: &l.PidsMax}
	}
	if host.has("cpu") && l.CPUWeight > 0 {
		unified["cpu.weight"] = strconv.FormatUint(l.CPUWeight, 10)
	}
	if host.IOWeight && l.IOWeight > 0 {
		unified["io.weight"] = "default " + strconv.FormatUint(l.IOWeight, 10)
	}
	if len(unified) > 0 {
		r.Unified = unified
	}
	return r
}

// devices closes everything first; runc opens the standard pseudo devices
// (null, zero, full, random, urandom, tty, ptmx, pts) by itself.
func devices(u unit.Unit) []specs.LinuxDeviceCgroup {
	if u.AllDevices {
		return []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}
	list := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	for _, d := range u.Devices {
		rule := specs.LinuxDeviceCgroup{Allow: true, Type: d.Type, Access: d.Access}
		if d.Major >= 0 {
			rule.Major = &d.Major
		}
		if d.Minor >= 0 {
			rule.Minor = &d.Minor
		}
		list = append(list, rule)
	}
	return list
}

// syscallFilter is Docker's default profile for the unit's capabilities, for
// the machine's own architecture alone: the images hold no 32-bit programs,
// and each further architecture makes the filter longer to build and to pass.
func syscallFilter(s *specs.Spec) (*specs.LinuxSeccomp, error) {
	profile, err := seccomp.GetDefaultProfile(s)
	if err != nil {
		return nil, err
	}
	if len(profile.Architectures) > 1 {
		profile.Architectures = profile.Architectures[:1]
	}
	return profile, nil
}

// maskedPaths and readonlyPaths are the sets of the engines' default
// specification (containerd pkg/oci/spec.go).
func maskedPaths() []string {
	return []string{
		"/proc/acpi",
		"/proc/asound",
		"/proc/kcore",
		"/proc/keys",
		"/proc/latency_stats",
		"/proc/scsi",
		"/proc/timer_list",
		"/sys/devices/virtual/powercap",
		"/sys/firmware",
	}
}

func readonlyPaths() []string {
	return []string{
		"/proc/bus",
		"/proc/fs",
		"/proc/irq",
		"/proc/sys",
		"/proc/sysrq-trigger",
	}
}
