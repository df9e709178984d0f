package osconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const servicesPath = "rancher.services"

// coreServices are the services and milestones that every machine has,
// RancherOS's names for them included: files name them in links and labels.
func coreServices() []string {
	return []string{
		"acpid", "all-volumes", "cloud-init", "cloud-init-execute", "command-volumes", "console",
		"container-data-volumes", "coldplug", "docker", "kernel-extras", "logrotate", "media-volumes", "network",
		"network-online", "ntp", "preload-user-images", "state", "subscriber", "syslog", "system-cron",
		"system-volumes", "udev", "udev-cold", "udev-settled", "user-volumes", "userdocker",
	}
}

// optionalServices are those of RancherOS's catalogue: files give them
// environment whether or not they are on.
func optionalServices() []string {
	return []string{
		"amazon-ecs-agent", "amazon-metadata", "azure-identity", "container-cron", "docker-compose", "hyperv-vm-tools",
		"kernel-headers", "kernel-headers-system-docker", "modem-manager", "nvidia-driver", "open-iscsi",
		"open-vm-tools", "pingan-amc", "qemu-guest-agent", "rancher-server", "rancher-server-stable",
		"virtualbox-tools", "volume-cifs", "volume-efs", "volume-nfs", "waagent", "zfs",
	}
}

// services looks at rancher.services, and at what else names services.
func (r *referee) services(rancher *Node) {
	services := rancher.Child("services")
	known := map[string]bool{}
	for _, name := range append(coreServices(), optionalServices()...) {
		known[name] = true
	}
	// A definition that is fetched may bring any name.
	fetched := false
	if include := rancher.Child("services_include"); include != nil {
		for _, e := range include.Map {
			known[e.Key] = true
			if strings.Contains(e.Key, "/") {
				fetched = true
				r.report = append(r.report, problemAt(e.KeyPos, Warning, Unsupported, "rancher.services_include."+e.Key,
					"not carried out yet: definitions of services are not read from files or URLs; it has no effect"))
			}
		}
	}
	if services != nil {
		for _, e := range services.Map {
			known[e.Key] = true
		}
	}
	s := serviceNames{known: known, all: slices.Sorted(maps.Keys(known)), fetched: fetched}
	var edges []edge
	if services != nil {
		for _, e := range services.Map {
			if e.Value.IsNull() || e.Value.Kind != Map {
				continue
			}
			path := join(servicesPath, e.Key)
			r.service(e, path)
			edges = append(edges, r.needs(s, e, path)...)
		}
	}
	r.loops(edges, "it waits for itself to start: %s")
	r.otherNames(s, rancher)
}

// serviceNames are the names that a service may be called by.
type serviceNames struct {
	known   map[string]bool
	all     []string // the same, sorted
	fetched bool     // there are definitions that are not known here
}

// missing is what is wrong with a name of a service, "" when there is one.
func (r *referee) missing(s serviceNames, name string) string {
	if name == "" || s.known[name] || strings.Contains(name, "$") {
		return ""
	}
	return fmt.Sprintf("there is no service %s%s", quote(name), r.near(name, s.all))
}

// service looks at one service as a whole.
func (r *referee) service(e Entry, path string) {
	n := e.Value
	has := func(key string) bool { c := n.Child(key); return !c.IsNull() && (c.Text != "" || !c.Scalar()) }
	core := slices.Contains(coreServices(), e.Key)
	switch {
	case core:
		r.say(Warning, e.KeyPos, path, fmt.Sprintf("%s is a service of the system; its definition cannot be changed here", e.Key))
	case !has("image"):
		pos, where, text := e.KeyPos, path, "image is missing"
		if i := slices.IndexFunc(n.Map, isBuild); i >= 0 {
			pos, where, text = n.Map[i].KeyPos, join(path, n.Map[i].Key), nothingBuilt
		}
		r.say(Error, pos, where, text)
	}
	r.serviceMemory(n, path)
	net := textAt(n, "net")
	if other := textAt(n, "network_mode"); other != "" && net != "" && other != net {
		r.at(Error, path, n, "network_mode", "net says %s", net)
	} else if net == "" {
		net = other
	}
	if has("ports") && (net == "host" || net == "none" || strings.HasPrefix(net, "container:")) {
		r.at(Warning, path, n, "ports", "they have no effect with net: %s", net)
	}
	if has("mac_address") && (net == "host" || strings.HasPrefix(net, "container:")) {
		r.at(Warning, path, n, "mac_address", "it has no effect with net: %s", net)
	}
	restart := textAt(n, "restart")
	for _, label := range pairsOf(n.Child("labels")) {
		if label.Key == "io.rancher.os.detach" && label.Value.Text == "false" && (restart == "always" || restart == "unless-stopped") {
			r.at(Warning, path, n, "restart", "it never ends, and io.rancher.os.detach: false lets the boot wait for its end")
		}
	}
	r.ulimits(n.Child("ulimits"), path)
}

