package setup

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/pharos-os/pharos/system/atomicfile"
)

// Directories of host keys: on the state partition, so that a machine keeps
// its identity; in RAM when that cannot be written.
const (
	keyDir      = "/var/lib/pharos/ssh"
	keyFallback = "/run/pharos/console/ssh"
	// keyGiven holds those of the configuration, which keeps them itself.
	keyGiven = "/run/pharos/console/ssh-given"
	// keyInstance names the instance whose keys are in keyDir.
	keyInstance = "instance-id"
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

// hostKeyFiles returns the host keys that sshd is to use: the configuration's,
// or else the machine's own.
func (s *setup) hostKeyFiles(p Plan) ([]string, error) {
	given, err := s.givenKeys(p.SSH.HostKeys)
	if len(given) > 0 {
		return given, err
	}
	own, more := s.ensureKeys(p.InstanceID)
	return own, errors.Join(err, more)
}

// givenKeys writes the host keys of the configuration. One that does not
// parse is left out: sshd would refuse to start with no other.
func (s *setup) givenKeys(files map[string]string) ([]string, error) {
	dir := s.path(keyGiven)
	if len(files) == 0 {
		return nil, os.RemoveAll(dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("host keys: %w", err)
	}
	var errs []error
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, mode := []byte(files[name]), os.FileMode(0o644)
		if filepath.Base(name) != name {
			continue
		}
		if strings.HasSuffix(name, "_key") {
			if _, err := ssh.ParseRawPrivateKey(text); err != nil {
				errs = append(errs, fmt.Errorf("host key %s of the configuration is left out: %w", name, err))
				continue
			}
			paths, mode = append(paths, filepath.Join(keyGiven, name)), 0o600
		}
		path := filepath.Join(dir, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			continue
		}
		errs = append(errs, atomicfile.WriteFile(path, text, mode))
		s.changed = append(s.changed, "/etc/ssh/sshd_config") // sshd reads keys when it reads that
	}
	return paths, errors.Join(errs...)
}

// ensureKeys returns the paths of the host keys, making those that are not
// there or cannot be read, and all of them for a new instance: two machines
// that are copies of one disk must not have the same. With an error the keys
// that it returns are usable, but some are not kept.
func (s *setup) ensureKeys(instance string) ([]string, error) {
	if err := s.forInstance(instance); err != nil {
		s.log.Warn("host keys", "error", err) // what follows says the rest
	}
	var paths []string
	var kept, lost error
	for _, k := range hostKeys() {
		path, err := s.keyIn(keyDir, k)
		if err != nil {
			if kept == nil { // once: the next has the same reason
				kept = fmt.Errorf("host keys are not kept: %w", err)
			}
			path, err = s.keyIn(keyFallback, k)
		}
		if err != nil {
			lost = errors.Join(lost, err)
			continue
		}
		paths = append(paths, path)
	}
	return paths, errors.Join(kept, lost)
}

// forInstance forgets keys that belong to another instance. An instance that
// is not known yet is no other one; neither are keys that nobody claimed.
func (s *setup) forInstance(instance string) error {
	if instance == "" {
		return nil
	}
	mark := s.path(filepath.Join(keyDir, keyInstance))
	old, err := os.ReadFile(mark)
	if err == nil && string(old) == instance+"\n" {
		return nil
	}
	if err == nil {
		s.log.Info("new host keys", "instance", instance, "before", strings.TrimSpace(string(old)))
		if err := os.RemoveAll(s.path(keyDir)); err != nil {
			return err
		}
		s.changed = append(s.changed, "/etc/ssh/sshd_config")
	}
	if err := os.MkdirAll(s.path(keyDir), 0o700); err != nil {
		return err
	}
	return atomicfile.WriteFile(mark, []byte(instance+"\n"), 0o644)
}

// keyIn is the path of a key in a directory, where it is made if there is none.
func (s *setup) keyIn(dir string, k hostKey) (string, error) {
	if err := os.MkdirAll(s.path(dir), 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, k.name)
	return path, ensureKey(s.path(path), k)
}

func ensureKey(path string, k hostKey) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		if _, err := ssh.ParseRawPrivateKey(text); err == nil {
			return closedToOthers(path)
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

// closedToOthers sees to it that only the owner can read a file: sshd refuses
// another key. What is right is not touched, for a state that has become
// read-only must not take a machine's identity away.
func closedToOthers(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(path, 0o600)
}
