package osconfig

// Rancher is the rancher section.
type Rancher struct {
	// Links, addresses, names and proxies.
	Network Network `yaml:"network,omitempty"`
	// The user container engine.
	Docker Engine `yaml:"docker,omitempty"`
	// The console's SSH server.
	SSH SSH `yaml:"ssh,omitempty"`
	// Where state is kept.
	State State `yaml:"state,omitempty"`
	// Where configuration comes from.
	CloudInit CloudInit `yaml:"cloud_init,omitempty"`
	// Where new versions come from.
	Upgrade Upgrade `yaml:"upgrade,omitempty"`
	// Name of the console.
	Console string `yaml:"console,omitempty"`
	// Services of your own, in compose form.
	Services map[string]Service `yaml:"services,omitempty"`
	// Services of the catalogue, and whether they are on.
	ServicesInclude map[string]bool `yaml:"services_include,omitempty"`
	// Places of service catalogues.
	Repositories map[string]Repository `yaml:"repositories,omitempty"`
	// Credentials by registry.
	RegistryAuths map[string]RegistryAuth `yaml:"registry_auths,omitempty"`
	// Kernel settings by name, with dots or slashes.
	Sysctl map[string]string `yaml:"sysctl,omitempty"`
	// Kernel modules to load: "name arg=val …".
	Modules []string `yaml:"modules,omitempty"`
	// Environment of the console, and of services that ask for a name; SERVICE/NAME is for one service alone.
	Environment map[string]string `yaml:"environment,omitempty"`
	// Terminals that log rancher in by themselves, without /dev/: tty1, ttyS0.
	Autologin Texts `yaml:"autologin,omitempty"`
	// Password of the user rancher, plain text or a crypt(3) hash.
	Password string `yaml:"password,omitempty"`
	// Things to leave out although another layer asks for them: password, autologin.
	Disable []string `yaml:"disable,omitempty"`
	// Services that are started again when the sysctls are set.
	RestartServices []string `yaml:"restart_services,omitempty"`
	// Seconds after which a shutdown is forced; 0 is the default, 60.
	ShutdownTimeout int `yaml:"shutdown_timeout,omitempty"`
	// How often downloads are tried; 0 is 6.
	HTTPLoadRetries int `yaml:"http_load_retries,omitempty"`
	// Whether the guest service of the hypervisor that was found is on. Nil is yes.
	HypervisorService *bool `yaml:"hypervisor_service,omitempty"`
	// Detailed logs.
	Debug bool `yaml:"debug,omitempty"`
	// Print the output of services on the boot console.
	Log bool `yaml:"log,omitempty"`
	// Boot into the recovery console; for the kernel command line.
	Recovery bool `yaml:"recovery,omitempty"`
	// What holds where no layer says anything.
	Defaults Defaults `yaml:"defaults,omitempty"`
}

// SSH is rancher.ssh.
type SSH struct {
	// Whether sshd runs. Nil is yes.
	Daemon *bool `yaml:"daemon,omitempty"`
	// Port; 0 is 22.
	Port int `yaml:"port,omitempty"`
	// Address to listen on; empty is every one.
	ListenAddress string `yaml:"listen_address,omitempty"`
	// Host keys by type: rsa, rsa-pub, ecdsa, ecdsa-pub, ed25519, ed25519-pub.
	Keys map[string]string `yaml:"keys,omitempty"`
}

// State is rancher.state: where the state file system is.
type State struct {
	// LABEL=…, UUID=…, PARTLABEL=…, /dev/…, or none; empty is LABEL=PHAROS_STATE.
	Dev string `yaml:"dev,omitempty"`
	// File system; empty is auto.
	FSType string `yaml:"fstype,omitempty"`
	// Whether the boot ends in the recovery console without it.
	Required bool `yaml:"required,omitempty"`
	// More directories that last, such as /data; /home, /root, /srv, /opt,
	// /usr/local, /mnt, /media and /var always do. Each begins empty, at the next
	// boot or start of the console.
	Directories []string `yaml:"directories,omitempty"`
	// Disks that may be formatted for it when they are empty.
	Autoformat []string `yaml:"autoformat,omitempty"`
	// Whether RAID arrays are assembled first.
	MdadmScan bool `yaml:"mdadm_scan,omitempty"`
	// Whether LVM volumes are activated first.
	LVMScan bool `yaml:"lvm_scan,omitempty"`
	// Whether LUKS volumes are opened first.
	Cryptsetup bool `yaml:"cryptsetup,omitempty"`
}

// CloudInit is rancher.cloud_init.
type CloudInit struct {
	// Sources to ask, TYPE or TYPE:PLACE, instead of the one that the machine's firmware tells; none asks nobody.
	Datasources []string `yaml:"datasources,omitempty"`
}

// Upgrade is rancher.upgrade.
type Upgrade struct {
	// List of releases.
	URL string `yaml:"url,omitempty"`
	// Image that holds releases.
	Image string `yaml:"image,omitempty"`
	// none, download or auto.
	Policy string `yaml:"policy,omitempty"`
}

// Repository is one entry of rancher.repositories.
type Repository struct {
	// Address of its index.
	URL string `yaml:"url,omitempty"`
}

