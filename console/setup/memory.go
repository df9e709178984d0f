package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// memoryPath is what the console must know again after a boot. It holds
// password hashes.
const memoryPath = "/var/lib/pharos/console.json"

// memory outlasts the console's root, which is a fresh one at each start. An
// account that is gone from the configuration keeps its numbers: its home may
// still be there.
type memory struct {
	Users     map[string]int      `json:"users"`     // numbers that were handed out
	Groups    map[string]int      `json:"groups"`    // the same
	Passwords map[string]password `json:"passwords"` // by account
	Appended  map[string][]string `json:"appended"`  // hashes of what files grew by, by path
	Swap      string              `json:"swap"`      // the swap file that was made
	// Registries are the entries of registry_auths in people's files, which
	// outlast the console.
	Registries []string `json:"registries,omitempty"`
}

// password is what became of one that the configuration sets.
type password struct {
	// Secret tells the configured one from another: a salt and a SHA-256, or
	// the hash itself.
	Secret   string `json:"secret"`
	Instance string `json:"instance"` // in which it was set
	Hash     string `json:"hash"`     // crypt(3), as in /etc/shadow now
	Changed  string `json:"changed"`  // shadow(5), the day of the last change
}

func newMemory() memory {
	return memory{
		Users: map[string]int{}, Groups: map[string]int{}, Passwords: map[string]password{},
		Appended: map[string][]string{},
	}
}

// remember reads the memory; one that cannot be read is an empty one.
func (s *setup) remember() error {
	if s.memory.Users != nil {
		return nil
	}
	s.memory = newMemory()
	if empty, err := json.MarshalIndent(s.memory, "", "  "); err == nil {
		s.kept = string(empty) // nothing to write
	}
	text, err := os.ReadFile(s.path(memoryPath))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	m := newMemory()
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return fmt.Errorf("memory of accounts: %w", err)
	}
	if m.Users == nil || m.Groups == nil || m.Passwords == nil || m.Appended == nil {
		return errors.New("memory of accounts: " + memoryPath + " is not complete")
	}
	s.memory, s.kept = m, string(text)
	return nil
}

// keepMemory writes the memory when it has changed.
func (s *setup) keepMemory() error {
	text, err := json.MarshalIndent(s.memory, "", "  ")
	if err != nil {
		return fmt.Errorf("memory of accounts: %w", err)
	}
	if string(text) == s.kept {
		return nil
	}
	if err := writeState(s.path(memoryPath), text, 0o600); err != nil {
		return fmt.Errorf("memory of accounts: %w", err)
	}
	s.kept = string(text)
	return nil
}
