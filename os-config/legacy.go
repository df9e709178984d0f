package osconfig

// legacyNote says what becomes of a key that RancherOS, BurmillaOS, cloud-init
// or CoreOS know and Config does not; "" when nothing is known about it. The
// argument is a pattern path. A key that Config grows leaves this list.
func legacyNote(pattern string) string {
	const (
		later   = "not supported yet; it has no effect"
		dropped = "not supported; it has no effect"
	)
	use := func(what string) string { return "not supported; use " + what }
	switch pattern {
	case "bootcmd", "mounts", "users", "groups", "chpasswd", "ntp", "timezone", "coreos", "network",
		"fqdn", "ssh_keys", "ssh_import_id", "ca_certs", "ca-certs", "locale", "keyboard", "swap",
		"power_state", "growpart", "resize_rootfs", "disk_setup", "fs_setup", "device_aliases",
		"phone_home", "password", "ssh_pwauth", "random_seed", "final_message":
		return later
	case "packages", "package_update", "package_upgrade", "package_reboot_if_required", "apt", "yum_repos",
		"snap", "zypper":
		return "not supported: the system is an image; put software in containers"
	case "puppet", "chef", "salt_minion", "ansible", "landscape", "mcollective", "rsyslog", "byobu":
		return dropped
	case "manage_etc_hosts", "preserve_hostname", "prefer_fqdn_over_hostname", "disable_root", "output",
		"system_info", "datasource_list", "datasource", "cloud_init_modules", "cloud_config_modules",
		"cloud_final_modules", "merge_how", "merge_type", "no_ssh_fingerprints", "ssh_deletekeys",
		"ssh_genkeytypes", "resize_rootfs_tmp", "vendor_data", "ssh", "ssh_fp_console_blacklist", "warnings":
		return dropped
	case "k3os":
		return dropped

	case "rancher.console", "rancher.services", "rancher.registry_auths", "rancher.repositories",
		"rancher.upgrade", "rancher.password", "rancher.resize_device", "rancher.restart_services",
		"rancher.hypervisor_service", "rancher.disable", "rancher.log", "rancher.preload_wait",
		"rancher.http_load_retries", "rancher.defaults":
		return later
	case "rancher.bootstrap", "rancher.cloud_init_services", "rancher.bootstrap_docker":
		return "not supported: there is no bootstrap engine; it has no effect"
	case "rancher.system_docker", "rancher.system_docker_logs":
		return "not supported: system services run in containerd; it has no effect"
	case "rancher.rm_usr", "rancher.no_sharedroot", "rancher.force_console_rebuild", "rancher.autoformat":
		return dropped
	case "rancher.ssh.keys":
		return later

	case "rancher.state.directory", "rancher.state.wait", "rancher.state.rngd", "rancher.state.formatzero":
		return dropped + ": it is not needed any more"
	case "rancher.state.autoformat", "rancher.state.mdadm_scan", "rancher.state.lvm_scan",
		"rancher.state.cryptsetup", "rancher.state.script", "rancher.state.oem_fstype",
		"rancher.state.oem_dev", "rancher.state.boot_fstype", "rancher.state.boot_dev":
		return later

	case "rancher.network.pre_cmds", "rancher.network.post_cmds", "rancher.network.wifi_networks":
		return later
	case "rancher.network.modem_networks":
		return dropped
	case "rancher.network.interfaces.*.dhcp_args":
		return "not supported: DHCP is built in; it has no effect"
	case "rancher.network.interfaces.*.ipv4ll", "rancher.network.interfaces.*.bridge",
		"rancher.network.interfaces.*.bond", "rancher.network.interfaces.*.bond_opts",
		"rancher.network.interfaces.*.vlans", "rancher.network.interfaces.*.pre_up",
		"rancher.network.interfaces.*.post_up", "rancher.network.interfaces.*.wifi_network",
		"rancher.network.interfaces.*.routes", "rancher.network.interfaces.*.metric":
		return later

	case "rancher.docker.engine", "rancher.docker.tls", "rancher.docker.tls_args",
		"rancher.docker.server_cert", "rancher.docker.server_key", "rancher.docker.ca_cert",
		"rancher.docker.ca_key", "rancher.docker.userns_enabled":
		return later
	case "rancher.docker.args":
		return use("rancher.docker.extra_args")
	case "rancher.docker.storage_context", "rancher.docker.exec", "rancher.docker.containerd",
		"rancher.docker.exec_root", "rancher.docker.pid_file", "rancher.docker.restart",
		"rancher.docker.selinux_enabled":
		return dropped + ": the engine runs in a container of its own"
	}
	return ""
}

// isSecret says whether the value at a pattern path is left out of an export
// that others may see. Keys that are not supported yet count too: they stand
// in people's files.
func isSecret(pattern string) bool {
	switch pattern {
	case "rancher.password", "password", "chpasswd", "users", "ssh_keys",
		"rancher.registry_auths", "rancher.ssh.keys", "rancher.docker.server_key", "rancher.docker.ca_key",
		"rancher.network.wifi_networks":
		return true
	}
	return false
}
