package unit

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Validate reports everything that is wrong with a unit, one joined error per
// problem, each beginning with the field. It looks at the unit alone: whether
// an image or a mount source exists is the machine's business.
func (u Unit) Validate() error {
	var c check
	c.require(validName(u.Name), "name", "%q is not [a-z][a-z0-9-]*, at most 63 long", u.Name)
	c.require(u.Image == "" || validName(u.Image), "image", "%q is not [a-z][a-z0-9-]*", u.Image)
	c.require(len(u.Args) == 0 || u.Args[0] != "", "args", "the command is empty")
	for i, e := range u.Env {
		name, _, ok := strings.Cut(e, "=")
		c.require(ok && name != "", field("env", i), "%q is not KEY=VALUE", e)
	}
	c.require(u.Root == "" || absolute(u.Root) && u.Root != "/", "root", "%q is not a clean absolute path", u.Root)
	c.require((u.Root == "") == (u.RootPeers == ""), "root", "a lent root needs the mount whose peers it joins")
	c.require(u.Root == "" || !u.Persist, "root", "a lent root has no layer of the unit's to persist")
	c.mounts(u.Mounts)
	c.capabilities(u.Capabilities)
	for i, d := range u.Devices {
		c.require(d.Type == "c" || d.Type == "b", field("devices", i), "type %q is neither c nor b", d.Type)
		c.require(d.Major >= -1 && d.Minor >= -1, field("devices", i), "number %d:%d is below -1", d.Major, d.Minor)
		c.require(d.Access != "" && strings.Trim(d.Access, "rwm") == "", field("devices", i), "access %q is not of rwm", d.Access)
	}
	c.require(!u.AllDevices || len(u.Devices) == 0, "devices", "a list makes no sense beside allDevices")
	c.limits(u.Limits)
	c.require(u.Cgroup == "" || u.Cgroup == "system" || u.Cgroup == "user", "cgroup", "%q is neither system nor user", u.Cgroup)
	c.require(!slices.Contains(u.Requires, ""), "requires", "a condition is empty")
	c.probe("ready", u.Ready)
	c.probe("health", u.Health)
	c.require(!u.Health.Exit, "health", "exit is a readiness check only")
	c.require(u.HealthEvery >= 0, "healthEvery", "%s is negative", u.HealthEvery)
	c.require(slices.Contains([]Restart{"", RestartAlways, RestartOnFailure, RestartNever}, u.Restart), "restart", "%q is not always, on-failure or never", u.Restart)
	_, err := Signal(u.StopSignal)
	c.require(u.StopSignal == "" || err == nil, "stopSignal", "%q is not a signal like SIGTERM or SIGRTMIN+3", u.StopSignal)
	c.require(u.StopTimeout >= 0, "stopTimeout", "%s is negative", u.StopTimeout)
	c.require(u.Group == "" || validName(u.Group), "group", "%q is not [a-z][a-z0-9-]*", u.Group)
	return errors.Join(c.problems...)
}

type check struct{ problems []error }

func (c *check) require(ok bool, field, format string, args ...any) {
	if !ok {
		c.problems = append(c.problems, fmt.Errorf("%s: "+format, append([]any{field}, args...)...))
	}
}

func (c *check) mounts(mounts []Mount) {
	seen := map[string]bool{}
	for i, m := range mounts {
		f := field("mounts", i)
		c.require(absolute(m.Target) && m.Target != "/", f, "target %q is not a clean absolute path", m.Target)
		c.require(!seen[m.Target], f, "target %s appears twice", m.Target)
		seen[m.Target] = true
		if m.Type == "" || m.Type == "bind" {
			c.require(absolute(m.Source), f, "source %q is not a clean absolute path", m.Source)
		} else {
			c.require(m.Mkdir == 0, f, "mkdir is for bind mounts")
		}
		c.require(len(m.Except) == 0 || slices.Contains(m.Options, "bind"), f, "except is for a bind of one mount")
		for _, path := range m.Except {
			c.require(absolute(path) && strings.HasPrefix(path, m.Source+"/"), f, "%q is not below the source", path)
		}
		c.require(m.Mkdir <= 0o7777, f, "mkdir 0o%o is no mode", m.Mkdir)
	}
}

func (c *check) capabilities(caps []string) {
	seen := map[string]bool{}
	for i, name := range caps {
		f := field("capabilities", i)
		c.require(slices.Contains(Capabilities(), name), f, "%q is no capability", name)
		c.require(!seen[name], f, "%s appears twice", name)
		seen[name] = true
	}
}

func (c *check) limits(l Limits) {
	c.require(l.MemoryMin >= 0 && l.MemoryMax >= 0 && l.PidsMax >= 0, "limits", "a limit is negative")
	c.require(l.MemoryMax == 0 || l.MemoryMin <= l.MemoryMax, "limits", "memoryMin %d is above memoryMax %d", l.MemoryMin, l.MemoryMax)
	c.require(l.CPUWeight <= 10000, "limits", "cpuWeight %d is above 10000", l.CPUWeight)
	c.require(l.IOWeight <= 10000, "limits", "ioWeight %d is above 10000", l.IOWeight)
	c.require(l.OOMScoreAdj >= -1000 && l.OOMScoreAdj <= 1000, "limits", "oomScoreAdj %d is not in -1000…1000", l.OOMScoreAdj)
}

func (c *check) probe(name string, p Probe) {
	kinds := 0
	for _, set := range []bool{p.Socket != "", p.TCP != "", p.File != "", p.Exit} {
		if set {
			kinds++
		}
	}
	c.require(kinds <= 1, name, "more than one check")
	c.require(p.HTTP == "" || p.Socket != "", name, "http without socket")
	c.require(p.HTTP == "" || strings.HasPrefix(p.HTTP, "/"), name, "http path %q does not begin with /", p.HTTP)
	c.require(p.Banner == "" || p.TCP != "", name, "banner without tcp")
	c.require(p.Socket == "" || absolute(p.Socket), name, "socket %q is not a clean absolute path", p.Socket)
	c.require(p.File == "" || absolute(p.File), name, "file %q is not a clean absolute path", p.File)
	c.require(p.Since == "" || absolute(p.Since), name, "since %q is not a clean absolute path", p.Since)
	c.require(p.Timeout >= 0, name, "timeout %s is negative", p.Timeout)
}

func field(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

func absolute(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// validName reports whether s may name a unit, an image or a group: it becomes
// a directory, a cgroup and a host name.
func validName(s string) bool {
	if s == "" || len(s) > 63 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
