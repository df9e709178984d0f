package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sshFiles makes what sshd reads. Keys of the configuration stand apart from
// the user's own ~/.ssh/authorized_keys: one that is taken out of the
// configuration is gone, one that the user added is left alone.
func (s *setup) sshFiles(p Plan) error {
	keys, err := s.hostKeyFiles(p)
	// sshd separates privileges in this directory and refuses to start without.
	err = errors.Join(err, os.MkdirAll(s.path("/run/sshd"), 0o755))
	err = errors.Join(err, s.userKeys(p))
	err = errors.Join(err, s.writeChanged("/etc/ssh/sshd_config.d/00-machine.conf", sshdConfig(p, keys), 0o644))
	if !exists(s.path("/etc/ssh/sshd_config")) {
		err = errors.Join(err, s.writeChanged("/etc/ssh/sshd_config", []byte(sshdMain), 0o644))
	}
	return err
}

// userKeys writes the keys of all accounts and removes the files of those
// that have none any more.
func (s *setup) userKeys(p Plan) error {
	const dir = "/etc/ssh/authorized_keys.d"
	keys := map[string][]string{userName: p.Keys}
	for _, u := range p.Users {
		u = ourName(u)
		if goodName(u.Name) == nil {
			keys[u.Name] = append(slices.Clone(keys[u.Name]), u.SSHAuthorizedKeys...)
		}
	}
	if p.SSH.Root {
		keys["root"] = append(slices.Clone(p.Keys), keys["root"]...)
	}
	var errs []error
	for name, list := range keys {
		if name == userName || len(list) > 0 {
			errs = append(errs, s.writeChanged(dir+"/"+name, authorizedKeys(list), 0o644))
		}
	}
	entries, err := os.ReadDir(s.path(dir))
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, e := range entries {
		if e.Name() != userName && len(keys[e.Name()]) == 0 {
			errs = append(errs, os.Remove(filepath.Join(s.path(dir), e.Name())))
		}
	}
	return errors.Join(errs...)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

const sshdMain = `Include /etc/ssh/sshd_config.d/*.conf
Subsystem sftp /usr/lib/openssh/sftp-server
AcceptEnv LANG LC_*
`

// sshdConfig is the part that the machine decides, see sshd_config(5); the
// first of two equal words wins, and this file is read first.
func sshdConfig(p Plan, keys []string) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Made by ros-console.")
	line("Port %d", p.SSH.Port)
	if p.SSH.Listen != "" {
		line("ListenAddress %s", p.SSH.Listen)
	}
	for _, k := range keys {
		line("HostKey %s", k)
	}
	line("AuthorizedKeysFile /etc/ssh/authorized_keys.d/%%u .ssh/authorized_keys")
	// sshd looks passwords up in /etc/shadow by itself, and each session of
	// PAM's is work at every login.
	line("UsePAM no")
	line("PasswordAuthentication %s", yesNo(p.SSH.Passwords))
	line("KbdInteractiveAuthentication no")
	if p.SSH.Root {
		line("PermitRootLogin prohibit-password")
	} else {
		line("PermitRootLogin no")
	}
	line("UseDNS no")
	line("PrintLastLog no")
	// The one SetEnv that counts: commands without a login shell have no
	// profile. Quoting as in ssh's own argument splitting.
	set := []string{`PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin`}
	for _, name := range names(p.Environment) {
		if value := p.Environment[name]; name != "PATH" && !strings.ContainsAny(value, "\n\r\x00") {
			set = append(set, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name+"="+value)+`"`)
		}
	}
	line("SetEnv %s", strings.Join(set, " "))
	return []byte(b.String())
}

// authorizedKeys is one key a line; line breaks inside one would be another.
func authorizedKeys(keys []string) []byte {
	var b strings.Builder
	for _, k := range keys {
		if k = strings.TrimSpace(k); k != "" && !strings.ContainsAny(k, "\n\r\x00") {
			b.WriteString(k + "\n")
		}
	}
	return []byte(b.String())
}
