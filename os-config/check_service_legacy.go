package osconfig

import "strings"

const nothingBuilt = "nothing is built on the machine; build the image elsewhere and name it with image"

// isBuild says whether a key of a service is about the building of its image.
func isBuild(e Entry) bool { return e.Key == "build" || e.Key == "dockerfile" }

// saidOfImage says whether e of the mapping n is what the referee calls an
// error, because n is a service that has no image.
func saidOfImage(n *Node, e Entry, pattern string) bool {
	return isBuild(e) && pattern == "rancher.services.*."+e.Key && textAt(n, "image") == ""
}

// serviceNote says what to write instead of a key of newer compose files:
// rancher.services has the form of version 1.
func serviceNote(pattern string) string {
	const (
		limits  = "not supported; use mem_limit, memswap_limit, cpu_shares, cpu_quota and cpuset"
		network = "not supported; use net: host, none, bridge or container:NAME"
	)
	key, ok := strings.CutPrefix(pattern, "rancher.services.*.")
	if !ok {
		return ""
	}
	switch key {
	case "build", "dockerfile":
		return "not supported: " + nothingBuilt
	case "deploy":
		return "not supported: there is no swarm; use restart, mem_limit, cpu_shares and labels"
	case "scale":
		return "not supported; write one service for each container"
	case "healthcheck":
		return "not supported; let the command end when it is not healthy and use restart: always"
	case "networks", "network":
		return network
	case "secrets", "configs":
		return "not supported; write the file with write_files and mount it with volumes"
	case "logging":
		return "not supported; use log_driver and log_opt"
	case "sysctls":
		return "not supported; use rancher.sysctl, which holds for the machine"
	case "cpus":
		return "not supported; use cpu_quota, 100000 for each CPU"
	case "cpu_period":
		return "not supported; it is 100000, use cpu_quota"
	case "cpu_count", "cpu_percent", "cpu_rt_runtime", "cpu_rt_period", "mem_reservation", "mem_swappiness", "blkio_config":
		return limits
	case "pids_limit":
		return "not supported; use ulimits with nproc"
	case "group_add":
		return "not supported; use user: NAME:GROUP"
	case "extends":
		return "not supported; a YAML anchor and << say the same"
	case "profiles":
		return "not supported; leave the service out, or use the label io.rancher.os.createonly"
	case "pull_policy":
		return "not supported: an image that is not there is pulled; it has no effect"
	case "platform":
		return "not supported: images are those of the machine's architecture; it has no effect"
	case "init":
		return "not supported; use an image whose entrypoint reaps, like tini"
	case "runtime", "isolation", "userns_mode", "oom_score_adj", "oom_kill_disable", "storage_opt", "credential_spec",
		"dns_opt", "attach", "develop", "provider", "models", "pre_stop":
		return noEffect
	case "cgroup":
		return "not supported; use cgroup_parent"
	case "stop_grace_period":
		return "not supported; rancher.shutdown_timeout bounds the shutdown"
	case "annotations", "label_file":
		return "not supported; use labels"
	case "device_cgroup_rules", "gpus":
		return "not supported; use devices"
	case "post_start":
		return "not supported; write a second service with the label io.rancher.os.after"
	case "use_api_socket":
		return "not supported; mount the socket with volumes"
	}
	return ""
}
