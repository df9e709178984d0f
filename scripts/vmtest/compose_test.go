package vmtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/scripts/vmtest/inside"
)

// stack is something that people run, and what its compose file asks for.
type stack struct {
	name     string
	services []service
}

// service is a service of a compose file. What it asks for is what it is
// checked for, from inside.
type service struct {
	Name string `json:"-"`

	Image       string            `json:"image"`
	Command     []string          `json:"command"`
	Restart     string            `json:"restart,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
	EnvFile     []string          `json:"env_file,omitempty"`
	Labels      []string          `json:"labels,omitempty"`
	DependsOn   map[string]after  `json:"depends_on,omitempty"`
	Healthcheck *healthcheck      `json:"healthcheck,omitempty"`
	Logging     *logging          `json:"logging,omitempty"`
	Init        bool              `json:"init,omitempty"`
	StopGrace   string            `json:"stop_grace_period,omitempty"`

	// Volumes are short forms, SOURCE:TARGET:OPTIONS. A source that begins with
	// a dot or a slash is bound: one with a slash at its end is a directory, one
	// without is a file, which the test makes unless the machine has it (see
	// ofMachine). Docker makes what is below ./new/.
	Volumes     []string `json:"volumes,omitempty"`
	VolumesFrom []string `json:"volumes_from,omitempty"`
	Tmpfs       []string `json:"tmpfs,omitempty"`
	ShmSize     string   `json:"shm_size,omitempty"`
	Secrets     []string `json:"secrets,omitempty"`
	Configs     []string `json:"configs,omitempty"`
	ReadOnly    bool     `json:"read_only,omitempty"`

	Devices     []string          `json:"devices,omitempty"`
	DeviceRules []string          `json:"device_cgroup_rules,omitempty"`
	Privileged  bool              `json:"privileged,omitempty"`
	CapAdd      []string          `json:"cap_add,omitempty"`
	CapDrop     []string          `json:"cap_drop,omitempty"`
	SecurityOpt []string          `json:"security_opt,omitempty"`
	Sysctls     map[string]string `json:"sysctls,omitempty"`
	Ulimits     map[string]limits `json:"ulimits,omitempty"`
	User        string            `json:"user,omitempty"`
	GroupAdd    []string          `json:"group_add,omitempty"`
	MemLimit    string            `json:"mem_limit,omitempty"`
	CPUs        string            `json:"cpus,omitempty"`
	PidsLimit   int               `json:"pids_limit,omitempty"`

	NetworkMode string            `json:"network_mode,omitempty"`
	Networks    map[string]attach `json:"networks,omitempty"`
	Ports       []string          `json:"ports,omitempty"`
	Hostname    string            `json:"hostname,omitempty"`
	ExtraHosts  []string          `json:"extra_hosts,omitempty"`
	DNS         []string          `json:"dns,omitempty"`
	PID         string            `json:"pid,omitempty"`
	IPC         string            `json:"ipc,omitempty"`
	Cgroup      string            `json:"cgroup,omitempty"`

	// Healthy asks for a health check that has to succeed.
	Healthy bool `json:"-"`
	// Once is a service that ends.
	Once bool `json:"-"`
	// Serves are ports, "tcp/80", besides those that are published.
	Serves []string `json:"-"`
	// Reaches are other services, "tcp HOST:PORT SERVICE".
	Reaches []string `json:"-"`
	// Also is checked besides what is asked for.
	Also []inside.Check `json:"-"`
}

// The rest of a compose file, as far as the stacks need it.
type (
	after struct {
		Condition string `json:"condition"`
	}
	healthcheck struct {
		Test          []string `json:"test"`
		Interval      string   `json:"interval"`
		Timeout       string   `json:"timeout"`
		StartPeriod   string   `json:"start_period"`
		StartInterval string   `json:"start_interval"`
	}
	logging struct {
		Driver  string            `json:"driver"`
		Options map[string]string `json:"options,omitempty"`
	}
	limits struct {
		Soft int64 `json:"soft"`
		Hard int64 `json:"hard"`
	}
	attach struct {
		Aliases []string `json:"aliases,omitempty"`
		IPv4    string   `json:"ipv4_address,omitempty"`
		IPv6    string   `json:"ipv6_address,omitempty"`
	}
	network struct {
		External   bool              `json:"external,omitempty"`
		Internal   bool              `json:"internal,omitempty"`
		EnableIPv6 bool              `json:"enable_ipv6,omitempty"`
		Driver     string            `json:"driver,omitempty"`
		DriverOpts map[string]string `json:"driver_opts,omitempty"`
		IPAM       *ipam             `json:"ipam,omitempty"`
	}
	ipam struct {
		Config []subnet `json:"config"`
	}
	subnet struct {
		Subnet string `json:"subnet"`
	}
	material struct {
		File        string `json:"file,omitempty"`
		Content     string `json:"content,omitempty"`
		Environment string `json:"environment,omitempty"`
	}
	project struct {
		Name     string              `json:"name"`
		Services map[string]service  `json:"services"`
		Networks map[string]network  `json:"networks"`
		Volumes  map[string]struct{} `json:"volumes"`
		Secrets  map[string]material `json:"secrets"`
		Configs  map[string]material `json:"configs"`
	}
)

// projectName is the compose project of all stacks, projectDir its folder.
const (
	projectName = "stacks"
	projectDir  = "/srv/stacks"
)

// facts is what the machine's console says of itself: see ask.
type facts map[string]string

// bind is a short form of a volume that binds a path of the machine.
type bind struct {
	source, target, options string
	directory               bool // that the test makes
}

func (b bind) readOnly() bool { return slices.Contains(strings.Split(b.options, ","), "ro") }

// binds are the paths that a service binds, absolute.
func (s service) binds() []bind {
	var list []bind
	for _, v := range s.Volumes {
		parts := append(strings.Split(v, ":"), "", "")
		source := parts[0]
		if !strings.HasPrefix(source, "/") && !strings.HasPrefix(source, ".") {
			continue
		}
		list = append(list, bind{absolute(source), parts[1], parts[2], strings.HasSuffix(source, "/") && source != "/"})
	}
	return list
}

// absolute is where a path of a compose file is.
func absolute(p string) string {
	if strings.HasPrefix(p, ".") {
		p = path.Join(projectDir, p)
	}
	return path.Clean(p)
}

// nonce is what the test writes into what a container binds. Docker's client
// reads one of those files.
func nonce(source string) string {
	if strings.HasSuffix(source, ".json") {
		return fmt.Sprintf(`{"this is": %q}`, source)
	}
	return "this is " + source
}

// nonceName is the file with the nonce of a directory.
const nonceName = "stacks-nonce"

// written is what a service writes into a file or directory that it binds.
func written(service string) string { return "written by " + service }

// publishedPort is a port of the machine that leads to a service, or that a
// service on the machine's network has itself.
type publishedPort struct {
	network, address, service string
}

// published lists where the machine answers for a service, and what the
// service has to serve.
func (s service) published() (list []publishedPort, serve []string) {
	serve = slices.Clone(s.Serves)
	for _, p := range s.Ports {
		rest, network, ok := strings.Cut(p, "/")
		if !ok {
			network = "tcp"
		}
		parts := strings.Split(rest, ":")
		host, address := "127.0.0.1", parts[len(parts)-2]
		if len(parts) == 3 {
			host = parts[0]
		}
		list = append(list, publishedPort{network, host + ":" + address, s.Name})
		serve = append(serve, network+"/"+parts[len(parts)-1])
	}
	if s.NetworkMode == "host" {
		for _, p := range s.Serves {
			network, number, _ := strings.Cut(p, "/")
			list = append(list, publishedPort{network, "127.0.0.1:" + number, s.Name})
		}
	}
	return list, slices.Compact(serve)
}

// checks is what the container of s must see, on a machine of which f is known.
func (s service) checks(f facts) []inside.Check {
	list := slices.Concat(s.mountChecks(f), s.privilegeChecks(f), s.resourceChecks(), s.networkChecks(f))
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		list = append(list, inside.Check{Kind: "env", Path: name, Want: s.Environment[name]})
	}
	return append(list, s.Also...)
}

func (s service) mountChecks(f facts) []inside.Check {
	var list []inside.Check
	for _, b := range s.binds() {
		own, machine := ofMachine(f, s.Name)[b.source]
		name := path.Join(b.target, "from-"+s.Name)
		switch {
		case machine:
			list = append(list, own(b.target)...)
		case strings.HasPrefix(b.source, projectDir+"/new/"):
		case b.directory:
			list = append(list, inside.Check{Kind: "text", Path: path.Join(b.target, nonceName), Want: nonce(b.source)})
		default:
			list, name = append(list, inside.Check{Kind: "text", Path: b.target, Want: nonce(b.source)}), b.target
		}
		switch {
		case b.readOnly():
			if f["type "+b.source] != "socket" {
				list = append(list, inside.Check{Kind: "readonly", Path: b.target})
			}
		case !machine:
			list = append(list, inside.Check{Kind: "writes", Path: name, Want: written(s.Name)})
		}
	}
	for _, v := range s.Volumes {
		if name, target, _ := strings.Cut(v, ":"); !strings.ContainsAny(name[:1], "./") {
			target, options, _ := strings.Cut(target, ":")
			check := inside.Check{Kind: "writes", Path: path.Join(target, "from-"+s.Name), Want: written(s.Name)}
			if options == "ro" {
				check = inside.Check{Kind: "readonly", Path: target}
			}
			list = append(list, check)
		}
	}
	for _, m := range s.Tmpfs {
		target, options, _ := strings.Cut(m, ":")
		check := inside.Check{Kind: "tmpfs", Path: target}
		for o := range strings.SplitSeq(options, ",") {
			if size, ok := strings.CutPrefix(o, "size="); ok {
				check.Want = bytesOf(size)
			}
		}
		list = append(list, check)
	}
	if s.ShmSize != "" {
		list = append(list, inside.Check{Kind: "tmpfs", Path: "/dev/shm", Want: bytesOf(s.ShmSize)})
	}
	if s.ReadOnly {
		list = append(list, inside.Check{Kind: "readonly", Path: "/"})
	}
	for _, name := range s.Secrets {
		list = append(list, inside.Check{Kind: "text", Path: "/run/secrets/" + name, Want: materialText(stackSecrets()[name])})
	}
	for _, name := range s.Configs {
		list = append(list, inside.Check{Kind: "text", Path: "/" + name, Want: materialText(stackConfigs()[name])})
	}
	return list
}

func (s service) privilegeChecks(f facts) []inside.Check {
	var list []inside.Check
	for _, d := range s.Devices {
		parts := strings.Split(d+":"+d, ":")
		if fact := f["device "+parts[0]]; strings.HasPrefix(fact, "directory ") { // all devices in it
			list = append(list, inside.Check{Kind: "filled", Path: parts[1]})
		} else {
			list = append(list, inside.Check{Kind: "device", Path: parts[1], Want: fact})
		}
	}
	caps, seccomp := s.CapAdd, "2"
	if s.Privileged {
		caps, seccomp = []string{"NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE", "SYS_RAWIO"}, "0"
		list = append(list, inside.Check{Kind: "device", Path: "/dev/kmsg", Want: "c 1:11"},
			inside.Check{Kind: "writable", Path: "/proc/sys/kernel/printk_delay"})
	}
	if slices.Contains(s.SecurityOpt, "seccomp:unconfined") {
		seccomp = "0"
	}
	list = append(list, inside.Check{Kind: "status", Path: "Seccomp", Want: seccomp})
	var set uint64
	for _, name := range caps {
		bit := slices.Index(capabilityNames(), "CAP_"+name)
		set |= 1 << bit
		list = append(list, inside.Check{Kind: "capability", Path: name, Want: strconv.Itoa(bit)})
	}
	if slices.Contains(s.CapDrop, "ALL") {
		list = append(list, inside.Check{Kind: "bounding", Want: fmt.Sprintf("%016x", set)})
	}
	if slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		list = append(list, inside.Check{Kind: "status", Path: "NoNewPrivs", Want: "1"})
	}
	if s.User != "" {
		list = append(list, inside.Check{Kind: "user", Want: s.User})
	}
	for _, g := range s.GroupAdd {
		list = append(list, inside.Check{Kind: "group", Want: g})
	}
	switch {
	case s.PID == "host":
		// The engine's world is what a container's PID namespace can be opened to.
		list = append(list, inside.Check{Kind: "process", Path: "/proc", Want: "dockerd"})
	case s.Init:
		list = append(list, inside.Check{Kind: "text", Path: "/proc/1/comm", Want: "docker-init"})
	default:
		list = append(list, inside.Check{Kind: "text", Path: "/proc/1/comm", Want: "payload"})
	}
	return list
}

func (s service) resourceChecks() []inside.Check {
	var list []inside.Check
	for _, key := range slices.Sorted(maps.Keys(s.Sysctls)) {
		file := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
		list = append(list, inside.Check{Kind: "text", Path: file, Want: s.Sysctls[key]})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Ulimits)) {
		l := s.Ulimits[name]
		list = append(list, inside.Check{Kind: "limit", Path: name, Want: fmt.Sprintf("%d %d", l.Soft, l.Hard)})
	}
	group := func(file, want string) {
		list = append(list, inside.Check{Kind: "text", Path: "/sys/fs/cgroup/" + file, Want: want})
	}
	if s.MemLimit != "" {
		group("memory.max", bytesOf(s.MemLimit))
	}
	if s.PidsLimit != 0 {
		group("pids.max", strconv.Itoa(s.PidsLimit))
	}
	if s.CPUs != "" {
		cpus, err := strconv.ParseFloat(s.CPUs, 64)
		if err == nil { // TestStackTable looks for the error
			group("cpu.max", fmt.Sprintf("%.0f 100000", cpus*100000))
		}
	}
	return list
}

func (s service) networkChecks(f facts) []inside.Check {
	var list []inside.Check
	hostname := s.Hostname
	switch s.NetworkMode {
	case "host":
		list = append(list, inside.Check{Kind: "link", Want: f["mac"]})
		if hostname == "" {
			hostname = f["hostname"]
		}
	case "none":
		list = append(list, inside.Check{Kind: "links", Want: "lo"})
	}
	if hostname != "" {
		list = append(list, inside.Check{Kind: "hostname", Want: hostname})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Networks)) {
		for _, a := range []string{s.Networks[name].IPv4, s.Networks[name].IPv6} {
			if a != "" {
				list = append(list, inside.Check{Kind: "address", Want: a})
			}
		}
	}
	for _, r := range s.Reaches {
		at, want := r[:strings.LastIndex(r, " ")], r[strings.LastIndex(r, " ")+1:]
		list = append(list, inside.Check{Kind: "reach", Path: at, Want: want})
	}
	return list
}

// bytesOf is a size of a compose file in bytes, or empty.
func bytesOf(size string) string {
	units := map[string]int64{"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
	number := strings.TrimSuffix(strings.ToLower(size), "b")
	factor := int64(1)
	if u, ok := units[number[len(number)-1:]]; ok {
		number, factor = number[:len(number)-1], u
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(n*factor, 10)
}

// compose makes one project of stacks, for a machine of which f is known.
func compose(stacks []stack, f facts) ([]byte, error) {
	p := project{
		Name: projectName, Services: map[string]service{}, Networks: stackNetworks(), Volumes: map[string]struct{}{},
		Secrets: stackSecrets(), Configs: stackConfigs(),
	}
	for _, st := range stacks {
		for _, s := range st.services {
			_, serve := s.published()
			task, err := json.Marshal(inside.Task{Service: s.Name, Serve: serve, Checks: s.checks(f), Once: s.Once})
			if err != nil {
				return nil, err
			}
			for _, v := range s.Volumes {
				if name, _, _ := strings.Cut(v, ":"); !strings.ContainsAny(name[:1], "./") {
					p.Volumes[name] = struct{}{}
				}
			}
			p.Services[s.Name] = s.complete(string(task))
		}
	}
	return json.MarshalIndent(p, "", " ")
}

// complete adds what the test needs to run a service.
func (s service) complete(task string) service {
	s.Image, s.Command = PayloadImage, []string{"stack"}
	s.Environment = maps.Clone(s.Environment)
	if s.Environment == nil {
		s.Environment = map[string]string{}
	}
	// Compose would take a dollar for the beginning of a variable.
	s.Environment[inside.Variable] = strings.ReplaceAll(task, "$", "$$")
	s.Restart = "unless-stopped"
	if s.Once {
		s.Restart = "no"
	}
	if s.Healthy {
		// What runs in each container costs a second under emulation: often
		// at the start, hardly ever afterwards.
		s.Healthcheck = &healthcheck{
			Test: []string{"CMD", "/payload", "healthy"}, Interval: "10m", Timeout: "30s", StartPeriod: "5m", StartInterval: "3s",
		}
	}
	return s
}

func TestComposeService(t *testing.T) {
	s := service{
		Name:        "web",
		Volumes:     []string{"./data/:/data", "/etc/web/web.conf:/web.conf:ro", "cache:/cache"},
		Tmpfs:       []string{"/run:size=64m"},
		CapDrop:     []string{"ALL"},
		CapAdd:      []string{"CHOWN"},
		Sysctls:     map[string]string{"net.core.somaxconn": "1024"},
		Ulimits:     map[string]limits{"nofile": {1024, 2048}},
		MemLimit:    "256m",
		CPUs:        "0.5",
		Devices:     []string{"/dev/vda:/dev/sda:r"},
		Ports:       []string{"80:8080", "127.0.0.1:53:53/udp"},
		Reaches:     []string{"tcp db:5432 postgres"},
		Environment: map[string]string{"TZ": "UTC"},
	}
	want := []inside.Check{
		{Kind: "text", Path: "/data/stacks-nonce", Want: "this is /srv/stacks/data"},
		{Kind: "writes", Path: "/data/from-web", Want: "written by web"},
		{Kind: "text", Path: "/web.conf", Want: "this is /etc/web/web.conf"},
		{Kind: "readonly", Path: "/web.conf"},
		{Kind: "writes", Path: "/cache/from-web", Want: "written by web"},
		{Kind: "tmpfs", Path: "/run", Want: "67108864"},
		{Kind: "device", Path: "/dev/sda", Want: "b 254:0"},
		{Kind: "status", Path: "Seccomp", Want: "2"},
		{Kind: "capability", Path: "CHOWN", Want: "0"},
		{Kind: "bounding", Want: "0000000000000001"},
		{Kind: "text", Path: "/proc/1/comm", Want: "payload"},
		{Kind: "text", Path: "/proc/sys/net/core/somaxconn", Want: "1024"},
		{Kind: "limit", Path: "nofile", Want: "1024 2048"},
		{Kind: "text", Path: "/sys/fs/cgroup/memory.max", Want: "268435456"},
		{Kind: "text", Path: "/sys/fs/cgroup/cpu.max", Want: "50000 100000"},
		{Kind: "reach", Path: "tcp db:5432", Want: "postgres"},
		{Kind: "env", Path: "TZ", Want: "UTC"},
	}
	if d := cmp.Diff(want, s.checks(facts{"device /dev/vda": "b 254:0"})); d != "" {
		t.Errorf("checks (-want +got):\n%s", d)
	}
	ports, serve := s.published()
	wantPorts := []publishedPort{{"tcp", "127.0.0.1:80", "web"}, {"udp", "127.0.0.1:53", "web"}}
	if d := cmp.Diff(wantPorts, ports, cmp.AllowUnexported(publishedPort{})); d != "" {
		t.Errorf("ports (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"tcp/8080", "udp/53"}, serve); d != "" {
		t.Errorf("served (-want +got):\n%s", d)
	}
	text, err := compose([]stack{{"web", []service{s}}}, facts{})
	if err != nil {
		t.Fatal(err)
	}
	var p project
	if err := json.Unmarshal(text, &p); err != nil || p.Services["web"].Image != PayloadImage || len(p.Volumes) != 1 {
		t.Errorf("the project is %v\n%s", err, text)
	}
}
