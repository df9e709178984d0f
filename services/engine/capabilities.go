package engine

// capabilities is everything that a container may be given: dockerd hands a
// privileged container exactly what it has itself and refuses --cap-add of
// anything else with a clear message. Left out are those that no container
// needs and whose effect no namespace contains. This prevents accidents and
// keeps a privileged container from nothing: see docs/security.md.
//
//	CAP_SYS_BOOT                   reboot(2) here kills the supervisor
//	CAP_MAC_ADMIN, MAC_OVERRIDE    the machine's security policy
//	CAP_AUDIT_CONTROL, SYS_PACCT   machine-wide accounting
//	CAP_WAKE_ALARM, BLOCK_SUSPEND  the machine's sleep
//
// With rancher.docker.pid: host the engine is in the machine's world anyway,
// and the first one comes back: that is RancherOS's behaviour, asked for.
func capabilities(hostPID bool) []string {
	caps := []string{
		"CAP_AUDIT_READ",         // privileged: listen to audit events
		"CAP_AUDIT_WRITE",        // Docker's default set: login and sudo in a container
		"CAP_BPF",                // privileged: network plugins, tracers
		"CAP_CHECKPOINT_RESTORE", // docker checkpoint, privileged
		"CAP_CHOWN",              // image layers; default set
		"CAP_DAC_OVERRIDE",       // image layers; default set
		"CAP_DAC_READ_SEARCH",    // overlay file handles, volumes of other owners
		"CAP_FOWNER",             // image layers; default set
		"CAP_FSETID",             // set-id bits of layers; default set
		"CAP_IPC_LOCK",           // --cap-add by databases and vaults
		"CAP_IPC_OWNER",          // privileged, own IPC namespace
		"CAP_KILL",               // stop containers of other users; default set
		"CAP_LEASE",              // privileged: file servers
		"CAP_LINUX_IMMUTABLE",    // layers with immutable files
		"CAP_MKNOD",              // device nodes of containers; default set
		"CAP_NET_ADMIN",          // bridges, veth pairs, nftables
		"CAP_NET_BIND_SERVICE",   // ports below 1024; default set
		"CAP_NET_BROADCAST",      // privileged
		"CAP_NET_RAW",            // ping; default set
		"CAP_PERFMON",            // privileged: profilers
		"CAP_SETFCAP",            // file capabilities of layers; default set
		"CAP_SETGID",             // become the container's user
		"CAP_SETPCAP",            // narrow a container's bounding set
		"CAP_SETUID",             // become the container's user
		"CAP_SYSLOG",             // dmesg in a privileged container
		"CAP_SYS_ADMIN",          // mounts, namespaces, cgroups, quotas
		"CAP_SYS_CHROOT",         // layer unpacking; default set
		"CAP_SYS_MODULE",         // --cap-add by VPNs and iSCSI; the kernel takes only signed modules (module.sig_enforce)
		"CAP_SYS_NICE",           // --cpu-rt-runtime, --cap-add by databases
		"CAP_SYS_PTRACE",         // enter namespaces, docker top, debuggers
		"CAP_SYS_RAWIO",          // SG_IO: smartctl in a privileged container
		"CAP_SYS_RESOURCE",       // rlimits and oom_score_adj of containers
		"CAP_SYS_TIME",           // privileged, --cap-add: time servers
		"CAP_SYS_TTY_CONFIG",     // privileged: kiosks on a virtual terminal
	}
	if hostPID {
		caps = append(caps, "CAP_SYS_BOOT")
	}
	return caps
}
