package osconfig

import (
	"slices"
	"strings"
)

// rancherNote is legacyNote below rancher. What holds below rancher.network
// and rancher.docker holds below rancher.defaults too.
func rancherNote(pattern string) string {
	pattern = undefaulted(pattern)
	for _, note := range []func(string) string{sectionNote, stateNote, networkNote, engineNote, serviceNote} {
		if text := note(pattern); text != "" {
			return text
		}
	}
	return ""
}

// undefaulted is the pattern that rancher.defaults stands in for.
func undefaulted(pattern string) string {
	for _, section := range []string{"network", "docker"} {
		if strings.HasPrefix(pattern, "rancher.defaults."+section+".") {
			return "rancher." + strings.TrimPrefix(pattern, "rancher.defaults.")
		}
	}
	return pattern
}

const (
	noEffect  = "not supported; it has no effect"
	automatic = "not needed any more; it has no effect"
)

func useInstead(what string) string { return "not supported; use " + what }

// renamed is useInstead for a key that may not be carried out yet itself.
func renamed(key string) string {
	if notCarriedOut(key) != "" {
		return noEffect + ": here it is " + key + ", which is not carried out yet"
	}
	return useInstead(key)
}

func sectionNote(pattern string) string {
	const bootstrap = "not supported: there is no bootstrap engine; use rancher.modules, or bootcmd for what runs early"
	const ownServices = noEffect + ": run them as containers, from coreos.units"
	switch pattern {
	case "rancher.bootstrap", "rancher.bootstrap_docker", "rancher.bootstrap_containers",
		"rancher.defaults.bootstrap_docker":
		return bootstrap
	case "rancher.autoformat":
		return renamed("rancher.state.autoformat")
	case "rancher.cloud_init_services":
		return "not supported: the datasources are built in; use rancher.cloud_init.datasources"
	case "rancher.system_docker":
		return "not supported: system services run in containerd, which has no options; it has no effect"
	case "rancher.system_docker_logs", "rancher.defaults.system_docker_logs":
		return "not supported: system services run in containerd; use ros logs"
	case "rancher.user_docker", "rancher.userdocker":
		return useInstead("rancher.docker")
	case "rancher.system_containers", "rancher.user_containers":
		return ownServices
	case "rancher.enabled_addons":
		return useInstead("rancher.services_include")
	case "rancher.services_path":
		return ownServices
	case "rancher.resize_device":
		return "not needed any more: the last partition and its file system always grow; it has no effect"
	case "rancher.preload_wait":
		return "not needed any more: the console and services wait for the images that they need; it has no effect"
	case "rancher.rm_usr":
		return "not needed any more: /usr is part of the read-only image; it has no effect"
	case "rancher.no_sharedroot":
		return automatic
	case "rancher.force_console_rebuild":
		return "not needed any more: the console is new at every boot; it has no effect"
	case "rancher.selinux_enabled":
		return noEffect + ": there is no SELinux policy"
	case "rancher.ssh_authorized_keys", "rancher.ssh.authorized_keys":
		return useInstead("ssh_authorized_keys at the top level")
	case "rancher.write_files":
		return useInstead("write_files at the top level")
	case "rancher.runcmd":
		return useInstead("runcmd at the top level")
	case "rancher.mounts":
		return useInstead("mounts at the top level")
	case "rancher.hostname":
		return useInstead("hostname at the top level")
	case "rancher.ntp":
		return useInstead("ntp at the top level")
	case "rancher.ssh.password_authentication":
		return useInstead("ssh_pwauth at the top level")
	case "rancher.ssh.permit_root_login":
		return useInstead("disable_root at the top level")
	case "rancher.upgrade.rollback":
		return noEffect
	case "rancher.defaults.system_docker":
		return "not supported: system services run in containerd; it has no effect"
	}
	return ""
}

