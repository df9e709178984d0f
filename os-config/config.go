// Package osconfig owns the machine's configuration: its types, the law by
// which layers merge, its validation and the report of what is wrong where.
// It is pure: it opens no files, sockets or devices and knows nothing of how
// a setting is carried out.
package osconfig

// Config is the whole configuration of a machine. It is decoded once from the
// merged layers and never changed afterwards; each consumer is handed the
// section that it needs, by value. The comments of fields are what the JSON
// schema and the reference page say about them.
type Config struct {
	// Name of the machine. Empty: what the datasource says, else what DHCP says, else "pharos".
	Hostname string `yaml:"hostname,omitempty"`
	// Fully qualified name of the machine; its first part is the host name when hostname is not set.
	FQDN string `yaml:"fqdn,omitempty"`
	// Accepted for cloud-init's sake: /etc/hosts is always kept by Pharos ("localhost", "template" and true mean that).
	ManageEtcHosts string `yaml:"manage_etc_hosts,omitempty"`
	// OpenSSH public keys, one per entry, for the user rancher.
	SSHAuthorizedKeys []string `yaml:"ssh_authorized_keys,omitempty"`
	// Whether SSH accepts passwords. Nil is no; "unchanged" says nothing.
	SSHPasswordAuth *bool `yaml:"ssh_pwauth,omitempty"`
	// Whether root may not log in by SSH. Nil is yes.
	DisableRoot *bool `yaml:"disable_root,omitempty"`
	// SSH host keys: rsa_private, rsa_public, ecdsa_private, ecdsa_public, ed25519_private, ed25519_public.
	SSHKeys map[string]string `yaml:"ssh_keys,omitempty"`
	// Accounts beside rancher. "default" stands for rancher.
	Users []User `yaml:"users,omitempty"`
	// Groups to make.
	Groups []Group `yaml:"groups,omitempty"`
	// Plain-text password or crypt(3) hash of the user rancher.
	Password string `yaml:"password,omitempty"`
	// Passwords of accounts.
	Chpasswd Chpasswd `yaml:"chpasswd,omitempty"`
	// Files that are written in the console.
	WriteFiles []File `yaml:"write_files,omitempty"`
	// Commands that run in the console at every boot, once accounts and SSH are there and before mounts and files.
	BootCmd []Command `yaml:"bootcmd,omitempty"`
	// Commands that run in the console at every boot, in order, when the files are written.
	RunCmd []Command `yaml:"runcmd,omitempty"`
	// File systems and swap to mount in the console and for containers. What is on servers is mounted when they answer.
	Mounts []Mount `yaml:"mounts,omitempty"`
	// What the last four fields of a short row of mounts are.
	MountDefaultFields []string `yaml:"mount_default_fields,omitempty"`
	// A swap file to make and use.
	Swap Swap `yaml:"swap,omitempty"`
	// Time servers.
	NTP NTP `yaml:"ntp,omitempty"`
	// Time zone, a name like Europe/Berlin. Empty is UTC.
	Timezone string `yaml:"timezone,omitempty"`
	// Locale of sessions, like en_US.UTF-8. Empty is C.UTF-8.
	Locale string `yaml:"locale,omitempty"`
	// Certification authorities to trust, in the console and by the engine.
	CACerts CACerts `yaml:"ca_certs,omitempty"`
	// Accepted: the last partition and its file system always grow.
	Growpart Any `yaml:"growpart,omitempty"`
	// Accepted: the last partition and its file system always grow.
	ResizeRootfs Any `yaml:"resize_rootfs,omitempty"`
	// Text to print on the consoles when the boot is done. $UPTIME, $VERSION, $TIMESTAMP and $DATASOURCE are replaced.
	FinalMessage string `yaml:"final_message,omitempty"`
	// Power off or reboot when the first boot is done.
	PowerState PowerState `yaml:"power_state,omitempty"`
	// Report to a URL when the first boot is done.
	PhoneHome PhoneHome `yaml:"phone_home,omitempty"`
	// Units of CoreOS.
	CoreOS CoreOS `yaml:"coreos,omitempty"`
	// Everything that is not cloud-init's.
	Rancher Rancher `yaml:"rancher,omitempty"`

	// Scripts are user-data that is a script, of all layers from the weakest
	// to the strongest. Each is written to its path and run, in order, after
	// the commands of runcmd. They are no part of a file's keys: package
	// cloudconfig makes them, and merging keeps those of every layer, which
	// it would not do with commands in runcmd.
	Scripts []File `yaml:"scripts,internal"`
	// BootHooks are scripts of the format #cloud-boothook. They are written
	// and run in order before the commands of bootcmd.
	BootHooks []File `yaml:"boothooks,internal"`
}

