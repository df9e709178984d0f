// Package engine describes the user container engine: the unit that holds it,
// the configuration of its daemon and the kernel modules that it needs. It
// refuses to run anything; what runs inside the unit is package supervisor.
package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/unit"
)

// Socket is the engine's API socket.
const Socket = "/run/docker.sock"

// Home is where the engine's programs are in the unit: the image's tree, on
// the verified system image. The rest of the unit's root is the console's.
const Home = "/usr/lib/pharos/engine"

// The manager makes the file Go in GoDir when containers may start.
const (
	GoDir = "/run/pharos/engine"
	Go    = GoDir + "/go"
	// Renewal is a file with the arguments of process 1 in JSON. When the
	// manager writes it, process 1 starts dockerd anew with them. Those of a
	// unit that starts are in its definition.
	Renewal = GoDir + "/renewal.json"
)

// Name is the unit's.
const Name = "docker"

// Options is what the unit depends on.
type Options struct {
	Engine      osconfig.Engine
	Network     osconfig.Network  // for the proxies
	Environment map[string]string // rancher.environment; its proxy variables count too
	StopTimeout time.Duration     // how long user containers have to stop
	// Root is the console's tree, which is the unit's root, and RootPeers the
	// mount of it that the unit follows; empty is an overlay on the image.
	Root, RootPeers string
	// InSwarm says that dockerd has the state of a swarm on disk: with it
	// dockerd starts only as rancher.docker.swarm makes it start.
	InSwarm bool
	// DataRoot is where the data root that DataRoot returns leads.
	DataRoot string
}

func (o Options) swarm() bool { return o.InSwarm || o.Engine.Swarm.On() }

// SwarmDir is where dockerd keeps the state of its swarm, below its data root:
// keys, certificates and, on a manager, the raft store.
const SwarmDir = "swarm"

// SwarmState is the file in SwarmDir that dockerd has while it is in a
// swarm, or about to join one.
const SwarmState = "docker-state.json"

// CertFile is the bundle of certificates that the engine trusts, the same
// path inside as outside. The manager writes it, or makes it a link to the
// image's own. Go reads it at the first connection that needs it.
const CertFile = "/run/pharos/etc/ca-certificates.crt"

// stopReserve is what the daemons have to end in once the containers did.
const stopReserve = 10 * time.Second

// oomScore puts the engine above every system service and below every user
// container (0): the kernel takes a container before the daemon that runs it.
const oomScore = -500

// Unit is the user engine. It has PID, mount, IPC and cgroup namespaces of
// its own, so that an accident in a privileged container stays among
// containers: "kill -9 -1" in one ends other containers and the daemons, but
// neither the supervisor (process 1 of the namespace) nor anything of the
// system. That is no security boundary: such a container is root of the
// machine. See docs/security.md.
func Unit(o Options) unit.Unit {
	hostPID := o.Engine.PID == "host"
	requires := []string{"state"}
	if o.swarm() { // dockerd looks for its own address once, when it starts
		requires = append(requires, "network")
	}
	return unit.Unit{
		Name:           Name,
		Image:          "docker",
		Root:           o.Root,
		RootPeers:      o.RootPeers,
		Args:           args(o),
		Env:            environment(o),
		Mounts:         slices.Concat(mounts(o.DataRoot), tlsMount(o.Engine)),
		Without:        without(),
		HostDev:        true, // --device and privileged containers
		WritableSys:    true, // bridge port attributes below /sys/class/net
		WritableCgroup: true, // user containers' groups, below the unit's own and nowhere else
		HostPID:        hostPID,
		HostNet:        true, // docker0, published ports and --net=host are the machine's
		HostUTS:        true, // docker info and --uts=host show the machine's name
		Capabilities:   capabilities(hostPID),
		// dockerd gives every container its own filter; the filter of a parent
		// would apply on top of it and take keyctl, bpf, unshare … from
		// privileged containers that are entitled to them.
		SeccompUnconfined: true,
		AllDevices:        true, // runc narrows it for each container
		// /proc/sys and /sys must be writable for dockerd (forwarding, bridge
		// settings), and masks here would refuse containers a fresh /proc.
		HostPaths: true,
		Limits: unit.Limits{
			// The whole of user/ is bounded by its own group, not here.
			OOMScoreAdj: oomScore,
			NoFile:      1 << 20, // a descriptor for each container's logs, ports and connections
		},
		Cgroup: "user",
		// Without a swarm the network is not waited for: the engine is up
		// meanwhile, and its rules do not depend on addresses.
		// Not "modules": they are loaded beside its start, and what dockerd
		// needs before that, the kernel asks for. Not "files": process 1 waits
		// for those.
		Requires: requires,
		// From the moment at which containers may start: the time in which
		// process 1 waits for files is not dockerd's.
		Ready: unit.Probe{Socket: Socket, HTTP: "/_ping", Timeout: 120 * time.Second, Since: Go},
		// No health check: a restart of the unit ends every user container.
		// The supervisor restarts a daemon that dies; containers live on.
		Restart: unit.RestartAlways,
		// What the supervisor takes for the ordered stop; see its StopSignal.
		StopSignal:  "SIGRTMIN+3",
		StopTimeout: o.StopTimeout + stopReserve,
	}
}