func (r *referee) serviceMemory(n *Node, path string) {
	limit, ok := bytesOf(textAt(n, "mem_limit"))
	swap, ok2 := bytesOf(textAt(n, "memswap_limit"))
	switch {
	case textAt(n, "memswap_limit") == "" || textAt(n, "memswap_limit") == "-1":
	case n.Child("mem_limit").IsNull():
		r.at(Error, path, n, "memswap_limit", "mem_limit is missing: it is memory and swap together")
	case ok && ok2 && swap > 0 && swap < limit:
		r.at(Error, path, n, "memswap_limit", "%s is less than mem_limit, %s; it is memory and swap together",
			textAt(n, "memswap_limit"), textAt(n, "mem_limit"))
	}
}

func (r *referee) ulimits(n *Node, path string) {
	if n.IsNull() || n.Kind != Map {
		return
	}
	for _, e := range n.Map {
		if e.Value.IsNull() || e.Value.Kind != Map {
			continue
		}
		here := join(join(path, "ulimits"), e.Key)
		var values [2]int
		complete := true
		for i, key := range []string{"soft", "hard"} {
			c := e.Value.Child(key)
			if c.IsNull() {
				r.say(Error, e.KeyPos, here, key+" is missing")
			}
			if _, err := fmt.Sscan(textAt(e.Value, key), &values[i]); err != nil {
				complete = false
			}
		}
		if complete && values[1] != -1 && (values[0] > values[1] || values[0] == -1) {
			r.at(Error, here, e.Value, "soft", "%d is more than hard, %d", values[0], values[1])
		}
	}
}

// needs checks the services that one names, and returns what it waits for.
func (r *referee) needs(s serviceNames, e Entry, path string) []edge {
	var out []edge
	wait := func(sev Severity, name string, n *Node, where string, first bool) {
		if problem := r.missing(s, name); problem != "" {
			if s.fetched {
				sev = Warning
			}
			r.say(sev, n.Pos, where, problem)
			return
		}
		if first {
			out = append(out, edge{e.Key, name, n, where})
		} else {
			out = append(out, edge{name, e.Key, n, where})
		}
	}
	for _, key := range []string{"links", "depends_on", "volumes_from"} {
		for i, n := range items(e.Value.Child(key)) {
			name, _, _ := strings.Cut(n.Text, ":")
			if key != "volumes_from" || name != "container" {
				wait(Error, name, n, fmt.Sprintf("%s.%s[%d]", path, key, i), true)
			}
		}
	}
	for _, key := range []string{"net", "network_mode", "pid", "ipc"} {
		if kind, name, ok := strings.Cut(textAt(e.Value, key), ":"); ok && (kind == "container" || kind == "service") {
			wait(Error, name, e.Value.Child(key), join(path, key), true)
		}
	}
	for _, label := range pairsOf(e.Value.Child("labels")) {
		after := label.Key == "io.rancher.os.after"
		if !after && label.Key != "io.rancher.os.before" || label.Value.IsNull() {
			continue
		}
		for name := range strings.SplitSeq(label.Value.Text, ",") {
			wait(Warning, strings.TrimSpace(name), label.Value, join(join(path, "labels"), label.Key), after)
		}
	}
	return out
}

// otherNames checks the services that are named elsewhere in rancher.
func (r *referee) otherNames(s serviceNames, rancher *Node) {
	for i, n := range items(rancher.Child("restart_services")) {
		if problem := r.missing(s, n.Text); problem != "" && !s.fetched {
			r.say(Warning, n.Pos, fmt.Sprintf("rancher.restart_services[%d]", i), problem)
		}
	}
	environment := rancher.Child("environment")
	if environment == nil {
		return
	}
	for _, e := range environment.Map {
		name, _, ok := strings.Cut(e.Key, "/")
		if problem := r.missing(s, name); ok && problem != "" && !s.fetched {
			r.say(Warning, e.KeyPos, join("rancher.environment", e.Key), problem)
		}
	}
}
