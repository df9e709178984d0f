package osconfig

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
)

// serviceRules are the rules of one service, by the key below it.
func serviceRules() map[string]rule {
	return map[string]rule{
		"image":            on(inService(imageName)),
		"container_name":   on(inService(serviceWord)),
		"cap_add[]":        on(capability),
		"cap_drop[]":       on(capability),
		"cpu_quota":        on(cpuQuota),
		"cpuset":           on(inService(cpuSet)),
		"cpu_shares":       on(zeroOr(2, 262144)),
		"mem_limit":        on(inService(memoryLimit)),
		"memswap_limit":    on(inService(swapLimit)),
		"shm_size":         on(inService(byteSize)),
		"devices[]":        on(inService(device)),
		"dns[]":            on(inService(hostAddress)),
		"dns_search[]":     on(inService(searchDomain)),
		"domainname":       on(inService(domain)),
		"hostname":         on(inService(hostname)),
		"env_file[]":       on(inService(absolutePath)),
		"environment[]":    on(inService(serviceVariable)),
		"expose[]":         on(inService(exposed)),
		"external_links[]": on(inService(linkedService)),
		"links[]":          on(inService(linkedService)),
		"depends_on[]":     on(inService(serviceWord)),
		"extra_hosts[]":    on(inService(extraHost)),
		"labels":           {check: labels},
		"log_driver":       {check: logDriver},
		"mac_address":      on(inService(ownMAC)),
		"net":              on(inService(namespace("host", "none", "bridge", "default"))),
		"network_mode":     on(inService(namespace("host", "none", "bridge", "default"))),
		"pid":              on(inService(namespace("host"))),
		"ipc":              on(inService(namespace("host", "none", "private", "shareable"))),
		"uts":              on(oneOf("host")),
		"ports[]":          on(inService(publishedPort)),
		"restart":          on(restartPolicy),
		"security_opt[]":   {check: securityOption},
		"stop_signal":      on(signal),
		"tmpfs[]":          on(inService(tmpfs)),
		"ulimits":          {key: ulimit},
		"ulimits.*.soft":   on(between(-1, 1<<31-1)),
		"ulimits.*.hard":   on(between(-1, 1<<31-1)),
		"user":             on(inService(serviceUser)),
		"volumes[]":        on(inService(volume)),
		"volumes_from[]":   on(inService(volumesFrom)),
		"working_dir":      on(inService(workingDir)),
		"cgroup_parent":    on(inService(oneLine)),
	}
}

// inService leaves texts alone that hold ${NAME}: rancher.environment fills
// them in when the service is made.
func inService(check func(string) string) func(string) string {
	return func(s string) string {
		if i := strings.IndexByte(s, '$'); i >= 0 && i+1 < len(s) && (s[i+1] == '{' || wordByte(s[i+1])) {
			return ""
		}
		return check(s)
	}
}

// serviceKey checks a name in rancher.services.
func serviceKey(key string, value *Node) string {
	if value != nil && (key == "services" && value.Kind == Map || key == "version" && value.Scalar()) {
		return fmt.Sprintf("%s belongs to a whole compose file; put here what stands below its services:", key)
	}
	return serviceWord(key)
}

func serviceWord(s string) string {
	if !matches(`[A-Za-z0-9][A-Za-z0-9_.-]*`, s) {
		return fmt.Sprintf("%s is no service name: letters, digits, _ . -", quote(s))
	}
	return ""
}

// imageName checks [HOST[:PORT]/]PATH[:TAG][@DIGEST].
func imageName(s string) string {
	const part = `[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*`
	const host = `(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/`
	const tag = `(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]{32,})?`
	switch {
	case matches(`(?:`+host+`)?`+part+`(?:/`+part+`)*`+tag, s):
		return ""
	case strings.Contains(s, "://"):
		return fmt.Sprintf("%s: write HOST/NAME:TAG without a scheme", quote(s))
	case strings.ToLower(s) != s && matches(`(?:`+host+`)?`+part+`(?:/`+part+`)*`+tag, strings.ToLower(s)):
		return fmt.Sprintf("%s: the name of an image has no capital letters", quote(s))
	}
	return fmt.Sprintf("%s is no image, like busybox:1.37 or registry.example.com/team/app:2", quote(s))
}

// serviceVariable checks NAME=VALUE, NAME or NAME*.
func serviceVariable(s string) string {
	name, _, _ := strings.Cut(s, "=")
	if name == s {
		name = strings.TrimSuffix(s, "*")
	}
	if name == "" || !matches(`[A-Za-z_][A-Za-z0-9_.-]*`, name) {
		return fmt.Sprintf("%s is no name of a variable", quote(name))
	}
	return ""
}