func args(o Options) []string {
	config, extra := Daemon(o.Engine, o.swarm())
	text, err := json.Marshal(config)
	if err != nil { // only strings, lists and maps of strings, and booleans are in it
		text = []byte("{}")
	}
	args := []string{Home + "/usr/bin/ros-engine", "--config=" + string(text), stopTimeoutFlag + o.StopTimeout.String(), "--go=" + Go, "--renewal=" + Renewal}
	if o.Engine.ConfigFile != "" {
		args = append(args, "--config-file="+o.Engine.ConfigFile)
	}
	if o.swarm() {
		args = append(args, "--fixed=live-restore", "--fixed=firewall-backend")
	}
	// A flag wins, as it does in dockerd.
	if path.IsAbs(flagOf(o.Engine.ExtraArgs, dataRootFlag()...)) {
		args = append(args, "--fixed=data-root")
	}
	if flagOf(o.Engine.ExtraArgs, groupFlag()...) != "" {
		args = append(args, "--fixed=group")
	}
	return append(append(args, "--"), extra...)
}

// LosesContainers reports whether the containers of a unit end with dockerd: a
// swarm has no live restore.
func LosesContainers(u unit.Unit) bool { return slices.Contains(u.Args, "--fixed=live-restore") }

// stopTimeoutFlag tells process 1 how long user containers have to stop.
const stopTimeoutFlag = "--stop-timeout="

// SameDaemon reports whether dockerd gets the same of two sets of arguments of
// the unit: only the time differs that user containers have to stop.
func SameDaemon(a, b []string) bool {
	rest := func(args []string) []string {
		return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return strings.HasPrefix(arg, stopTimeoutFlag) })
	}
	return slices.Equal(rest(a), rest(b))
}

// environment is dockerd's: proxies first, so that engine.environment wins.
// GOGC: dockerd, its containerd, the shims and runc all start with a garbage
// collector that has hardly anything to find; it costs them 10 MB later.
func environment(o Options) []string {
	env := []string{"GOGC=200", "SSL_CERT_FILE=" + CertFile}
	env = append(env, o.Network.Proxies(o.Environment).Environment()...)
	return append(env, o.Engine.Environment...)
}

