// Package osconfig owns the machine's configuration: its types, the law by
// which layers merge, its validation and the report of what is wrong where.
// It is pure: it opens no files, sockets or devices and knows nothing of how
// a setting is carried out.
package osconfig

// Config is the whole configuration of a machine. It is decoded once from the
// merged layers and never changed afterwards; each consumer is handed the
// section that it needs, by value.
type Config struct {
	// Hostname is the machine's name; empty means "ask DHCP, else pharos".
	Hostname string `yaml:"hostname,omitempty"`
	// SSHAuthorizedKeys are OpenSSH public keys, one per entry, for the
	// user rancher.
	SSHAuthorizedKeys []string `yaml:"ssh_authorized_keys,omitempty"`
	// WriteFiles are written in the console before RunCmd.
	WriteFiles []File `yaml:"write_files,omitempty"`
	// RunCmd runs in the console at every console start, in order.
	RunCmd []Command `yaml:"runcmd,omitempty"`
	// Rancher holds everything that is not cloud-init's.
	Rancher Rancher `yaml:"rancher,omitempty"`
}

// File is one entry of write_files.
type File struct {
	Path        string `yaml:"path"`
	Content     string `yaml:"content,omitempty"`
	Encoding    string `yaml:"encoding,omitempty"`    // "", b64, base64, gz, gzip, gz+b64, gz+base64, gzip+b64, gzip+base64
	Owner       string `yaml:"owner,omitempty"`       // user[:group], names or numbers; empty is root:root
	Permissions string `yaml:"permissions,omitempty"` // octal digits, "0644"; empty is 0644
	Container   string `yaml:"container,omitempty"`   // core service to write in; empty is console
}

// Command is one entry of runcmd: either a line for /bin/sh or an argument
// vector. Exactly one of the two is set.
type Command struct {
	Shell string
	Args  []string
}

// Rancher is the rancher: section.
type Rancher struct {
	Network         Network           `yaml:"network,omitempty"`
	Docker          Engine            `yaml:"docker,omitempty"`
	SSH             SSH               `yaml:"ssh,omitempty"`
	State           State             `yaml:"state,omitempty"`
	CloudInit       CloudInit         `yaml:"cloud_init,omitempty"`
	ServicesInclude map[string]bool   `yaml:"services_include,omitempty"`
	Sysctl          map[string]string `yaml:"sysctl,omitempty"`  // key (dots or slashes) → value
	Modules         []string          `yaml:"modules,omitempty"` // "name arg=val …"
	Environment     map[string]string `yaml:"environment,omitempty"`
	Autologin       []string          `yaml:"autologin,omitempty"`        // terminals without /dev/: tty1, ttyS0
	ShutdownTimeout int               `yaml:"shutdown_timeout,omitempty"` // seconds; 0 is the default, 60
	Debug           bool              `yaml:"debug,omitempty"`
	Recovery        bool              `yaml:"recovery,omitempty"` // handled by init before the manager; accepted here
}

// SSH is rancher.ssh. A nil Daemon means true.
type SSH struct {
	Daemon        *bool  `yaml:"daemon,omitempty"`
	Port          int    `yaml:"port,omitempty"` // 0 is 22
	ListenAddress string `yaml:"listen_address,omitempty"`
}

// State is rancher.state: where the state file system is.
type State struct {
	Dev      string `yaml:"dev,omitempty"`    // LABEL=…, UUID=…, PARTLABEL=…, /dev/…, "none"; empty is LABEL=PHAROS_STATE
	FSType   string `yaml:"fstype,omitempty"` // empty is auto
	Required bool   `yaml:"required,omitempty"`
}

// CloudInit is rancher.cloud_init.
type CloudInit struct {
	Datasources []string `yaml:"datasources,omitempty"`
}

// Engine is rancher.docker: the user container engine's options. A nil
// pointer means "the engine's default".
type Engine struct {
	Enabled          *bool             `yaml:"enabled,omitempty"` // nil is true
	PID              string            `yaml:"pid,omitempty"`     // "host" gives the engine the host's PID namespace
	Bridge           string            `yaml:"bridge,omitempty"`
	BIP              string            `yaml:"bip,omitempty"`
	ConfigFile       string            `yaml:"config_file,omitempty"`
	Debug            bool              `yaml:"debug,omitempty"`
	DataRoot         string            `yaml:"data_root,omitempty"`
	Graph            string            `yaml:"graph,omitempty"` // RancherOS's name of data_root
	Group            string            `yaml:"group,omitempty"`
	Host             []string          `yaml:"host,omitempty"`
	InsecureRegistry []string          `yaml:"insecure_registry,omitempty"`
	LiveRestore      *bool             `yaml:"live_restore,omitempty"` // nil is true
	LogDriver        string            `yaml:"log_driver,omitempty"`
	LogOpts          map[string]string `yaml:"log_opts,omitempty"`
	RegistryMirror   string            `yaml:"registry_mirror,omitempty"`
	StorageDriver    string            `yaml:"storage_driver,omitempty"`
	UserlandProxy    *bool             `yaml:"userland_proxy,omitempty"`
	ExtraArgs        []string          `yaml:"extra_args,omitempty"`
	Environment      []string          `yaml:"environment,omitempty"` // KEY=VALUE for dockerd
}

// Network is rancher.network.
type Network struct {
	DHCPTimeout int                  `yaml:"dhcp_timeout,omitempty"` // seconds until a link without a lease counts as failed; 0 is 30
	DNS         DNS                  `yaml:"dns,omitempty"`
	Interfaces  map[string]Interface `yaml:"interfaces,omitempty"`
	HTTPProxy   string               `yaml:"http_proxy,omitempty"`
	HTTPSProxy  string               `yaml:"https_proxy,omitempty"`
	NoProxy     string               `yaml:"no_proxy,omitempty"`
}

// DNS is rancher.network.dns; what is set here wins over what a lease says.
type DNS struct {
	Nameservers []string `yaml:"nameservers,omitempty"`
	Search      []string `yaml:"search,omitempty"`
}

// Interface is one entry of rancher.network.interfaces. Its key is an exact
// link name, a glob ("eth*"), "mac=AA:BB:…", or a free name when Match is set.
type Interface struct {
	Match       string   `yaml:"match,omitempty"` // like a key
	DHCP        *bool    `yaml:"dhcp,omitempty"`  // nil is false
	Address     string   `yaml:"address,omitempty"`
	Addresses   []string `yaml:"addresses,omitempty"` // CIDR, v4 or v6
	Gateway     string   `yaml:"gateway,omitempty"`
	GatewayIPv6 string   `yaml:"gateway_ipv6,omitempty"`
	MTU         int      `yaml:"mtu,omitempty"` // bytes; 0 leaves it
}
