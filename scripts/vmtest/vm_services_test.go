package vmtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// capabilityNames are the kernel's, by number (include/uapi/linux/capability.h).
func capabilityNames() []string {
	return strings.Fields(`CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL
		CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST
		CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT
		CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME
		CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE
		CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF
		CAP_CHECKPOINT_RESTORE`)
}

// capabilities names the bits of a set as /proc prints it.
func capabilities(hex string) ([]string, error) {
	set, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return nil, fmt.Errorf("capability set: %w", err)
	}
	names := []string{}
	for bit, name := range capabilityNames() {
		if set&(1<<bit) != 0 {
			names = append(names, name)
			set &^= 1 << bit
		}
	}
	if set != 0 {
		return nil, fmt.Errorf("capability set %s has bits without a name", hex)
	}
	slices.Sort(names)
	return names, nil
}

func TestCapabilities(t *testing.T) {
	got, err := capabilities("0000000000000401")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"CAP_CHOWN", "CAP_NET_BIND_SERVICE"}, got); d != "" {
		t.Error(d)
	}
	all, err := capabilities("000001ffffffffff")
	if err != nil || len(all) != 41 {
		t.Errorf("%d capabilities, %v", len(all), err)
	}
}

// processSets are the capability sets of one process, as /proc/PID/status
// prints them.
type processSets struct{ pid, bnd, eff, prm, inh, amb string }

// testServices reads back what the system containers may do.
func testServices(t *testing.T, g *guest) {
	services := g.services(t)
	for _, name := range []string{"udev", "syslog", "ntp", "console", "docker"} {
		s, ok := services[name]
		if !ok || s.State != "running" || s.PID <= 0 {
			t.Errorf("service %s is %+v", name, s)
			continue
		}
		listed := slices.Sorted(slices.Values(s.Capabilities))
		// The console is the admin's room: its list names a use for each.
		if len(listed) >= len(capabilityNames()) && name != "console" {
			t.Errorf("%s lists every capability there is: that is privileged", name)
		}
		main := g.sets(t, fmt.Sprintf("/proc/%d/status", s.PID))
		if len(main) != 1 {
			t.Errorf("%s: main process %d has no status", name, s.PID)
			continue
		}
		bounding, err := capabilities(main[0].bnd)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(listed, bounding); d != "" {
			t.Errorf("%s: listed capabilities and those of process %d differ (-listed +has):\n%s", name, s.PID, d)
		}
		// Everybody else in its cgroup: children may have less, never more.
		for _, p := range g.sets(t, fmt.Sprintf("$(sed 's|.*|/proc/&/status|' /sys/fs/cgroup$(cut -d: -f3 /proc/%d/cgroup)/cgroup.procs)", s.PID)) {
			testSets(t, name, p, listed)
		}
	}
}

func testSets(t *testing.T, name string, p processSets, listed []string) {
	t.Helper()
	for _, set := range []string{p.bnd, p.eff, p.prm, p.inh, p.amb} {
		has, err := capabilities(set)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range has {
			if !slices.Contains(listed, c) {
				t.Errorf("%s: process %s has %s, which is not listed", name, p.pid, c)
			}
		}
	}
	if strings.Trim(p.amb, "0") != "" {
		t.Errorf("%s: process %s has ambient capabilities %s", name, p.pid, p.amb)
	}
}

// sets reads status files; a process that has ended meanwhile is left out.
func (g *guest) sets(t *testing.T, files string) []processSets {
	t.Helper()
	out := g.try(t, "sudo sh -c \"cat "+strings.ReplaceAll(files, "$", `\$`)+" 2>/dev/null\"").Stdout
	var list []processSets
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		if name == "Pid" {
			list = append(list, processSets{pid: value})
		}
		if len(list) == 0 {
			continue
		}
		p := &list[len(list)-1]
		switch name {
		case "CapBnd":
			p.bnd = value
		case "CapEff":
			p.eff = value
		case "CapPrm":
			p.prm = value
		case "CapInh":
			p.inh = value
		case "CapAmb":
			p.amb = value
		}
	}
	return list
}

func itoa(n int) string { return strconv.Itoa(n) }
