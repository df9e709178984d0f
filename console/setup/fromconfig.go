package setup

import (
	"maps"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// FromConfig takes what concerns the console out of a configuration.
func FromConfig(cfg osconfig.Config, hostname string) Plan {
	r := cfg.Rancher
	p := Plan{
		Hostname:      hostname,
		FQDN:          cfg.FQDN,
		Keys:          cfg.SSHAuthorizedKeys,
		Files:         cfg.WriteFiles,
		Commands:      cfg.RunCmd,
		Autologin:     r.Autologin,
		SSH:           sshFromConfig(cfg),
		Environment:   map[string]string{},
		BootHooks:     cfg.BootHooks,
		BootCommands:  cfg.BootCmd,
		Scripts:       cfg.Scripts,
		Units:         cfg.CoreOS.Units,
		Mounts:        cfg.Mounts,
		MountDefaults: cfg.MountDefaultFields,
		Swap:          cfg.Swap,
		Timezone:      cfg.Timezone,
		Locale:        cfg.Locale,
		CACerts:       cfg.CACerts,
		Registries:    r.RegistryAuths,
		FinalMessage:  cfg.FinalMessage,
		PowerState:    cfg.PowerState,
		PhoneHome:     cfg.PhoneHome,
	}
	p.Accounts = Accounts{Users: cfg.Users, Groups: cfg.Groups, Chpasswd: cfg.Chpasswd, Password: cfg.Password}
	// cloud-init lets what the key password sets be changed at once, unless
	// chpasswd.expire says no; RancherOS never did.
	p.Expire = p.Password != "" && (cfg.Chpasswd.Expire == nil || *cfg.Chpasswd.Expire)
	if r.Password != "" && !slices.Contains(r.Disable, "password") {
		p.Password, p.Expire = r.Password, false
	}
	if slices.Contains(r.Disable, "autologin") {
		p.Autologin = nil
	}
	maps.Copy(p.Environment, r.Environment)
	for _, v := range r.Network.Proxies(r.Environment).Environment() {
		name, value, _ := strings.Cut(v, "=")
		p.Environment[name] = value
	}
	return p
}

func sshFromConfig(cfg osconfig.Config) SSH {
	s := SSH{
		Enabled:   cfg.Rancher.SSH.Daemon == nil || *cfg.Rancher.SSH.Daemon,
		Port:      cfg.Rancher.SSH.Port,
		Listen:    cfg.Rancher.SSH.ListenAddress,
		Passwords: cfg.SSHPasswordAuth != nil && *cfg.SSHPasswordAuth,
		Root:      cfg.DisableRoot != nil && !*cfg.DisableRoot,
	}
	if s.Port == 0 {
		s.Port = 22
	}
	add := func(name, text string) {
		if s.HostKeys == nil {
			s.HostKeys = map[string]string{}
		}
		s.HostKeys[name] = strings.TrimSpace(text) + "\n"
	}
	for name, text := range cfg.SSHKeys {
		// cloud-init's names: ed25519_private, ed25519_public.
		kind, part, _ := strings.Cut(name, "_")
		switch part {
		case "private":
			add("ssh_host_"+kind+"_key", text)
		case "public":
			add("ssh_host_"+kind+"_key.pub", text)
		}
	}
	for name, text := range cfg.Rancher.SSH.Keys {
		// RancherOS's: ed25519, ed25519-pub.
		if kind, public := strings.CutSuffix(name, "-pub"); public {
			add("ssh_host_"+kind+"_key.pub", text)
		} else {
			add("ssh_host_"+kind+"_key", text)
		}
	}
	return s
}