// RegistryAuth is one entry of rancher.registry_auths.
type RegistryAuth struct {
	// User name and password, with a colon between, in base64.
	Auth string `yaml:"auth,omitempty"`
	// User name.
	Username string `yaml:"username,omitempty"`
	// Password.
	Password string `yaml:"password,omitempty"`
	// Accepted.
	Email string `yaml:"email,omitempty"`
	// Address of the registry when it is not the key.
	ServerAddress string `yaml:"serveraddress,omitempty"`
	// OAuth2 token to get others with.
	IdentityToken string `yaml:"identitytoken,omitempty"`
	// Bearer token.
	RegistryToken string `yaml:"registrytoken,omitempty"`
}

// Defaults is rancher.defaults.
type Defaults struct {
	// Host name when neither the configuration, the datasource nor DHCP says one.
	Hostname string `yaml:"hostname,omitempty"`
	// The engine's defaults.
	Docker Engine `yaml:"docker,omitempty"`
	// The network's defaults.
	Network Network `yaml:"network,omitempty"`
}

// Engine is rancher.docker: the user container engine's options. What is not
// set is the engine's default.
type Engine struct {
	// Whether it runs. Nil is yes.
	Enabled *bool `yaml:"enabled,omitempty"`
	// Name of the engine; empty is docker.
	Engine string `yaml:"engine,omitempty"`
	// "host" gives the engine the host's PID namespace.
	PID string `yaml:"pid,omitempty"`
	// Network bridge; none is no bridge.
	Bridge string `yaml:"bridge,omitempty"`
	// Address of the bridge, with its prefix length.
	BIP string `yaml:"bip,omitempty"`
	// Configuration file of the engine's own.
	ConfigFile string `yaml:"config_file,omitempty"`
	// Detailed logs.
	Debug bool `yaml:"debug,omitempty"`
	// Where images and containers are kept.
	DataRoot string `yaml:"data_root,omitempty"`
	// RancherOS's name of data_root.
	Graph string `yaml:"graph,omitempty"`
	// Group of the socket.
	Group string `yaml:"group,omitempty"`
	// Sockets to listen on.
	Host Texts `yaml:"host,omitempty"`
	// Registries without TLS.
	InsecureRegistry Texts `yaml:"insecure_registry,omitempty"`
	// Whether containers go on while dockerd alone restarts. Nil is yes.
	LiveRestore *bool `yaml:"live_restore,omitempty"`
	// Log driver of containers.
	LogDriver string `yaml:"log_driver,omitempty"`
	// Options of the log driver.
	LogOpts map[string]string `yaml:"log_opts,omitempty"`
	// Mirror of the default registry.
	RegistryMirror Texts `yaml:"registry_mirror,omitempty"`
	// Storage driver.
	StorageDriver string `yaml:"storage_driver,omitempty"`
	// Whether published ports have a proxy process.
	UserlandProxy *bool `yaml:"userland_proxy,omitempty"`
	// Whether containers' users are mapped to others of the host.
	UsernsEnabled bool `yaml:"userns_enabled,omitempty"`
	// Whether TCP sockets ask for certificates.
	TLS bool `yaml:"tls,omitempty"`
	// Flags that hold when tls is on.
	TLSArgs []string `yaml:"tls_args,omitempty"`
	// Certificate of the server, PEM.
	ServerCert string `yaml:"server_cert,omitempty"`
	// Private key of the server, PEM.
	ServerKey string `yaml:"server_key,omitempty"`
	// Certificate of the authority, PEM.
	CACert string `yaml:"ca_cert,omitempty"`
	// Private key of the authority, PEM.
	CAKey string `yaml:"ca_key,omitempty"`
	// Further flags.
	ExtraArgs []string `yaml:"extra_args,omitempty"`
	// Environment of the daemon, NAME=VALUE.
	Environment Pairs `yaml:"environment,omitempty"`
	// Swarm that the machine is part of. With it containers stop when the daemon does.
	Swarm Swarm `yaml:"swarm,omitempty"`
}

// Swarm is rancher.docker.swarm. A machine makes or joins a swarm only while it
// is in none. The other keys apply to a member, too.
type Swarm struct {
	// Make a new swarm, with this machine as its manager.
	Init bool `yaml:"init,omitempty"`
	// Swarm to join.
	Join SwarmJoin `yaml:"join,omitempty"`
	// Address of this machine, or name of the link that has it, for the other machines; empty is its only address.
	AdvertiseAddr string `yaml:"advertise_addr,omitempty"`
	// Address, or name of a link, for the traffic of overlay networks; empty is advertise_addr.
	DataPathAddr string `yaml:"data_path_addr,omitempty"`
	// active, pause or drain; empty leaves it as it is.
	Availability string `yaml:"availability,omitempty"`
	// Labels of the engine and, where this machine is a manager, of its node. One that is taken out here goes from the node. Labels that others set stay.
	Labels map[string]string `yaml:"labels,omitempty"`
	// Whether managers need the unlock key after a restart; the leader's configuration counts. Nil leaves it as it is.
	Autolock *bool `yaml:"autolock,omitempty"`
}

// SwarmJoin is rancher.docker.swarm.join.
type SwarmJoin struct {
	// Managers, HOST or HOST:PORT; the port is 2377 if not given. They are tried in order. An empty list joins nothing.
	Remote Texts `yaml:"remote,omitempty"`
	// Token of a worker or a manager, from: ros engine swarm token.
	Token string `yaml:"token,omitempty"`
}

// On reports whether the machine is to be in a swarm.
func (s Swarm) On() bool {
	return s.Init || len(s.Join.Remote) > 0 && s.Join.Token != ""
}