// namespace checks the mode of a namespace: a word, or another container's.
func namespace(words ...string) func(string) string {
	return func(s string) string {
		kind, name, ok := strings.Cut(s, ":")
		switch {
		case s == "" || slices.Contains(words, s):
			return ""
		case ok && (kind == "container" || kind == "service"):
			return serviceWord(name)
		}
		return fmt.Sprintf("%s is not one of: %s, container:NAME", quote(s), strings.Join(words, ", "))
	}
}

func restartPolicy(s string) string {
	policy, times, counted := strings.Cut(s, ":")
	switch {
	case slices.Contains([]string{"", "no", "always", "unless-stopped", "on-failure"}, s):
		return ""
	case policy == "on-failure" && counted:
		if problem := between(1, 1<<31-1)(times); problem != "" {
			return fmt.Sprintf("%s: %s is no number of times", quote(s), quote(times))
		}
		return ""
	case strings.EqualFold(s, "false") || s == "never" || s == "none":
		return fmt.Sprintf("%s is no policy; write \"no\"", quote(s))
	case strings.EqualFold(s, "true"):
		return fmt.Sprintf("%s is no policy; write always", quote(s))
	}
	known := []string{"no", "always", "on-failure", "unless-stopped"}
	return fmt.Sprintf("%s is not one of: no, always, on-failure[:TIMES], unless-stopped%s", quote(s), nearest(s, known))
}

// linkedService checks NAME[:ALIAS].
func linkedService(s string) string {
	name, alias, aliased := strings.Cut(s, ":")
	if problem := serviceWord(name); problem != "" {
		return problem
	}
	if aliased && !matches(`[A-Za-z0-9_][A-Za-z0-9_.-]*`, alias) {
		return fmt.Sprintf("%s is no alias", quote(alias))
	}
	return ""
}

func extraHost(s string) string {
	name, address, ok := strings.Cut(s, ":")
	if other, value, equals := strings.Cut(s, "="); equals {
		name, address, ok = other, value, true
	}
	address = strings.Trim(address, "[]")
	switch {
	case !ok:
		return fmt.Sprintf("%s has no address; write NAME:ADDRESS", quote(s))
	case domain(name) != "":
		return domain(name)
	case address == "host-gateway":
		return ""
	}
	return ipAddress(address)
}

func searchDomain(s string) string {
	if s == "." {
		return ""
	}
	return domain(s)
}

// serviceUser checks NAME-OR-NUMBER[:GROUP].
func serviceUser(s string) string {
	user, group, ok := strings.Cut(s, ":")
	if problem := userName(user); problem != "" {
		return problem
	}
	if ok {
		return userName(group)
	}
	return ""
}

func workingDir(s string) string {
	if s == "/" {
		return ""
	}
	return absolutePath(s)
}

// labelValues are the labels with a meaning, and the values of each; nil is
// free. They are RancherOS's, and those of its cron service.
func labelValues() map[string][]string {
	truth := []string{"true", "false"}
	return map[string][]string{
		"io.rancher.os.scope":        {"system", "user"},
		"io.rancher.os.detach":       truth,
		"io.rancher.os.createonly":   truth,
		"io.rancher.os.reloadconfig": truth,
		"io.rancher.os.after":        nil,
		"io.rancher.os.before":       nil,
		"io.rancher.os.console":      nil,
		"io.docker.compose.rebuild":  {"always", "false", "true"},
		"cron.schedule":              nil,
	}
}

// labels checks the labels that have a meaning.
func labels(n *Node) []finding {
	var out []finding
	known := labelValues()
	for _, e := range pairsOf(n) {
		add := func(severity Severity, text string) {
			out = append(out, finding{severity: severity, kind: Value, key: keyIn(n, e.Key), node: e.Value, text: text})
		}
		values, ok := known[e.Key]
		switch {
		case e.Key == "":
			add(Error, "a label without a name")
		case !ok && strings.HasPrefix(e.Key, "io.rancher.os."):
			add(Warning, fmt.Sprintf("%s has no meaning%s", e.Key, nearest(e.Key, slices.Sorted(maps.Keys(known)))))
		case e.Value.IsNull() || !e.Value.Scalar():
		case e.Key == "cron.schedule":
			if problem := schedule(e.Value.Text); problem != "" {
				add(Error, problem)
			}
		case len(values) > 0 && !slices.Contains(values, e.Value.Text):
			add(Error, fmt.Sprintf("%s of %s is not one of: %s", quote(e.Value.Text), e.Key, strings.Join(values, ", ")))
		}
	}
	return out
}

// keyIn is the key to put behind the path of a mapping; the items of a list
// have none.
func keyIn(n *Node, key string) string {
	if n.Kind == Map {
		return key
	}
	return ""
}

