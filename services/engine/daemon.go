package engine

import (
	"maps"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Inside the unit.
const (
	// Process 1 of the unit listens on it and hands it down.
	dockerSocket     = "unix://" + Socket
	containerdSocket = "/run/containerd/containerd.sock"
	// containersCgroup is the parent of user containers, in the unit's own
	// cgroup namespace; the supervisor makes it beside its own leaf.
	containersCgroup = "/containers"
)

// Daemon translates rancher.docker to dockerd's configuration file and the
// arguments that have no place in it. The names are those of
// github.com/moby/moby/v2 daemon/config. Everything that can be is in the
// file, for two reasons: dockerd refuses to start when one thing is said by
// file and by flag, and only what the file says (live-restore) can be changed
// while it runs, which an orderly stop needs. In a swarm dockerd accepts one
// firewall backend, and no live restore.
func Daemon(e osconfig.Engine, swarm bool) (config map[string]any, args []string) {
	config = map[string]any{
		"containerd":       containerdSocket,
		"exec-root":        "/run/docker",     // in the unit's /run: gone with the machine, not on disk
		"pidfile":          "/run/docker.pid", // removed by the supervisor before each start
		"data-root":        DataRoot(e, nil),
		"exec-opts":        []string{"native.cgroupdriver=cgroupfs"}, // there is no systemd
		"cgroup-parent":    containersCgroup,
		"firewall-backend": "nftables", // 0.4 s instead of 1.4 s for iptables at start, measured under emulation
		"group":            group(e),
		"live-restore":     e.LiveRestore == nil || *e.LiveRestore,
	}
	set(config, "bridge", e.Bridge)
	set(config, "bip", e.BIP)
	set(config, "storage-driver", storageDriver(e.StorageDriver))
	if e.Debug {
		config["debug"] = true
	}
	if e.UserlandProxy != nil {
		config["userland-proxy"] = *e.UserlandProxy
	}
	if len(e.InsecureRegistry) > 0 {
		config["insecure-registries"] = []string(e.InsecureRegistry)
	}
	if len(e.RegistryMirror) > 0 {
		config["registry-mirrors"] = []string(e.RegistryMirror)
	}
	logging(config, e)

	if swarm {
		config["firewall-backend"] = "iptables" // on nf_tables: the image has no other
		config["live-restore"] = false
		e.ExtraArgs, e.TLSArgs = allowedInSwarm(e.ExtraArgs), allowedInSwarm(e.TLSArgs)
	}

	hosts := append([]string{dockerSocket}, e.Host...)
	extra, more := takeFlag(e.ExtraArgs, hostFlag()...)
	// In the file: process 1 reads them there, for the root of containerd and
	// the group of the API socket.
	extra, _ = takeFlag(extra, dataRootFlag()...)
	extra, _ = takeFlag(extra, groupFlag()...)
	extra, own := takeFlag(extra, "--label")
	if !swarm {
		e.Swarm.Labels = nil
	}
	if list := labels(e.Swarm.Labels, own); len(list) > 0 {
		config["labels"] = list
	}
	config["hosts"] = normalHosts(append(hosts, more...))
	extra = append(tlsOptions(config, e), extra...)
	for _, arg := range extra {
		for _, key := range keysOf(arg) {
			delete(config, key)
		}
	}
	return config, extra
}

func set(config map[string]any, key, value string) {
	if value != "" {
		config[key] = value
	}
}

// labels are those of the engine: the swarm's, and own, which are flags and win.
// A constraint engine.labels.KEY of a service sees them on workers too, which may
// not label their own node. dockerd refuses two values for one key.
func labels(swarm map[string]string, own []string) []string {
	byKey := map[string]string{}
	for key, value := range swarm {
		byKey[key] = key + "=" + value
	}
	for _, label := range own {
		key, _, _ := strings.Cut(label, "=")
		byKey[key] = label
	}
	return slices.Sorted(maps.Values(byKey))
}

// allowedInSwarm drops flags that dockerd refuses to start with in a swarm.
func allowedInSwarm(args []string) []string {
	var list []string
	for i := 0; i < len(args); i++ {
		switch {
		case !osconfig.SwarmRefuses(args[i]):
			list = append(list, args[i])
		case args[i] == "--firewall-backend": // its value follows
			i++
		}
	}
	return list
}

// logging bounds container logs unless somebody chose otherwise: 25 MB twice
// for each container, as RancherOS had it.
func logging(config map[string]any, e osconfig.Engine) {
	config["log-driver"] = "json-file"
	config["log-opts"] = map[string]string{"max-size": "25m", "max-file": "2"}
	if e.LogDriver != "" && e.LogDriver != "json-file" {
		config["log-driver"] = e.LogDriver
		delete(config, "log-opts") // other drivers refuse these
	}
	if len(e.LogOpts) > 0 {
		config["log-opts"] = e.LogOpts
	}
}

// storageDriver drops the names of the old graph drivers that RancherOS's
// files carry: containerd's overlayfs replaced them, and dockerd finds data
// that was written by one of them by itself.
func storageDriver(name string) string {
	if name == "overlay" || name == "overlay2" {
		return ""
	}
	return name
}

// normalHosts writes /var/run as /run and drops what is said twice: dockerd
// would find its own socket in use.
func normalHosts(hosts []string) []string {
	var list []string
	for _, h := range hosts {
		h = strings.Replace(h, "unix:///var/run/", "unix:///run/", 1)
		if h != "" && !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	return list
}

// takeFlag takes a flag, in each of its spellings, out of args. names are its
// long name and, if it has one, its short one.
func takeFlag(args []string, names ...string) (rest, values []string) {
	for i := 0; i < len(args); i++ {
		at := slices.IndexFunc(names, func(name string) bool { _, ok := valueOf(args[i], name); return ok })
		switch {
		case slices.Contains(names, args[i]) && i+1 < len(args):
			i++
			values = append(values, args[i])
		case at >= 0:
			value, _ := valueOf(args[i], names[at])
			values = append(values, value)
		default:
			rest = append(rest, args[i])
		}
	}
	return rest, values
}

// valueOf is the value of --name=value, -n=value or -nvalue.
func valueOf(arg, name string) (value string, ok bool) {
	if value, ok = strings.CutPrefix(arg, name+"="); ok || strings.HasPrefix(name, "--") {
		return value, ok
	}
	value, ok = strings.CutPrefix(arg, name)
	return value, ok && value != ""
}

// flagOf is the last value of a flag in args; dockerd takes that one.
func flagOf(args []string, names ...string) string {
	_, values := takeFlag(args, names...)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func hostFlag() []string     { return []string{"--host", "-H"} }
func groupFlag() []string    { return []string{"--group", "-G"} }
func dataRootFlag() []string { return []string{"--data-root"} }

// keysOf names the keys of the file that say the same as a flag. Flags that
// may be repeated have a plural there.
func keysOf(arg string) []string {
	name, isLong := strings.CutPrefix(arg, "--")
	if !isLong {
		short := map[string]string{"-s": "storage-driver", "-b": "bridge", "-D": "debug", "-p": "pidfile"}
		if key, ok := short[strings.SplitN(arg, "=", 2)[0]]; ok {
			return []string{key}
		}
		return nil
	}
	name, _, _ = strings.Cut(name, "=")
	switch name {
	case "insecure-registry":
		return []string{"insecure-registries"}
	case "log-driver": // default options belong to the default driver
		return []string{"log-driver", "log-opts"}
	}
	return []string{name, name + "s"}
}
