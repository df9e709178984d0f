// Package setup is what runs inside the console: it makes accounts, SSH keys,
// files and settings from a plan, runs runcmd, and keeps sshd and the gettys
// running. It refuses to read the machine's configuration: the manager writes
// the plan. Nothing that goes wrong ends it, because it is the way in: every
// failure is one sentence in the status file, and the rest goes on.
package setup

import (
	"bytes"
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
	Hostname string `json:"hostname"`
	FQDN     string `json:"fqdn,omitempty"`
	// InstanceID tells one instance of the machine from the next: work that
	// is done once is done once for each. Empty is not known.
	InstanceID string `json:"instance_id,omitempty"`
	Datasource string `json:"datasource,omitempty"` // for final_message

	Keys        []string           `json:"keys"` // SSH public keys of the user rancher
	Files       []osconfig.File    `json:"files"`
	Commands    []osconfig.Command `json:"commands"`
	Autologin   []string           `json:"autologin"` // terminals, without /dev/
	SSH         SSH                `json:"ssh"`
	Environment map[string]string  `json:"environment"`

	Accounts
	BootHooks     []osconfig.File                  `json:"boothooks,omitempty"`
	BootCommands  []osconfig.Command               `json:"boot_commands,omitempty"`
	Scripts       []osconfig.File                  `json:"scripts,omitempty"` // run after Commands
	Units         []osconfig.CoreOSUnit            `json:"units,omitempty"`   // coreos.units
	Mounts        []osconfig.Mount                 `json:"mounts,omitempty"`
	MountDefaults []string                         `json:"mount_defaults,omitempty"`
	Swap          osconfig.Swap                    `json:"swap"`
	Timezone      string                           `json:"timezone,omitempty"`
	Locale        string                           `json:"locale,omitempty"`
	CACerts       osconfig.CACerts                 `json:"ca_certs"`
	Registries    map[string]osconfig.RegistryAuth `json:"registries,omitempty"`
	FinalMessage  string                           `json:"final_message,omitempty"`
	PowerState    osconfig.PowerState              `json:"power_state"`
	PhoneHome     osconfig.PhoneHome               `json:"phone_home"`
}

// Accounts is who may log in.
type Accounts struct {
	Users    []osconfig.User   `json:"users,omitempty"`
	Groups   []osconfig.Group  `json:"groups,omitempty"`
	Chpasswd osconfig.Chpasswd `json:"chpasswd"`
	// Password is the user rancher's; Expire says that it must be changed at
	// the first login.
	Password string `json:"password,omitempty"`
	Expire   bool   `json:"expire,omitempty"`
}

// SSH is how sshd listens and whom it lets in.
type SSH struct {
	Enabled   bool   `json:"enabled"`
	Port      int    `json:"port"`
	Listen    string `json:"listen"`              // empty is every address
	Passwords bool   `json:"passwords,omitempty"` // a password lets in
	Root      bool   `json:"root,omitempty"`      // root may log in, by key
	// HostKeys are PEM texts by file name, used instead of the machine's own.
	HostKeys map[string]string `json:"host_keys,omitempty"`
}

// Write stores the plan; it may hold secrets (contents of files). The same one
// once more leaves the file as it is: what is carried out stays so.
func (p Plan) Write(path string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("console plan: %w", err)
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
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
	Files    bool     `json:"files"` // local mounts, and write_files but for those with defer
	Done     bool     `json:"done"`
	Down     bool     `json:"down,omitempty"` // the units have stopped, by SIGUSR1
	Problems []string `json:"problems"`       // never null
	Notes    []string `json:"notes"`          // what people should know and is no failure; never null
	// Arrived are the mounts of the plan that have come from servers, in the
	// order in which they came. They may come long after Done.
	Arrived []Arrival `json:"arrived,omitempty"`
	At      time.Time `json:"at"`
	Plan    time.Time `json:"plan"` // when the plan was written that this is about
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