// Any is a value that is accepted whatever it is, and not looked at.
type Any struct{}

// Texts is written as one text or as a list of texts.
type Texts []string

// Pairs are NAME=VALUE, or NAME alone; written as a list of such texts or as
// a mapping.
type Pairs []string

// Dict is written as a mapping or as a list of NAME=VALUE.
type Dict map[string]string

// Command is one command: either a line for /bin/sh or an argument vector.
// Exactly one of the two is set.
type Command struct {
	Shell string
	Args  []string
}

// File is one entry of write_files.
type File struct {
	// Absolute path. Parent directories are made.
	Path string `yaml:"path"`
	// Content, encoded as encoding says.
	Content string `yaml:"content,omitempty"`
	// How content is encoded: b64 (base64), gz (gzip), gz+b64; empty is plain text.
	Encoding string `yaml:"encoding,omitempty"`
	// user[:group], names or numbers; empty is root:root.
	Owner string `yaml:"owner,omitempty"`
	// Octal digits in quotes, "0644"; empty is 0644.
	Permissions string `yaml:"permissions,omitempty"`
	// Core service in which to write: console, or empty; files of others are not written yet.
	Container string `yaml:"container,omitempty"`
	// Add to the file instead of replacing it.
	Append bool `yaml:"append,omitempty"`
	// Write when users exist and the commands of runcmd have run; containers
	// with a restart policy start before.
	Defer bool `yaml:"defer,omitempty"`
}

// Mount is one entry of mounts, a row of up to six fields. Missing ones are
// those of mount_default_fields.
type Mount struct {
	// What to mount: LABEL=…, UUID=…, PARTLABEL=…, PARTUUID=…, /dev/…, SERVER:/PATH, //SERVER/SHARE.
	Device string
	// Where; "none" or "swap" for swap. Empty: what is mounted from there by default is not.
	Point string
	// File system; empty is auto.
	FSType string
	// Options, separated by commas; empty is defaults,nofail.
	Options string
}

// Swap is a swap file. Nothing is made when Size is empty.
type Swap struct {
	// Path of the file; empty is /var/swapfile.
	Filename string `yaml:"filename,omitempty"`
	// Bytes, with K, M, G or T behind; "auto" is the size of the memory, at most 2 GiB and a quarter of the free space.
	Size string `yaml:"size,omitempty"`
	// The most that "auto" may take.
	MaxSize string `yaml:"maxsize,omitempty"`
}

// NTP is the ntp section.
type NTP struct {
	// Whether the clock is set by time servers. Nil is yes.
	Enabled *bool `yaml:"enabled,omitempty"`
	// Names or addresses of single servers.
	Servers []string `yaml:"servers,omitempty"`
	// Names that stand for many servers.
	Pools []string `yaml:"pools,omitempty"`
	// Accepted: the client is always chrony.
	Client string `yaml:"ntp_client,omitempty"`
}

// CACerts is the ca_certs section.
type CACerts struct {
	// Do not trust those that come with the system.
	RemoveDefaults bool `yaml:"remove_defaults,omitempty"`
	// Certificates in PEM form.
	Trusted []string `yaml:"trusted,omitempty"`
}

// PowerState is the power_state section.
type PowerState struct {
	// poweroff, reboot or halt.
	Mode string `yaml:"mode,omitempty"`
	// "now", or minutes as +5; empty is now.
	Delay string `yaml:"delay,omitempty"`
	// Printed on the consoles before.
	Message string `yaml:"message,omitempty"`
	// Accepted: the deadlines of units hold.
	Timeout int `yaml:"timeout,omitempty"`
	// true, false, or a command that decides by its exit code.
	Condition Command `yaml:"condition,omitempty"`
}

// PhoneHome is the phone_home section.
type PhoneHome struct {
	// Where to post; $INSTANCE_ID is replaced.
	URL string `yaml:"url,omitempty"`
	// Fields to post: pub_key_rsa, pub_key_ecdsa, pub_key_ed25519, instance_id, hostname, fqdn; "all" is all.
	Post Texts `yaml:"post,omitempty"`
	// How often to try; 0 is 10.
	Tries int `yaml:"tries,omitempty"`
}
