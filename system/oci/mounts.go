package oci

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/pharos-os/pharos/system/unit"
)

// Rootfs is the one mount of a unit's root: lower is the image's tree, upper
// and work are directories of one writable file system.
func Rootfs(lower, upper, work string) specs.Mount {
	return specs.Mount{
		Type:    "overlay",
		Source:  "overlay",
		Options: []string{"lowerdir=" + lower, "upperdir=" + upper, "workdir=" + work},
	}
}

// LentRoot is the one mount of a unit whose root the machine lends.
func LentRoot(dir string) specs.Mount {
	return specs.Mount{Type: "bind", Source: dir, Options: []string{"bind", "rw"}}
}

// mounts are the standard ones and the unit's, in the order in which they must
// be made: a mount on a target comes after those on its parents, and the
// unit's replaces a standard one on the same target.
func mounts(u unit.Unit) []specs.Mount {
	list := standardMounts(u)
	for _, m := range u.Mounts {
		list = slices.DeleteFunc(list, func(s specs.Mount) bool { return s.Destination == m.Target })
		list = append(list, mount(m))
	}
	slices.SortStableFunc(list, func(a, b specs.Mount) int {
		return strings.Count(a.Destination, "/") - strings.Count(b.Destination, "/")
	})
	return list
}

func mount(m unit.Mount) specs.Mount {
	out := specs.Mount{Destination: m.Target, Type: m.Type, Source: m.Source, Options: slices.Clone(m.Options)}
	if m.Type != "" && m.Type != "bind" {
		return out
	}
	out.Type = "bind"
	if !slices.Contains(out.Options, "bind") && !slices.Contains(out.Options, "rbind") {
		out.Options = append([]string{"rbind"}, out.Options...)
	}
	return out
}

// propagation is what the root must be so that the mounts' own propagation
// works: a mount can share with the machine only below a shared root.
func propagation(u unit.Unit) string {
	all := ""
	for _, m := range u.Mounts {
		if slices.Contains(m.Options, "rshared") || slices.Contains(m.Options, "shared") {
			return "shared"
		}
		if slices.Contains(m.Options, "rslave") || slices.Contains(m.Options, "slave") {
			all = "rslave"
		}
	}
	if u.HostDev {
		all = "rslave"
	}
	return all
}

func standardMounts(u unit.Unit) []specs.Mount {
	list := []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}}}
	if u.HostDev {
		list = append(list, specs.Mount{Destination: "/dev", Type: "bind", Source: "/dev", Options: []string{"rbind", "rw", "nosuid", "rslave"}})
	} else {
		list = append(list,
			specs.Mount{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=64k"}},
			specs.Mount{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			specs.Mount{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=64m"}},
			specs.Mount{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		)
	}
	return append(list,
		specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", access(u.WritableSys)}},
		specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", access(u.WritableCgroup)}},
		specs.Mount{Destination: "/run", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "mode=755", "size=16m"}},
	)
}

func access(writable bool) string {
	if writable {
		return "rw"
	}
	return "ro"
}
