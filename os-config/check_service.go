package osconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	if !spelled(s, "A-Za-z0-9", "A-Za-z0-9_.-") {
		return fmt.Sprintf("%s is no service name: letters, digits, _ . -", quote(s))
	}
	return ""
}

// serviceVariable checks NAME=VALUE, NAME or NAME*.
func serviceVariable(s string) string {
	name, _, _ := strings.Cut(s, "=")
	if name == s {
		name = strings.TrimSuffix(s, "*")
	}
	if !spelled(name, "A-Za-z_", "A-Za-z0-9_.-") {
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
