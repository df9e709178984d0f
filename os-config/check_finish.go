package osconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Checks of what happens when the boot is done, and of CoreOS's units.

func powerState(n *Node) []finding {
	var out found
	switch mode := textAt(n, "mode"); {
	case n.Child("mode").IsNull():
		if len(n.Map) > 0 {
			out.missing("mode", ": poweroff, reboot or halt")
		}
	case !slices.Contains([]string{"poweroff", "reboot", "halt"}, mode):
		out.wrong("mode", fmt.Sprintf("%s is not one of: poweroff, reboot, halt", quote(mode)))
	}
	if delay := textAt(n, "delay"); delay != "" && delay != "now" {
		minutes, err := strconv.Atoi(strings.TrimPrefix(delay, "+"))
		if err != nil || minutes < 0 {
			out.wrong("delay", fmt.Sprintf("%s is no delay: \"now\", or minutes like \"+5\"", quote(delay)))
		}
	}
	if t := n.Child("timeout"); t != nil && strings.HasPrefix(t.Text, "-") {
		out.wrong("timeout", t.Text+" is no number of seconds")
	}
	if c := n.Child("condition"); !c.IsNull() && c.Scalar() && strings.TrimSpace(c.Text) == "" {
		out.wrong("condition", "an empty command; write true, false or a command")
	}
	return out
}

func phoneHome(n *Node) []finding {
	var out found
	url := textAt(n, "url")
	switch {
	case url == "" && len(n.Map) > 0:
		out.missing("url", "")
	case url != "":
		out.wrong("url", webURL(strings.ReplaceAll(url, "$INSTANCE_ID", "x")))
	}
	post := n.Child("post")
	if !post.IsNull() {
		items := post.List
		if post.Scalar() {
			items = []*Node{post}
		}
		fields := []string{"pub_key_rsa", "pub_key_ecdsa", "pub_key_ed25519", "instance_id", "hostname", "fqdn"}
		for _, item := range items {
			switch {
			case item.IsNull() || !item.Scalar() || slices.Contains(fields, item.Text):
			case item.Text == "all" && len(items) == 1:
			case item.Text == "all":
				out.conflict(Error, item, "\"all\" stands alone, not among others")
			case item.Text == "pub_key_dsa":
				out.conflict(Warning, item, "there is no DSA key; the field is not posted")
			default:
				out.conflict(Error, item, fmt.Sprintf("%s is no field: all, or %s", quote(item.Text), strings.Join(fields, ", ")))
			}
		}
	}
	if t := n.Child("tries"); t != nil && t.Kind == Int {
		out.wrong("tries", zeroOr(1, 100)(t.Text))
	}
	return out
}

func manageEtcHosts(n *Node) []finding {
	switch strings.ToLower(n.Text) {
	case "true", "yes", "on", "localhost", "template", "":
		return nil
	case "false", "no", "off":
		return doubtful("it has no effect: Pharos always keeps /etc/hosts, because names of containers stand there")
	}
	return wrong(fmt.Sprintf("%s is not one of: true, false, localhost, template", quote(n.Text)))
}

// unitEntry checks one unit; content is what checks the text of unit files.
func unitEntry(content UnitChecker) func(n *Node) []finding {
	return func(n *Node) []finding {
		var out found
		name := textAt(n, "name")
		if n.Child("name").IsNull() {
			out.missing("name", "")
		} else {
			out.wrong("name", unitName(name))
		}
		commands := []string{
			"", "start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "reload-or-try-restart",
		}
		if command := textAt(n, "command"); !slices.Contains(commands, command) {
			out.wrong("command", fmt.Sprintf("%s is no command: %s", quote(command), strings.Join(commands[1:], ", ")))
		}
		drops := childList(n, "drop_ins")
		if saysYes(n.Child("mask")) && textAt(n, "content") != "" {
			out.conflict(Warning, n.Child("mask"), "content has no effect: a masked unit does not start")
		}
		content := content
		if name != "" && unitName(name) != "" {
			content = nil // one of another type is read by other rules
		}
		out = append(out, unitContent(content, name, n.Child("content"))...)
		seen := map[string]bool{}
		for _, d := range drops {
			drop := d.Child("name")
			if drop.IsNull() {
				continue
			}
			if seen[drop.Text] {
				out.conflict(Error, drop, fmt.Sprintf("drop-in %s a second time", quote(drop.Text)))
			}
			seen[drop.Text] = true
			out = append(out, unitContent(content, name, d.Child("content"))...)
		}
		return out
	}
}

