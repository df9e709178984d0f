package change

// rule says how a change of one key is carried out.
type rule struct {
	Key   string
	How   How
	Unit  string // what restarts
	Does  string // what happens; the end of a sentence
	Stays string // what of it stays until a reboot, when something is taken away; a sentence
	Show  bool   // its value may be shown
}

// rules classifies every key of Config, of its section rancher, and of
// rancher.network: the test fails when one is missing. What is carried out
// live is in system/manager/apply.go and console/setup.
func rules() []rule {
	const (
		console = "the console carries it out; sessions stay"
		once    = "it is done now, unless this instance has done it before"
		mounts  = "the console mounts what is new and unmounts what is gone"
		idle    = "accepted, without effect"
		links   = "the network is brought to it at once; what is the same stays up"
	)
	return []rule{
		{Key: "hostname", How: Live, Show: true, Does: "the machine takes the name at once"},
		{Key: "fqdn", How: Live, Show: true, Does: "the machine takes the name at once"},
		{Key: "manage_etc_hosts", How: Nothing, Does: idle},
		{Key: "ssh_authorized_keys", How: Live, Does: "they count from the next login on"},
		{Key: "ssh_pwauth", How: Live, Show: true, Does: "sshd reads it again; sessions stay"},
		{Key: "disable_root", How: Live, Show: true, Does: "sshd reads it again; sessions stay"},
		{Key: "ssh_keys", How: Live, Does: "sshd gets these host keys; sessions stay"},
		{Key: "users", How: Live, Does: console, Stays: "users: accounts that are not in the list any more stay until the machine reboots"},
		{Key: "groups", How: Live, Does: console, Stays: "groups: groups that are not in the list any more stay until the machine reboots"},
		{Key: "password", How: Live, Does: console},
		{Key: "chpasswd", How: Live, Does: console},
		{Key: "write_files", How: Live, Does: "the console writes what is new or changed", Stays: "write_files: files that are not in the list any more stay until the machine reboots, those on the state partition for good"},
		{Key: "bootcmd", How: Live, Does: "commands that are new run now, all of them at the next boot"},
		{Key: "runcmd", How: Live, Does: "commands that are new run now, all of them at the next boot"},
		{Key: "boothooks", How: Live, Does: "scripts that are new run now, all of them at the next boot"},
		{Key: "scripts", How: Live, Does: "scripts that are new run now, all of them at the next boot"},
		{Key: "mounts", How: Live, Does: mounts},
		{Key: "mount_default_fields", How: Live, Does: mounts},
		{Key: "swap", How: Live, Does: "the console makes and uses the file", Stays: "swap: the old file stays in use until the machine reboots"},
		{Key: "ntp", How: Live, Does: "the time service takes its servers"},
		{Key: "timezone", How: Live, Show: true, Does: "new sessions have it"},
		{Key: "locale", How: Live, Show: true, Does: "new sessions have it"},
		{Key: "ca_certs", How: Live, Does: "the console trusts them; the engine does when it restarts (ros service restart docker, which restarts containers)"},
		{Key: "growpart", How: Nothing, Does: idle},
		{Key: "resize_rootfs", How: Nothing, Does: idle},
		{Key: "final_message", How: Live, Does: "the consoles print it"},
		{Key: "power_state", How: Live, Does: once},
		{Key: "phone_home", How: Live, Does: once},
		{Key: "coreos", How: Live, Does: "the console starts and stops what differs"},

		{Key: "rancher.network.dhcp_timeout", How: Live, Show: true, Does: "it counts for the next lease"},
		{Key: "rancher.network.dns", How: Live, Does: "names are looked up there at once"},
		{Key: "rancher.network.interfaces", How: Live, Does: links},
		{Key: "rancher.network.wifi_networks", How: Live, Does: links},
		{Key: "rancher.network.rules", How: Live, Does: links},
		{Key: "rancher.network.firewall", How: Live, Does: "what is allowed changes at once; connections that are open stay"},
		{Key: "rancher.network.pre_cmds", How: Live, Does: "they run now, because they have changed, and at the next boot"},
		{Key: "rancher.network.post_cmds", How: Live, Does: "they run now, because they have changed, and at the next boot"},
		{Key: "rancher.network.http_proxy", How: Restart, Unit: "docker", Does: "new sessions have it, and the engine restarts with it" + stops},
		{Key: "rancher.network.https_proxy", How: Restart, Unit: "docker", Does: "new sessions have it, and the engine restarts with it" + stops},
		{Key: "rancher.network.no_proxy", How: Restart, Unit: "docker", Does: "new sessions have it, and the engine restarts with it" + stops},
		{Key: "rancher.docker", How: Restart, Unit: "docker", Does: "the engine restarts"},
		{Key: "rancher.ssh", How: Live, Does: "sshd reads it again; sessions stay"},
		{Key: "rancher.state", How: Reboot, Does: "the state partition is looked for at boot; directories begin to last then, or when the console starts again"},
		{Key: "rancher.cloud_init", How: Reboot, Does: "datasources are asked at boot"},
		{Key: "rancher.upgrade", How: Live, Does: "it counts for the next upgrade"},
		{Key: "rancher.console", How: Reboot, Show: true, Does: "the console is chosen at boot"},
		{Key: "rancher.services", How: Live, Does: "services that differ start, stop or restart"},
		{Key: "rancher.services_include", How: Live, Does: "these services start or stop"},
		{Key: "rancher.repositories", How: Live, Does: "it counts for the next look-up"},
		{Key: "rancher.registry_auths", How: Live, Does: console},
		{Key: "rancher.sysctl", How: Live, Does: "the kernel gets the values", Stays: "rancher.sysctl: settings that are not there any more keep their values until the machine reboots"},
		{Key: "rancher.modules", How: Live, Does: "modules that are new are loaded", Stays: "rancher.modules: modules that are not there any more stay loaded until the machine reboots"},
		{Key: "rancher.environment", How: Live, Does: "new sessions have it; services that take a changed name from it restart"},
		{Key: "rancher.autologin", How: Live, Does: "the terminals follow"},
		{Key: "rancher.password", How: Live, Does: console},
		{Key: "rancher.disable", How: Live, Does: console},
		{Key: "rancher.restart_services", How: Nothing, Does: idle},
		{Key: "rancher.shutdown_timeout", How: Live, Show: true, Does: "it counts for the next shutdown"},
		{Key: "rancher.http_load_retries", How: Live, Show: true, Does: "it counts for the next download"},
		{Key: "rancher.hypervisor_service", How: Reboot, Show: true, Does: "the guest service is chosen at boot"},
		{Key: "rancher.debug", How: Reboot, Show: true, Does: "the amount of logs is chosen at boot"},
		{Key: "rancher.log", How: Reboot, Show: true, Does: "it is about the boot"},
		{Key: "rancher.recovery", How: Reboot, Show: true, Does: "it is about the boot"},
		{Key: "rancher.defaults", How: Live, Does: "they count where no layer says anything"},
	}
}