// pairsOf are the entries of a mapping, or of a list of NAME=VALUE.
func pairsOf(n *Node) []Entry {
	if n == nil {
		return nil
	}
	if n.Kind == Map {
		return n.Map
	}
	var out []Entry
	for _, item := range n.List {
		if !item.IsNull() && item.Scalar() {
			name, value, _ := strings.Cut(item.Text, "=")
			out = append(out, Entry{Key: name, KeyPos: item.Pos, Value: NewString(item.Pos, value)})
		}
	}
	return out
}

// schedule checks a cron expression with its seconds first, as the cron
// service of RancherOS reads it.
func schedule(s string) string {
	const fields = 6
	s = strings.TrimSpace(s)
	rest := s
	if zone, after, ok := strings.Cut(s, " "); strings.HasPrefix(s, "TZ=") || strings.HasPrefix(s, "CRON_TZ=") {
		if !ok {
			return fmt.Sprintf("%s has a time zone and no schedule", quote(zone))
		}
		rest = strings.TrimSpace(after)
	}
	if n := len(strings.Fields(rest)); !strings.HasPrefix(rest, "@") && n == fields-1 {
		return fmt.Sprintf("%s has five fields; the first of six is the seconds, so write %s", quote(s), quote("0 "+rest))
	}
	parser := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	if _, err := parser.Parse(s); err != nil {
		return fmt.Sprintf("%s is no schedule: six fields (second minute hour day month weekday), or @hourly, @daily, @every 5m; %s", quote(s), err)
	}
	return ""
}

func securityOption(n *Node) []finding {
	name, _, _ := strings.Cut(strings.ReplaceAll(n.Text, "=", ":"), ":")
	known := []string{"label", "apparmor", "seccomp", "no-new-privileges", "systempaths", "writable-cgroups"}
	if slices.Contains(known, name) {
		return nil
	}
	return doubtful(fmt.Sprintf("%s is no security option%s", quote(n.Text), nearest(name, known)))
}

// signal checks SIGTERM, TERM, RTMIN+3 or a number.
func signal(s string) string {
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if i, err := strconv.Atoi(name); err == nil && i >= 1 && i <= 64 {
		return ""
	}
	known := strings.Fields("ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT " +
		"STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX")
	if slices.Contains(known, name) || matches(`RTMIN\+[0-9]{1,2}|RTMAX-[0-9]{1,2}`, name) {
		return ""
	}
	return fmt.Sprintf("%s is no signal, like SIGTERM", quote(s))
}

// capability checks a name of capabilities(7), with and without CAP_.
func capability(s string) string {
	known := strings.Fields("AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE " +
		"DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN " +
		"NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT " +
		"SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM ALL")
	name := strings.TrimPrefix(strings.ToUpper(s), "CAP_")
	if slices.Contains(known, name) {
		return ""
	}
	return fmt.Sprintf("%s is no capability%s", quote(s), nearest(name, known))
}

// ulimit checks a name of getrlimit(2) as Docker has them.
func ulimit(key string, _ *Node) string {
	known := strings.Fields("as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack")
	if slices.Contains(known, key) {
		return ""
	}
	return fmt.Sprintf("%s is no limit: %s", quote(key), strings.Join(known, ", "))
}

// publishedPort checks [[ADDRESS:]HOST:]CONTAINER[/PROTOCOL].
func publishedPort(s string) string {
	ports, protocol, named := strings.Cut(s, "/")
	if named && !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return fmt.Sprintf("%s is not one of: tcp, udp, sctp", quote(protocol))
	}
	address := ""
	if i := strings.LastIndexByte(ports, ':'); i >= 0 {
		if j := strings.LastIndexByte(ports[:i], ':'); j >= 0 {
			address, ports = ports[:j], ports[j+1:]
			if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err != nil {
				return fmt.Sprintf("%s is no IP address; write [[ADDRESS:]HOST:]CONTAINER", quote(address))
			}
		}
	}
	host, container, both := strings.Cut(ports, ":")
	if !both {
		host, container = "", ports
	}
	if problem := portRange(container); problem != "" {
		return problem
	}
	if host == "" {
		return ""
	}
	if problem := portRange(host); problem != "" {
		return problem
	}
	if a, b := portCount(host), portCount(container); a != b && b != 1 {
		return fmt.Sprintf("%s: %d ports of the host for %d of the container", quote(s), a, b)
	}
	return ""
}

func portCount(s string) int {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		return 1
	}
	a, _ := strconv.Atoi(first)
	b, _ := strconv.Atoi(last)
	return b - a + 1
}

func exposed(s string) string {
	port, protocol, named := strings.Cut(s, "/")
	if named && !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return fmt.Sprintf("%s is not one of: tcp, udp, sctp", quote(protocol))
	}
	return portRange(port)
}
