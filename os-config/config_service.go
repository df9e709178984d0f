package osconfig

// Service is one entry of rancher.services: a service in compose form. The
// labels io.rancher.os.* say where and when it runs.
type Service struct {
	// Image to run.
	Image string `yaml:"image,omitempty"`
	// Command, instead of the image's.
	Command Command `yaml:"command,omitempty"`
	// Entry point, instead of the image's.
	Entrypoint Command `yaml:"entrypoint,omitempty"`
	// Accepted: the container has the service's name.
	ContainerName string `yaml:"container_name,omitempty"`
	// Capabilities to add.
	CapAdd []string `yaml:"cap_add,omitempty"`
	// Capabilities to take away.
	CapDrop []string `yaml:"cap_drop,omitempty"`
	// Control group to run below.
	CgroupParent string `yaml:"cgroup_parent,omitempty"`
	// Microseconds of CPU time in each 100 ms.
	CPUQuota int `yaml:"cpu_quota,omitempty"`
	// CPUs to run on, 0-2,4.
	CPUSet string `yaml:"cpuset,omitempty"`
	// CPU weight; 1024 is that of others.
	CPUShares int `yaml:"cpu_shares,omitempty"`
	// Memory limit: bytes, or with k, m or g behind.
	MemLimit string `yaml:"mem_limit,omitempty"`
	// Limit of memory and swap together.
	MemSwapLimit string `yaml:"memswap_limit,omitempty"`
	// Devices: HOST[:CONTAINER[:rwm]].
	Devices []string `yaml:"devices,omitempty"`
	// Name servers.
	DNS Texts `yaml:"dns,omitempty"`
	// Search domains.
	DNSSearch Texts `yaml:"dns_search,omitempty"`
	// Domain name.
	Domainname string `yaml:"domainname,omitempty"`
	// Host name.
	Hostname string `yaml:"hostname,omitempty"`
	// Files with NAME=VALUE lines.
	EnvFile Texts `yaml:"env_file,omitempty"`
	// Environment; a name without a value takes it from rancher.environment, NAME* all that begin so.
	Environment Pairs `yaml:"environment,omitempty"`
	// Ports that others in the same network may reach.
	Expose []string `yaml:"expose,omitempty"`
	// Links to containers that are no services: NAME[:ALIAS].
	ExternalLinks []string `yaml:"external_links,omitempty"`
	// Links to services, which start before: NAME[:ALIAS].
	Links []string `yaml:"links,omitempty"`
	// Services that start before.
	DependsOn Texts `yaml:"depends_on,omitempty"`
	// Lines for /etc/hosts: NAME:ADDRESS.
	ExtraHosts []string `yaml:"extra_hosts,omitempty"`
	// Labels; io.rancher.os.* have a meaning.
	Labels Dict `yaml:"labels,omitempty"`
	// Log driver.
	LogDriver string `yaml:"log_driver,omitempty"`
	// Options of the log driver.
	LogOpt map[string]string `yaml:"log_opt,omitempty"`
	// MAC address.
	MACAddress string `yaml:"mac_address,omitempty"`
	// Network: host, none, bridge, container:NAME.
	Net string `yaml:"net,omitempty"`
	// Newer name of net.
	NetworkMode string `yaml:"network_mode,omitempty"`
	// PID namespace: host or container:NAME.
	PID string `yaml:"pid,omitempty"`
	// IPC namespace: host or container:NAME.
	IPC string `yaml:"ipc,omitempty"`
	// UTS namespace: host.
	UTS string `yaml:"uts,omitempty"`
	// Published ports: [[ADDRESS:]HOST:]CONTAINER[/udp].
	Ports []string `yaml:"ports,omitempty"`
	// All capabilities and devices.
	Privileged bool `yaml:"privileged,omitempty"`
	// Whether the container's root is read-only.
	ReadOnly bool `yaml:"read_only,omitempty"`
	// When it starts again: no, always, on-failure[:TIMES], unless-stopped.
	Restart string `yaml:"restart,omitempty"`
	// Security options.
	SecurityOpt []string `yaml:"security_opt,omitempty"`
	// Size of /dev/shm.
	ShmSize string `yaml:"shm_size,omitempty"`
	// Keep standard input open.
	StdinOpen bool `yaml:"stdin_open,omitempty"`
	// Signal that asks it to end.
	StopSignal string `yaml:"stop_signal,omitempty"`
	// In-memory file systems: PATH[:OPTIONS].
	Tmpfs Texts `yaml:"tmpfs,omitempty"`
	// Give it a terminal.
	TTY bool `yaml:"tty,omitempty"`
	// Limits: NAME to a number or {soft, hard}.
	Ulimits map[string]Ulimit `yaml:"ulimits,omitempty"`
	// User to run as.
	User string `yaml:"user,omitempty"`
	// Driver of named volumes.
	VolumeDriver string `yaml:"volume_driver,omitempty"`
	// Volumes: [HOST-OR-NAME:]PATH[:OPTIONS].
	Volumes []string `yaml:"volumes,omitempty"`
	// Services whose volumes it has too.
	VolumesFrom []string `yaml:"volumes_from,omitempty"`
	// Working directory.
	WorkingDir string `yaml:"working_dir,omitempty"`
}

// Ulimit is one limit. A number alone is both.
type Ulimit struct {
	// What holds; -1 is no limit.
	Soft int `yaml:"soft"`
	// How far it can be raised; -1 is no limit.
	Hard int `yaml:"hard"`
}
