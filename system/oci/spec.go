// Package oci translates a unit into an OCI runtime specification and the
// mounts of its root. It is pure: it reads no file, and the same input gives
// the same output. It refuses "privileged": every capability, mount, namespace
// and device of the result is listed in the unit.
package oci

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/pharos-os/pharos/system/unit"
)

// groupAnnotation makes the runc shim serve all containers with the same value
// from one process (containerd cmd/containerd-shim-runc-v2/manager).
const groupAnnotation = "io.containerd.runc.v2.group"

// Host is what the machine can do; a limit that it cannot enforce is left out.
type Host struct {
	// Controllers are those of the cgroup2 root (cgroup.controllers); none on
	// a machine without the unified hierarchy.
	Controllers []string
	// IOWeight says that io.weight exists: the io controller alone is not
	// enough, the kernel also needs an I/O cost model.
	IOWeight bool
}

func (h Host) has(controller string) bool { return slices.Contains(h.Controllers, controller) }

// Spec translates a unit. The root is "rootfs" beside the specification:
// containerd mounts what Rootfs returns there.
func Spec(u unit.Unit, img ImageConfig, host Host) (*specs.Spec, error) {
	u = u.WithDefaults()
	if err := u.Validate(); err != nil {
		return nil, fmt.Errorf("unit %s: %w", u.Name, err)
	}
	process, err := process(u, img)
	if err != nil {
		return nil, fmt.Errorf("unit %s: %w", u.Name, err)
	}
	s := &specs.Spec{
		Version: specs.Version,
		Process: process,
		Root:    &specs.Root{Path: "rootfs"},
		Mounts:  mounts(u),
		Linux: &specs.Linux{
			Namespaces:  namespaces(u),
			CgroupsPath: "/" + u.Cgroup + "/" + u.Name,
			Resources:   resources(u, host),

			RootfsPropagation: propagation(u),
		},
	}
	if !u.HostUTS {
		s.Hostname = u.Name
	}
	if !u.HostPaths {
		s.Linux.MaskedPaths = maskedPaths()
		s.Linux.ReadonlyPaths = readonlyPaths()
	}
	if !u.SeccompUnconfined {
		if s.Linux.Seccomp, err = syscallFilter(s); err != nil {
			return nil, fmt.Errorf("unit %s: syscall filter: %w", u.Name, err)
		}
	}
	if u.Group != "" {
		s.Annotations = map[string]string{groupAnnotation: u.Group}
	}
	return s, nil
}

func process(u unit.Unit, img ImageConfig) (*specs.Process, error) {
	args, err := command(u.Args, img)
	if err != nil {
		return nil, err
	}
	user, err := user(img.User)
	if err != nil {
		return nil, err
	}
	cwd := img.WorkingDir
	if cwd == "" {
		cwd = "/"
	}
	caps := slices.Clone(u.Capabilities)
	slices.Sort(caps)
	oom := u.Limits.OOMScoreAdj // always said: what is inherited is the runtime's own
	p := &specs.Process{
		User: user,
		Args: args,
		Env:  environment(img, u.Env),
		Cwd:  cwd,
		Capabilities: &specs.LinuxCapabilities{
			Bounding:  caps,
			Effective: caps,
			Permitted: caps,
		},
		NoNewPrivileges: u.NoNewPrivileges,
		OOMScoreAdj:     &oom,
	}
	if n := u.Limits.NoFile; n > 0 {
		p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: n, Soft: n}}
	}
	return p, nil
}

// ExecProcess is a further process in the unit's container: like its first one,
// with other arguments.
func ExecProcess(u unit.Unit, img ImageConfig, args []string) (*specs.Process, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("unit %s: no command", u.Name)
	}
	u.Args = args
	p, err := process(u.WithDefaults(), img)
	if err != nil {
		return nil, fmt.Errorf("unit %s: %w", u.Name, err)
	}
	return p, nil
}
