package osconfig

// User is one entry of users. A text alone is a name.
type User struct {
	// Login name.
	Name string `yaml:"name"`
	// Real name, the comment field.
	Gecos string `yaml:"gecos,omitempty"`
	// Further groups; they are made when missing.
	Groups Texts `yaml:"groups,omitempty"`
	// Main group; empty is one of the user's own name.
	PrimaryGroup string `yaml:"primary_group,omitempty"`
	// Whether there is no group of the user's own name.
	NoUserGroup bool `yaml:"no_user_group,omitempty"`
	// Login shell; empty is /bin/bash, of system accounts /usr/sbin/nologin.
	Shell string `yaml:"shell,omitempty"`
	// Home directory; empty is /home/NAME.
	Homedir string `yaml:"homedir,omitempty"`
	// Number of the account; 0 takes a free one from 2000, of system accounts from 300.
	UID int `yaml:"uid,omitempty"`
	// Rules of sudo without the user's name, like ALL=(ALL) NOPASSWD:ALL.
	Sudo Texts `yaml:"sudo,omitempty"`
	// crypt(3) hash of the password.
	Passwd string `yaml:"passwd,omitempty"`
	// crypt(3) hash of the password, set at every boot.
	HashedPasswd string `yaml:"hashed_passwd,omitempty"`
	// Password in plain text.
	PlainTextPasswd string `yaml:"plain_text_passwd,omitempty"`
	// Whether the password cannot be used. Nil is yes when there is none.
	LockPasswd *bool `yaml:"lock_passwd,omitempty"`
	// Whether it is a system account.
	System bool `yaml:"system,omitempty"`
	// Whether no home directory is made.
	NoCreateHome bool `yaml:"no_create_home,omitempty"`
	// Whether the account ends: YYYY-MM-DD.
	ExpireDate string `yaml:"expiredate,omitempty"`
	// Days without a login after the password's end until the account is locked.
	Inactive string `yaml:"inactive,omitempty"`
	// OpenSSH public keys, one per entry.
	SSHAuthorizedKeys []string `yaml:"ssh_authorized_keys,omitempty"`
	// Accepted: a cloud's key is the user rancher's.
	SSHRedirectUser bool `yaml:"ssh_redirect_user,omitempty"`
}

// Group is one entry of groups. A text alone is a name.
type Group struct {
	// Name of the group.
	Name string `yaml:"name"`
	// Accounts that belong to it.
	Members []string `yaml:"members,omitempty"`
}

// Chpasswd is the chpasswd section.
type Chpasswd struct {
	// Whether passwords must be changed at the first login. Nil is yes, as in cloud-init.
	Expire *bool `yaml:"expire,omitempty"`
	// NAME:PASSWORD, one per entry or line; a password of the form $6$… is a crypt(3) hash.
	List Lines `yaml:"list,omitempty"`
	// Accounts with passwords.
	Users []Password `yaml:"users,omitempty"`
}

// Lines is written as a list of texts or as a text of several lines.
type Lines []string

// Password is one entry of chpasswd.users.
type Password struct {
	// Login name.
	Name string `yaml:"name"`
	// The password or its hash.
	Password string `yaml:"password,omitempty"`
	// text, hash or RANDOM; empty is hash.
	Type string `yaml:"type,omitempty"`
}

// CoreOS is the coreos section: what of CoreOS's cloud-config is carried out.
type CoreOS struct {
	// Units of systemd's form that run in the console.
	Units []CoreOSUnit `yaml:"units,omitempty"`
	// Only for its keys that Pharos has too.
	Update CoreOSUpdate `yaml:"update,omitempty"`
}

// CoreOSUnit is one entry of coreos.units.
type CoreOSUnit struct {
	// Name with its type: NAME.service or NAME.timer.
	Name string `yaml:"name"`
	// The unit file.
	Content string `yaml:"content,omitempty"`
	// What to do with it at boot: start, stop, restart, reload, try-restart, reload-or-restart, reload-or-try-restart.
	Command string `yaml:"command,omitempty"`
	// Whether it starts at boot by its [Install] section.
	Enable bool `yaml:"enable,omitempty"`
	// Whether it is kept from starting at all.
	Mask bool `yaml:"mask,omitempty"`
	// Accepted: units live as long as the configuration says.
	Runtime bool `yaml:"runtime,omitempty"`
	// Parts that are put on top of the unit file.
	DropIns []CoreOSDropIn `yaml:"drop_ins,omitempty"`
}

// CoreOSDropIn is one entry of a unit's drop_ins.
type CoreOSDropIn struct {
	// Name, NAME.conf; they apply in the order of names.
	Name string `yaml:"name"`
	// Sections and directives, in the form of a unit file.
	Content string `yaml:"content,omitempty"`
}

// CoreOSUpdate is coreos.update.
type CoreOSUpdate struct {
	// Accepted: reboots are never automatic.
	RebootStrategy string `yaml:"reboot_strategy,omitempty"`
	// Accepted; see rancher.upgrade.
	Group string `yaml:"group,omitempty"`
	// Accepted; see rancher.upgrade.
	Server string `yaml:"server,omitempty"`
}
