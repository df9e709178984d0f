package osconfig

// rancherNote is legacyNote below rancher.
func rancherNote(pattern string) string {
	const (
		later   = "not supported yet; it has no effect"
		dropped = "not supported; it has no effect"
	)
	use := func(what string) string { return "not supported; use " + what }
	switch pattern {
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

// rancherNotCarriedOut is notCarriedOut below rancher.
func rancherNotCarriedOut(pattern string) string {
	return ""
}

// rancherSecret is isSecret below rancher.
func rancherSecret(pattern string) bool {
	switch pattern {
	case "rancher.password", "rancher.registry_auths", "rancher.ssh.keys", "rancher.docker.server_key",
		"rancher.docker.ca_key", "rancher.network.wifi_networks":
		return true
	}
	return false
}
