package coreunit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"
)

// Known says what a name of the system that units may wait for stands for
// here. Ready is true for those that hold before any unit starts.
type Known struct {
	Ready   bool
	Docker  bool // when the engine's socket answers
	Network bool // when there is a route to somewhere
}

// KnownUnit looks up a name that the system itself provides.
func KnownUnit(name string) (Known, bool) {
	switch name {
	case "docker.service", "docker.socket":
		return Known{Docker: true}, true
	case "network-online.target":
		return Known{Network: true}, true
	case "multi-user.target", "default.target", "graphical.target",
		"network.target", "network-pre.target", "basic.target", "sysinit.target", "local-fs.target", "local-fs-pre.target",
		"remote-fs.target", "remote-fs-pre.target", "swap.target", "paths.target", "sockets.target", "slices.target", "timers.target",
		"time-sync.target", "time-set.target", "nss-lookup.target", "nss-user-lookup.target", "getty.target", "rescue.target",
		"syslog.service", "syslog.socket", "syslog.target", "systemd-journald.service", "systemd-journald.socket", "systemd-udevd.service",
		"systemd-networkd.service", "systemd-networkd-wait-online.service", "systemd-resolved.service", "systemd-timesyncd.service",
		"systemd-sysctl.service", "systemd-modules-load.service", "systemd-tmpfiles-setup.service", "systemd-user-sessions.service",
		"sshd.service", "ssh.service", "sshd.socket", "containerd.service", "cloud-init.service", "cloud-final.service", "cloud-config.target",
		"user-config.target", "system-config.target", "chronyd.service", "ntpd.service", "ntp.service", "local-fs-ready.target":
		return Known{Ready: true}, true
	}
	return Known{}, false
}

// StartTarget says whether WantedBy= or RequiredBy= this starts a unit at
// boot.
func StartTarget(name string) bool {
	return slices.Contains([]string{"multi-user.target", "default.target", "graphical.target", "timers.target",
		"network-online.target", "network.target", "basic.target", "sysinit.target", "local-fs.target", "docker.service", "sockets.target"}, name)
}

// Template splits NAME@INSTANCE.TYPE; instance is empty for others.
func Template(name string) (template, instance string) {
	stem, kind := cutKind(name)
	prefix, instance, ok := strings.Cut(stem, "@")
	if !ok {
		return "", ""
	}
	return prefix + "@." + kind, instance
}

func cutKind(name string) (stem, kind string) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, ""
	}
	return name[:i], name[i+1:]
}

// specifiers replaces %-specifiers, see systemd.unit(5).
func (b *builder) specifiers(text string) (string, error) {
	if !strings.Contains(text, "%") {
		return text, nil
	}
	stem, _ := cutKind(b.unit.Name)
	prefix, instance, _ := strings.Cut(stem, "@")
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out.WriteByte(text[i])
			continue
		}
		i++
		if i == len(text) {
			return "", fmt.Errorf("a %% at the end; write %%%% for a percent sign")
		}
		s, ok := fixedSpecifier(text[i])
		switch text[i] {
		case 'n':
			s, ok = b.unit.Name, true
		case 'N':
			s, ok = stem, true
		case 'p':
			s, ok = prefix, true
		case 'P':
			s, ok = unit.UnitNameUnescape(prefix), true
		case 'i':
			s, ok = instance, true
		case 'I':
			s, ok = unit.UnitNameUnescape(instance), true
		case 'j':
			s, ok = prefix[strings.LastIndexByte(prefix, '-')+1:], true
		case 'H', 'l', 'q':
			s, ok = b.host.Hostname, true
		}
		if !ok {
			return "", fmt.Errorf("the specifier %%%c is not supported; write %%%% for a percent sign", text[i])
		}
		out.WriteString(s)
	}
	return out.String(), nil
}

// fixedSpecifier are those that are the same on every machine.
func fixedSpecifier(c byte) (string, bool) {
	switch c {
	case '%':
		return "%", true
	case 't':
		return "/run", true
	case 'S':
		return "/var/lib", true
	case 'C':
		return "/var/cache", true
	case 'L':
		return "/var/log", true
	case 'E':
		return "/etc", true
	case 'T':
		return "/tmp", true
	case 'V':
		return "/var/tmp", true
	case 'u', 'g':
		return "root", true
	case 'U', 'G':
		return "0", true
	case 'h':
		return "/root", true
	case 's':
		return "/bin/sh", true
	}
	return "", false
}
