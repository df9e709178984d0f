// Package setup is what runs inside the console: it makes accounts, SSH keys,
// files and settings from a plan, runs runcmd, and keeps sshd and the gettys
// running. It refuses to read the machine's configuration: the manager writes
// the plan. Nothing that goes wrong ends it, because it is the way in: every
// failure is one sentence in the status file, and the rest goes on.
package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// Where the manager and the console meet; /run is the same for both.
const (
	PlanPath   = "/run/pharos/console/setup.json"
	StatusPath = "/run/pharos/console/status.json"
)

// The account that everybody logs in to.
const (
	userName = "rancher"
	userID   = 1100
)

// Plan is what the console is to become: the part of the configuration that
// it carries out.
type Plan struct {
	Hostname    string             `json:"hostname"`
	Keys        []string           `json:"keys"` // SSH public keys of the user rancher
	Files       []osconfig.File    `json:"files"`
	Commands    []osconfig.Command `json:"commands"`
	Autologin   []string           `json:"autologin"` // terminals, without /dev/
	SSH         SSH                `json:"ssh"`
	Environment map[string]string  `json:"environment"`
}

// SSH is how sshd listens.
type SSH struct {
	Enabled bool   `json:"enabled"`
	Port    int    `json:"port"`
	Listen  string `json:"listen"` // empty is every address
}

// FromConfig takes what concerns the console out of a configuration.
func FromConfig(cfg osconfig.Config, hostname string) Plan {
	r := cfg.Rancher
	p := Plan{
		Hostname:    hostname,
		Keys:        cfg.SSHAuthorizedKeys,
		Files:       cfg.WriteFiles,
		Commands:    cfg.RunCmd,
		Autologin:   r.Autologin,
		SSH:         SSH{Enabled: r.SSH.Daemon == nil || *r.SSH.Daemon, Port: r.SSH.Port, Listen: r.SSH.ListenAddress},
		Environment: map[string]string{},
	}
	if p.SSH.Port == 0 {
		p.SSH.Port = 22
	}
	for name, value := range map[string]string{"http_proxy": r.Network.HTTPProxy, "https_proxy": r.Network.HTTPSProxy, "no_proxy": r.Network.NoProxy} {
		if value != "" {
			p.Environment[name] = value
		}
	}
	for name, value := range r.Environment {
		p.Environment[name] = value
	}
	return p
}

// Write stores the plan; it may hold secrets (contents of files).
func (p Plan) Write(path string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("console plan: %w", err)
	}
	return writeState(path, text, 0o600)
}

func readPlan(path string) (Plan, error) {
	var p Plan
	text, err := os.ReadFile(path)
	if err != nil {
		return p, fmt.Errorf("console plan: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("console plan: %w", err)
	}
	return p, nil
}

// Status is what has been done so far. Done means that all of the plan has
// been tried; Problems says what of it did not work, a sentence each.
type Status struct {
	SSH      bool      `json:"ssh"`      // sshd has been started
	Files    bool      `json:"files"`    // write_files
	Commands bool      `json:"commands"` // runcmd
	Done     bool      `json:"done"`
	Problems []string  `json:"problems"` // never null
	At       time.Time `json:"at"`
}

// ReadStatus reads what the console last said.
func ReadStatus(path string) (Status, error) {
	var s Status
	text, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("console status: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("console status: %w", err)
	}
	return s, nil
}

// writeState writes a small file whole, making its directory.
func writeState(path string, text []byte, mode os.FileMode) error {
	err := atomicfile.WriteFile(path, text, mode)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = atomicfile.WriteFile(path, text, mode)
		}
	}
	return err
}