// mounts are what lies on the console's tree in the engine: the directories of
// the machine, as the console has them, so that a bind source means to the
// engine what it means to the person who types. What is mounted on the machine
// or in the console arrives. rshared: what a container mounts with :rshared is
// seen there, too. rslave: what is mounted in the engine stays, as the roots and
// network namespaces of containers must, below dataRoot among others.
func mounts(dataRoot string) []unit.Mount {
	arrives := []string{"rw", "rslave"}
	list := []unit.Mount{
		// Read-only, from the verified image: "rm -rf" in a container that has
		// the whole tree does not delete the engine's own programs.
		{Source: "/usr/lib/pharos/images/docker/rootfs", Target: Home, Options: []string{"ro"}},
		// For containers that load or inspect modules from the host's tree.
		{Source: "/usr/lib/modules", Target: "/usr/lib/modules", Options: []string{"ro"}},

		// With what is mounted below it, but without /run/pharos, the manager's
		// and the system containerd's, and /run/udev, which are mounts of their
		// own. Of the first comes nothing but the names, the log socket and the
		// directory of Go.
		{Source: "/run", Target: "/run", Options: []string{"bind", "rw", "rslave"}, Except: []string{"/run/pharos", "/run/udev"}},
		{Source: "/run/pharos/etc", Target: "/run/pharos/etc", Options: []string{"ro"}, Mkdir: 0o755},
		{Source: "/run/pharos/syslog", Target: "/run/pharos/syslog", Options: []string{"ro"}, Mkdir: 0o755},
		{Source: GoDir, Target: GoDir, Options: []string{"ro"}, Mkdir: 0o755},
		{Source: "/run/udev", Target: "/run/udev", Options: []string{"ro"}},

		{Source: "/var", Target: "/var", Options: arrives},
		{Source: "/var/lib/docker", Target: "/var/lib/docker", Options: arrives, Mkdir: 0o710},
		// kubelet's volume mounts must also leave containers again.
		{Source: "/var/lib/kubelet", Target: "/var/lib/kubelet", Options: []string{"rw", "rshared"}, Mkdir: 0o755},
		{Source: "/tmp", Target: "/tmp", Options: arrives},

		// The machine's debugfs and tracefs, which bpftrace, BCC and Falco bind. By
		// the directory that they are in: debugfs=off on the kernel's command line
		// takes the mount point of debugfs away. The rest of /sys is the unit's own,
		// because the machine's has the control groups of the system.
		{Source: "/sys/kernel", Target: "/sys/kernel", Options: arrives},
		// The machine's bpf, in which Cilium and Tetragon keep what has to outlive
		// them, and the engine.
		{Source: "/sys/fs/bpf", Target: "/sys/fs/bpf", Options: arrives},
	}
	for _, dir := range osconfig.LastingDirectories() {
		if dir == "/var" { // above, in parts
			continue
		}
		options := []string{"rw", "rshared"}
		if dataRoot == dir || strings.HasPrefix(dataRoot, dir+"/") {
			options = arrives
		}
		list = append(list, unit.Mount{Source: dir, Target: dir, Options: options})
	}
	return list
}

// without is, first, the machine's own state, with its secrets. A container that
// gets around the engine's mounts, by a bind without submounts or by umount(2),
// finds an empty directory there. One that may mount disks can still mount the
// state disk: see docs/security.md. Second, securityfs, by which dockerd would
// report an AppArmor profile that it cannot load here.
func without() []string { return []string{"/var/lib/pharos", "/sys/kernel/security"} }

// DataRoot is where dockerd keeps images, containers and volumes, as a path in
// the console's tree. text is the file that rancher.docker.config_file names,
// nil if there is none. It wins over the configuration, and a flag over both.
func DataRoot(e osconfig.Engine, text []byte) string {
	var file map[string]any
	if json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &file) != nil {
		file = nil
	}
	inFile, _ := file["data-root"].(string)
	for _, dir := range []string{flagOf(e.ExtraArgs, dataRootFlag()...), inFile, e.DataRoot, e.Graph} {
		if path.IsAbs(dir) {
			return path.Clean(dir)
		}
	}
	return "/var/lib/docker"
}

// group owns the API socket.
func group(e osconfig.Engine) string {
	return cmp.Or(flagOf(e.ExtraArgs, groupFlag()...), e.Group, "docker")
}