func stateNote(pattern string) string {
	switch pattern {
	case "rancher.state.directory":
		return noEffect + ": state is the root of its file system; give it a file system of its own"
	case "rancher.state.wait":
		return "not needed any more: the boot always waits for the state device; it has no effect"
	case "rancher.state.formatzero":
		return renamed("rancher.state.autoformat")
	case "rancher.state.rngd":
		return "not needed any more: the kernel has random numbers from the start; it has no effect"
	case "rancher.state.script":
		return useInstead("bootcmd, which runs when state is mounted")
	case "rancher.state.oem_dev", "rancher.state.oem_fstype":
		return "not supported: OEM settings stand in pharos/cloud-config.yml on the EFI partition; it has no effect"
	case "rancher.state.boot_dev", "rancher.state.boot_fstype":
		return "not needed any more: the boot partition is found by its label; it has no effect"
	}
	return ""
}

func networkNote(pattern string) string {
	switch pattern {
	case "rancher.network.modem_networks":
		return noEffect + ": there is no driver service for modems; run ModemManager in a container, from coreos.units"
	case "rancher.network.hostname":
		return useInstead("hostname at the top level")
	case "rancher.network.nameservers":
		return useInstead("rancher.network.dns.nameservers")
	case "rancher.network.dns.override":
		return "not needed any more: what is set in dns wins over a lease; it has no effect"
	case "rancher.network.dns.domain":
		return useInstead("rancher.network.dns.search")
	}
	return ""
}

func engineNote(pattern string) string {
	const own = noEffect + ": the engine runs in a container of its own"
	switch pattern {
	case "rancher.docker.args":
		return useInstead("rancher.docker.extra_args")
	case "rancher.docker.storage_context", "rancher.docker.exec", "rancher.docker.containerd",
		"rancher.docker.exec_root", "rancher.docker.pid_file":
		return own
	case "rancher.docker.restart":
		return own + "; live_restore says whether containers outlive dockerd"
	case "rancher.docker.swarm.advertise", "rancher.docker.swarm.data_path":
		return useInstead(pattern + "_addr")
	case "rancher.docker.swarm.token", "rancher.docker.swarm.remote":
		return useInstead("rancher.docker.swarm.join" + strings.TrimPrefix(pattern, "rancher.docker.swarm"))
	case "rancher.docker.selinux_enabled":
		return noEffect + ": there is no SELinux policy"
	}
	return ""
}

// rancherNotCarriedOut is notCarriedOut below rancher.
func rancherNotCarriedOut(pattern string) string {
	const note = "it has no effect"
	pattern = undefaulted(pattern)
	switch pattern {
	case "rancher.services", "rancher.repositories", "rancher.console", "rancher.upgrade", "rancher.restart_services",
		"rancher.http_load_retries", "rancher.hypervisor_service", "rancher.log", "rancher.defaults",
		"rancher.state.autoformat", "rancher.state.mdadm_scan", "rancher.state.lvm_scan", "rancher.state.cryptsetup",
		"rancher.docker.userns_enabled":
		return note
	}
	return ""
}

// rancherSecret is isSecret below rancher. The keys of free mappings may
// stand in the pattern as they are or as "*".
func rancherSecret(pattern string) bool {
	pattern = undefaulted(pattern)
	switch pattern {
	case "rancher.password", "rancher.ssh.keys", "rancher.docker.server_key", "rancher.docker.ca_key",
		"rancher.docker.swarm.join.token", "rancher.docker.swarm.token":
		return true
	}
	last := strings.TrimSuffix(pattern[strings.LastIndexByte(pattern, '.')+1:], "[]")
	for section, keys := range map[string][]string{
		"rancher.registry_auths":        {"auth", "password", "identitytoken", "registrytoken"},
		"rancher.network.wifi_networks": {"psk", "password", "private_key_passwds"},
		"rancher.network.interfaces":    {"private_key", "preshared_key"},
	} {
		if strings.HasPrefix(pattern, section+".") && slices.Contains(keys, last) {
			return true
		}
	}
	return false
}
