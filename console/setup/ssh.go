package setup

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/pharos-os/pharos/system/atomicfile"
)

// Directories of host keys: on the state partition, so that a machine keeps
// its identity; in RAM when that cannot be written.
const (
	keyDir      = "/var/lib/pharos/ssh"
	keyFallback = "/run/pharos/console/ssh"
)

// hostKey is one kind of host key. RSA is left out: making one takes seconds
// where these take milliseconds, and no client of the last ten years needs it.
type hostKey struct {
	name string
	make func() (crypto.Signer, error)
}

func hostKeys() []hostKey {
	return []hostKey{
		{"ssh_host_ed25519_key", func() (crypto.Signer, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		}},
		{"ssh_host_ecdsa_key", func() (crypto.Signer, error) {
			return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		}},
	}
}

// ensureKeys returns the paths of the host keys, making those that are not
// there or cannot be read. An error leaves the keys usable, but not kept.
func (s *setup) ensureKeys() ([]string, error) {
	paths, err := s.keysIn(keyDir)
	if err == nil {
		return paths, nil
	}
	paths, again := s.keysIn(keyFallback)
	return paths, errors.Join(fmt.Errorf("host keys are not kept: %w", err), again)
}

func (s *setup) keysIn(dir string) ([]string, error) {
	if err := os.MkdirAll(s.path(dir), 0o700); err != nil {
		return nil, err
	}
	var paths []string
	for _, k := range hostKeys() {
		path := filepath.Join(dir, k.name)
		if err := ensureKey(s.path(path), k); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func ensureKey(path string, k hostKey) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		if _, err := ssh.ParseRawPrivateKey(text); err == nil {
			return os.Chmod(path, 0o600) // sshd refuses one that others can read
		}
	}
	key, err := k.make()
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	// OpenSSH's own format: PEM of openssh-key-v1.
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	if err := atomicfile.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	return atomicfile.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(public), 0o644)
}

// sshFiles makes what sshd reads. Keys of the configuration stand apart from
// the user's own ~/.ssh/authorized_keys: one that is taken out of the
// configuration is gone, one that the user added is left alone.
func (s *setup) sshFiles(p Plan) error {
	keys, err := s.ensureKeys()
	// sshd separates privileges in this directory and refuses to start without.
	err = errors.Join(err, os.MkdirAll(s.path("/run/sshd"), 0o755))
	err = errors.Join(err, s.writeChanged("/etc/ssh/authorized_keys.d/"+userName, authorizedKeys(p.Keys), 0o644))
	err = errors.Join(err, s.writeChanged("/etc/ssh/sshd_config.d/00-machine.conf", sshdConfig(p, keys), 0o644))
	if !exists(s.path("/etc/ssh/sshd_config")) {
		err = errors.Join(err, s.writeChanged("/etc/ssh/sshd_config", []byte(sshdMain), 0o644))
	}
	return err
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
	// There are no passwords to ask PAM for, and each of its sessions is work
	// at every login.
	line("UsePAM no")
	line("PasswordAuthentication no")
	line("KbdInteractiveAuthentication no")
	line("PermitRootLogin no")
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
