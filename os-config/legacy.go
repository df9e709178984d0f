package osconfig

import "strings"

// legacyNote says what becomes of a key that RancherOS, BurmillaOS, cloud-init
// or CoreOS know and Config does not; "" when nothing is known about it. The
// argument is a pattern path. A key that Config grows leaves this list.
func legacyNote(pattern string) string {
	const later = "not supported yet; it has no effect"
	const dropped = "not supported; it has no effect"
	if strings.HasPrefix(pattern, "rancher.") {
		return rancherNote(pattern)
	}
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
