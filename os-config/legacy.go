package osconfig

import "strings"

// legacyNote says what becomes of a key that RancherOS, BurmillaOS, cloud-init,
// CoreOS or k3os know and Config does not; "" when nothing is known about it.
// The argument is a pattern path. A key that Config grows leaves this list.
func legacyNote(pattern string) string {
	if strings.HasPrefix(pattern, "rancher.") {
		return rancherNote(pattern)
	}
	pattern = strings.ReplaceAll(pattern, "-", "_")
	if section, _, nested := strings.Cut(pattern, "."); nested {
		return nestedNote(section, pattern)
	}
	use := func(what string) string { return "not supported; use " + what }
	switch pattern {
	case "packages", "apt", "apt_sources", "apt_mirror", "apt_proxy", "apt_pipelining", "apk_repos", "yum_repos",
		"yum_repo_dir", "grub_dpkg", "drivers", "zypper", "snap", "snappy":
		return "not supported: the system is an image without packages; run the software in a container: docker run, in coreos.units or runcmd"
	case "package_update", "package_upgrade", "package_reboot_if_required", "apt_update", "apt_upgrade",
		"apt_reboot_if_required", "unattended_upgrades", "updates":
		return "not supported: the system is an image without packages; a newer image brings newer ones"
	case "network", "wireguard":
		return use("rancher.network")
	case "ethernets", "bonds", "bridges", "vlans", "wifis", "tunnels", "vrfs", "dummy_devices", "modems", "renderer":
		return "not supported; use rancher.network (network-config is a file of its own on a seed disk)"
	case "instance_id", "local_hostname", "public_keys":
		return "not supported; it is a key of meta-data, which is a file of its own on a seed disk"
	case "resolv_conf", "manage_resolv_conf":
		return use("rancher.network.dns")
	case "ssh_import_id":
		return use("ssh_authorized_keys with the keys themselves")
	case "user", "default_user", "system_info":
		return use("users")
	case "ssh":
		return use("rancher.ssh")
	case "datasource_list", "datasource":
		return use("rancher.cloud_init.datasources")
	case "disk_setup", "fs_setup", "device_aliases":
		return "not supported; it has no effect: bootcmd can do it"
	case "disable_root_opts", "authkey_hash", "ssh_quiet_keygen", "ssh_publish_hostkeys", "ssh_deletekeys", "ssh_genkeytypes",
		"no_ssh_fingerprints", "ssh_fp_console_blacklist", "ssh_key_console_blacklist", "allow_public_ssh_keys":
		return "not supported; it has no effect: rancher.ssh and ssh_keys are what can be said about the SSH server"
	case "preserve_hostname", "prefer_fqdn_over_hostname", "create_hostname_file":
		return "not supported; it has no effect: hostname here wins over what a cloud says"
	case "k3os":
		return "not supported; it has no effect: run k3s as a container, from coreos.units"
	case "puppet", "chef", "salt_minion", "ansible", "landscape", "mcollective", "rsyslog", "byobu", "lxd", "fan",
		"rh_subscription", "spacewalk", "ubuntu_advantage", "ubuntu_pro", "autoinstall", "keyboard", "random_seed",
		"output", "cloud_init_modules", "cloud_config_modules", "cloud_final_modules", "merge_how", "merge_type",
		"resize_rootfs_tmp", "byobu_by_default", "launch_index", "locale_configfile", "rpi", "version", "vendor_data", "vendor_data2", "warnings", "migrate", "disable_ec2_metadata", "reporting":
		return "not supported; it has no effect"
	}
	return ""
}

// nestedNote is legacyNote below a top-level key of cloud-init or CoreOS.
func nestedNote(section, pattern string) string {
	switch pattern {
	case "users[].ssh_import_id", "users[].coreos_ssh_import_github", "users[].coreos_ssh_import_github_users",
		"users[].coreos_ssh_import_url":
		return "not supported; use ssh_authorized_keys with the keys themselves"
	case "users[].selinux_user", "users[].doas", "users[].snapuser", "users[].no_log_init", "users[].create_groups":
		return "not supported; it has no effect"
	case "write_files[].source":
		return "not supported; it has no effect: fetch the file in runcmd with curl"
	case "ntp.config", "ntp.peers", "ntp.allow":
		return "not supported; it has no effect: chrony is told servers and pools"
	}
	if section == "coreos" {
		switch pattern {
		case "coreos.etcd", "coreos.etcd2", "coreos.fleet", "coreos.flannel", "coreos.locksmith", "coreos.oem":
			return "not supported; it has no effect: run it as a container, from coreos.units"
		}
	}
	return ""
}

// notCarriedOut says what is missing of a key that decodes and is checked but
// does nothing yet, as the end of a sentence; "" for all that work. Who
// carries one out deletes its line.
func notCarriedOut(pattern string) string {
	if strings.HasPrefix(pattern, "rancher.") {
		return rancherNotCarriedOut(pattern)
	}
	return ""
}

// isSecret says whether the value at a pattern path is left out of an export
// that others may see, and never printed in a message or a log.
func isSecret(pattern string) bool {
	switch pattern {
	case "password", "ssh_keys", "chpasswd.list", "chpasswd.users[].password",
		"users[].passwd", "users[].hashed_passwd", "users[].plain_text_passwd":
		return true
	}
	return rancherSecret(pattern)
}

// secretAt is isSecret for what lies below a secret, too.
func secretAt(pattern string) bool {
	for i, c := range pattern {
		if (c == '.' || c == '[') && isSecret(pattern[:i]) {
			return true
		}
	}
	return isSecret(pattern)
}

// unprintable is secretAt, and true as well where people write a secret in
// place of the mapping that holds it: "user:word", an auth, a pass phrase.
func unprintable(pattern string) bool {
	switch pattern {
	case "chpasswd", "chpasswd.users", "chpasswd.users[]", "rancher.registry_auths", "rancher.registry_auths.*",
		"rancher.network.wifi_networks", "rancher.network.wifi_networks.*", "rancher.docker.swarm", "rancher.docker.swarm.join":
		return true
	}
	return secretAt(pattern)
}
