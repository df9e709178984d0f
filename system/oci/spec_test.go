package oci

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/pharos-os/pharos/system/unit"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// units are shaped like the real ones, one per kind of translation; the
// services' own specifications have goldens beside them.
func units() []unit.Unit {
	return []unit.Unit{
		{Name: "plain"},
		{
			Name: "ntp", Args: []string{"/usr/sbin/chronyd", "-d"}, Env: []string{"TZ=UTC", "LANG=C.UTF-8"},
			HostNet: true, HostUTS: true, NoNewPrivileges: true, Group: "core",
			Capabilities: []string{"CAP_SYS_TIME", "CAP_NET_BIND_SERVICE", "CAP_SETUID"},
			Mounts:       []unit.Mount{{Source: "/run/pharos/etc", Target: "/run/pharos/etc", Options: []string{"ro"}}},
			Devices:      []unit.Device{{Type: "c", Major: 254, Minor: -1, Access: "rw"}},
			Limits:       unit.Limits{MemoryMin: 4 << 20, MemoryMax: 64 << 20, PidsMax: 32, CPUWeight: 200, IOWeight: 50, OOMScoreAdj: -900, NoFile: 1024},
		},
		{
			Name: "console", HostPID: true, HostNet: true, HostIPC: true, HostUTS: true, HostCgroupNS: true,
			HostDev: true, HostPaths: true, WritableSys: true, WritableCgroup: true, AllDevices: true, SeccompUnconfined: true,
			Capabilities: []string{"CAP_SYS_ADMIN", "CAP_CHOWN"},
			Mounts: []unit.Mount{
				{Source: "/run", Target: "/run", Options: []string{"rshared"}},
				{Source: "/lib/modules", Target: "/lib/modules", Options: []string{"bind", "ro"}},
				{Source: "tmpfs", Target: "/tmp", Type: "tmpfs", Options: []string{"mode=1777"}},
			},
			Cgroup: "user", Persist: true,
		},
	}
}

func image() ImageConfig {
	return ImageConfig{
		Env:        []string{"PATH=/usr/sbin:/usr/bin", "LANG=C"},
		Entrypoint: []string{"/entry"}, Cmd: []string{"arg"}, WorkingDir: "/root",
	}
}

func host() Host {
	return Host{Controllers: []string{"cpu", "io", "memory", "pids"}, IOWeight: true}
}

func TestSpecGolden(t *testing.T) {
	for _, u := range units() {
		t.Run(u.Name, func(t *testing.T) {
			s, err := Spec(u, image(), host())
			if err != nil {
				t.Fatal(err)
			}
			if s.Linux.Seccomp != nil { // hundreds of lines, tested below
				s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: s.Linux.Seccomp.DefaultAction, Architectures: s.Linux.Seccomp.Architectures}
			}
			got, err := json.MarshalIndent(s, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, u.Name+".json", append(got, '\n'))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs (run with -update if meant): %s", path, d)
	}
}

func TestSpecIsPure(t *testing.T) {
	for _, u := range units() {
		before, _ := json.Marshal(u)
		a, err := Spec(u, image(), host())
		if err != nil {
			t.Fatal(err)
		}
		b, _ := Spec(u, image(), host())
		if d := cmp.Diff(a, b); d != "" {
			t.Error("two translations differ:", d)
		}
		if after, _ := json.Marshal(u); string(before) != string(after) {
			t.Error("the unit was changed")
		}
	}
}

func TestCapabilitiesAreExactlyTheUnits(t *testing.T) {
	for _, u := range units() {
		s, err := Spec(u, image(), host())
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Sorted(slices.Values(u.Capabilities))
		c := s.Process.Capabilities
		for name, set := range map[string][]string{"bounding": c.Bounding, "effective": c.Effective, "permitted": c.Permitted} {
			if !slices.Equal(set, want) {
				t.Errorf("%s: %s set is %v, want %v", u.Name, name, set, want)
			}
		}
		if len(c.Inheritable)+len(c.Ambient) > 0 {
			t.Errorf("%s: inheritable or ambient capabilities", u.Name)
		}
	}
}

func TestSyscallFilterFollowsCapabilities(t *testing.T) {
	allows := func(u unit.Unit, syscall string) bool {
		s, err := Spec(u, image(), host())
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(s.Linux.Seccomp.Syscalls, func(r specs.LinuxSyscall) bool {
			return r.Action == specs.ActAllow && len(r.Args) == 0 && slices.Contains(r.Names, syscall)
		})
	}
	if !allows(unit.Unit{Name: "a"}, "openat") || allows(unit.Unit{Name: "a"}, "settimeofday") {
		t.Error("a unit without capabilities has the wrong filter")
	}
	if !allows(unit.Unit{Name: "a", Capabilities: []string{"CAP_SYS_TIME"}}, "settimeofday") {
		t.Error("CAP_SYS_TIME does not open settimeofday")
	}
}

func TestLimitsThatTheHostCannotEnforceAreLeftOut(t *testing.T) {
	u := unit.Unit{Name: "a", Limits: unit.Limits{MemoryMin: 1, MemoryMax: 2, PidsMax: 3, CPUWeight: 4, IOWeight: 5}}
	s, err := Spec(u, image(), Host{})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Linux.Resources
	if r.Memory != nil || r.Pids != nil || r.Unified != nil {
		t.Errorf("limits for a host without controllers: %+v", r)
	}
}

func TestMountOrder(t *testing.T) {
	u := unit.Unit{Name: "a", Mounts: []unit.Mount{
		{Source: "/x", Target: "/run/a/b"},
		{Source: "/y", Target: "/run"},
		{Source: "/z", Target: "/run/a"},
	}}
	s, err := Spec(u, image(), host())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for i, m := range s.Mounts {
		if _, twice := seen[m.Destination]; twice {
			t.Errorf("%s is mounted twice", m.Destination)
		}
		for target := range seen {
			if strings.HasPrefix(target, m.Destination+"/") {
				t.Errorf("%s is mounted over %s", m.Destination, target)
			}
		}
		seen[m.Destination] = i
	}
}

func TestSpecRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		unit unit.Unit
		img  ImageConfig
	}{
		"no command":   {unit.Unit{Name: "a"}, ImageConfig{}},
		"user name":    {unit.Unit{Name: "a"}, ImageConfig{Cmd: []string{"x"}, User: "chrony"}},
		"invalid unit": {unit.Unit{Name: "A"}, image()},
	} {
		if _, err := Spec(c.unit, c.img, host()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseImageConfig(t *testing.T) {
	want := ImageConfig{Env: []string{"A=1"}, Cmd: []string{"x"}, User: "1:2"}
	for _, doc := range []string{
		`{"architecture":"amd64","config":{"Env":["A=1"],"Cmd":["x"],"User":"1:2"},"rootfs":{}}`,
		`{"Env":["A=1"],"Cmd":["x"],"User":"1:2"}`,
	} {
		got, err := ParseImageConfig([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	if _, err := ParseImageConfig([]byte(`[`)); err == nil {
		t.Error("broken JSON accepted")
	}
}
