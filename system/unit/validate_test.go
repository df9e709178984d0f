package unit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValidateAccepts(t *testing.T) {
	u := Unit{
		Name: "ntp", Image: "ntp", Args: []string{"/usr/sbin/chronyd", "-d"}, Env: []string{"A=", "B=c=d"},
		Mounts: []Mount{
			{Source: "/run/pharos/etc", Target: "/run/pharos/etc", Options: []string{"ro"}, Mkdir: 0o755},
			{Source: "tmpfs", Target: "/tmp", Type: "tmpfs"},
		},
		Capabilities: []string{"CAP_SYS_TIME"},
		Devices:      []Device{{Type: "c", Major: 10, Minor: -1, Access: "rw"}},
		Limits:       Limits{MemoryMin: 1, MemoryMax: 2, CPUWeight: 10000, OOMScoreAdj: -1000},
		Cgroup:       "system",
		Ready:        Probe{Socket: "/run/x", HTTP: "/_ping"},
		Health:       Probe{TCP: "127.0.0.1:22", Banner: "SSH-"},
		Restart:      RestartNever, StopSignal: "SIGRTMIN+3", Group: "core",
	}
	if err := u.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := u.WithDefaults().Validate(); err != nil {
		t.Fatal(err)
	}
	if err := (Unit{Name: "a"}).Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestValidateRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		unit Unit
		want string // the field that the problem begins with
	}{
		"no name":         {Unit{}, "name:"},
		"name path":       {Unit{Name: "../x"}, "name:"},
		"name upper":      {Unit{Name: "Ntp"}, "name:"},
		"image path":      {Unit{Name: "a", Image: "a/b"}, "image:"},
		"empty command":   {Unit{Name: "a", Args: []string{""}}, "args:"},
		"env":             {Unit{Name: "a", Env: []string{"A=1", "B"}}, "env[1]:"},
		"mount target":    {Unit{Name: "a", Mounts: []Mount{{Source: "/a", Target: "a"}}}, "mounts[0]:"},
		"mount root":      {Unit{Name: "a", Mounts: []Mount{{Source: "/a", Target: "/"}}}, "mounts[0]:"},
		"mount dots":      {Unit{Name: "a", Mounts: []Mount{{Source: "/a/../b", Target: "/a"}}}, "mounts[0]:"},
		"mount except":    {Unit{Name: "a", Mounts: []Mount{{Source: "/a", Target: "/a", Except: []string{"/a/b"}}}}, "mounts[0]:"},
		"mount elsewhere": {Unit{Name: "a", Mounts: []Mount{{Source: "/a", Target: "/a", Options: []string{"bind"}, Except: []string{"/b"}}}}, "mounts[0]:"},
		"mount twice":     {Unit{Name: "a", Mounts: []Mount{{Source: "/a", Target: "/a"}, {Source: "/b", Target: "/a"}}}, "mounts[1]:"},
		"capability":      {Unit{Name: "a", Capabilities: []string{"SYS_ADMIN"}}, "capabilities[0]:"},
		"capability all":  {Unit{Name: "a", Capabilities: []string{"ALL"}}, "capabilities[0]:"},
		"device type":     {Unit{Name: "a", Devices: []Device{{Type: "a", Access: "r"}}}, "devices[0]:"},
		"device access":   {Unit{Name: "a", Devices: []Device{{Type: "c", Access: "x"}}}, "devices[0]:"},
		"devices and all": {Unit{Name: "a", AllDevices: true, Devices: []Device{{Type: "c", Access: "r"}}}, "devices:"},
		"memory":          {Unit{Name: "a", Limits: Limits{MemoryMin: 3, MemoryMax: 2}}, "limits:"},
		"weight":          {Unit{Name: "a", Limits: Limits{IOWeight: 10001}}, "limits:"},
		"oom":             {Unit{Name: "a", Limits: Limits{OOMScoreAdj: -1001}}, "limits:"},
		"cgroup":          {Unit{Name: "a", Cgroup: "other"}, "cgroup:"},
		"two probes":      {Unit{Name: "a", Ready: Probe{Exit: true, File: "/a"}}, "ready:"},
		"http alone":      {Unit{Name: "a", Ready: Probe{HTTP: "/"}}, "ready:"},
		"health exit":     {Unit{Name: "a", Health: Probe{Exit: true}}, "health:"},
		"restart":         {Unit{Name: "a", Restart: "sometimes"}, "restart:"},
		"signal":          {Unit{Name: "a", StopSignal: "15"}, "stopSignal:"},
		"group":           {Unit{Name: "a", Group: "/"}, "group:"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.unit.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got %v, want a problem with %s", err, c.want)
			}
		})
	}
}

func TestValidateReportsEverything(t *testing.T) {
	err := Unit{Env: []string{"x"}, Cgroup: "y"}.Validate()
	if n := strings.Count(err.Error(), "\n") + 1; n != 3 {
		t.Fatalf("%d problems, want 3: %v", n, err)
	}
}

func TestWithDefaults(t *testing.T) {
	got := Unit{Name: "ntp", Health: Probe{File: "/x"}}.WithDefaults()
	want := Unit{
		Name: "ntp", Image: "ntp", Restart: RestartAlways, Cgroup: "system",
		StopSignal: "SIGTERM", StopTimeout: 10 * time.Second,
		Ready:  Probe{Timeout: time.Minute},
		Health: Probe{File: "/x", Timeout: 30 * time.Second}, HealthEvery: 30 * time.Second,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(got, got.WithDefaults()); d != "" {
		t.Error("not idempotent:", d)
	}
}