// unitList looks for units that come twice, and for those that are empty: an
// instance has the content of its template.
func unitList(n *Node) []finding {
	out := found(once("unit")(n))
	templates := map[string]bool{}
	for _, item := range n.List {
		if name := textAt(item, "name"); strings.Contains(name, "@.") && textAt(item, "content") != "" {
			templates[name] = true
		}
	}
	for _, item := range n.List {
		name := textAt(item, "name")
		prefix, instance, _ := strings.Cut(name, "@")
		kind := instance[strings.LastIndexByte(instance, '.')+1:]
		empty := textAt(item, "content") == "" && len(childList(item, "drop_ins")) == 0 && !saysYes(item.Child("mask"))
		if empty && name != "" && unitName(name) == "" && !systemUnit(name) && !templates[prefix+"@."+kind] {
			out = append(out, finding{severity: Warning, kind: Value, node: item.Child("name"),
				text: name + " has no content, and the system has no unit of that name; it has no effect"})
		}
	}
	return out
}

// unitContent asks the checker about a text and maps its lines to the file's.
func unitContent(check UnitChecker, name string, n *Node) []finding {
	if check == nil || n.IsNull() || n.Text == "" {
		return nil
	}
	var out []finding
	for _, p := range check(name, n.Text) {
		out = append(out, finding{severity: p.Severity, kind: Value, node: n, pos: n.At(p.Line, p.Col), text: p.Text})
	}
	return out
}

func dropIn(n *Node) []finding {
	name := textAt(n, "name")
	switch {
	case n.Child("name").IsNull():
		return []finding{{severity: Error, kind: Value, lack: "name", text: "name is missing"}}
	case !strings.HasSuffix(name, ".conf") || !spelled(name, "A-Za-z0-9_", "A-Za-z0-9_.@-"):
		return []finding{{severity: Error, kind: Value, key: "name", text: fmt.Sprintf("%s is no drop-in; its name is like 10-more.conf", quote(name))}}
	case textAt(n, "content") == "":
		return []finding{{severity: Warning, kind: Value, text: "no content; it has no effect"}}
	}
	return nil
}

// unitName checks the name of a unit and says what to use for other types.
func unitName(s string) string {
	stem, kind := s, ""
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		stem, kind = s[:i], s[i+1:]
	}
	const supported = "units are NAME.service or NAME.timer"
	switch kind {
	case "service", "timer":
		if !spelled(stem, "A-Za-z0-9_", "A-Za-z0-9_.@:-") {
			return fmt.Sprintf("%s is no name of a unit; %s", quote(s), supported)
		}
		return ""
	case "mount", "automount":
		return fmt.Sprintf("units of the type .%s are not supported; use mounts (%s)", kind, supported)
	case "swap":
		return fmt.Sprintf("units of the type .swap are not supported; use swap or mounts (%s)", supported)
	case "network", "netdev", "link":
		return fmt.Sprintf("units of the type .%s are not supported; use rancher.network (%s)", kind, supported)
	case "socket", "path", "target", "slice", "scope", "device":
		return fmt.Sprintf("units of the type .%s are not supported: %s", kind, supported)
	}
	return fmt.Sprintf("%s has no type; %s", quote(s), supported)
}

// systemUnit says whether files of CoreOS may speak of a unit that they do
// not bring: here it runs by itself, or its key says what to do.
func systemUnit(name string) bool {
	return slices.Contains([]string{
		"docker.service", "docker.socket", "sshd.service", "ssh.service", "containerd.service", "ntpd.service",
		"chronyd.service", "systemd-timesyncd.service", "update-engine.service", "locksmithd.service",
		"systemd-networkd.service", "systemd-resolved.service", "network-online.service",
	}, name)
}

func rebootStrategy(n *Node) []finding {
	switch n.Text {
	case "", "off":
		return nil
	case "best-effort", "etcd-lock", "reboot":
		return doubtful("it has no effect: the system never reboots by itself")
	}
	return wrong(fmt.Sprintf("%s is not one of: off, reboot, best-effort, etcd-lock", quote(n.Text)))
}
