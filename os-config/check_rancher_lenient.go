package osconfig

import (
	"slices"
	"strings"
)

// What the boot leaves out when something below rancher is wrong.

// rancherUnit is unit below rancher; "" when the wrong value alone is left
// out. A rule of the firewall or a Wi-Fi network without its wrong part would
// be more open than was asked for, half a service is none.
func rancherUnit(at place) string {
	for _, list := range []string{".routes[]", ".peers[]", "rancher.network.rules[]", "rancher.network.firewall.allow[]"} {
		if !strings.HasPrefix(at.pattern, "rancher.network.") || !strings.Contains(at.pattern+".", list+".") {
			continue
		}
		open := strings.LastIndex(at.path, strings.TrimSuffix(list, "]"))
		if open < 0 {
			return ""
		}
		if end := strings.IndexByte(at.path[open:], ']'); end >= 0 {
			return at.path[:open+end+1]
		}
	}
	for _, section := range []string{"rancher.services", "rancher.network.wifi_networks", "rancher.registry_auths"} {
		rest, ok := strings.CutPrefix(at.pattern, section+".*.")
		if !ok {
			continue
		}
		key := rest[:strings.IndexAny(rest+".", ".[")]
		find := strings.LastIndex // names may hold dots and the words after them
		if strings.Contains(rest, "*") {
			find = strings.Index
		}
		if i := find(at.path[len(section):], "."+key); i > 0 {
			return at.path[:len(section)+i]
		}
	}
	return ""
}

// unguarded says which sockets of the engine are left out because what guards
// them is wrong, and reports it.
func unguarded(doc *Node, wrong []place) (path string, report Report) {
	const docker = "rancher.docker"
	guards := []string{"tls", "tls_args", "ca_cert", "server_cert", "server_key"}
	hit := slices.ContainsFunc(wrong, func(at place) bool {
		key, ok := strings.CutPrefix(at.pattern, docker+".")
		return ok && slices.Contains(guards, strings.TrimSuffix(key, "[]"))
	})
	host := doc.Child("rancher").Child("docker").Child("host")
	if !hit || host.IsNull() || !slices.ContainsFunc(items(host), func(n *Node) bool { return openToAll(n.Text) }) {
		return "", nil
	}
	return docker + ".host", Report{problemAt(host.Pos, Warning, Conflict, docker+".host",
		"left out, too: without tls whoever reaches the port is root on this machine")}
}
