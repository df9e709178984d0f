package setup

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// registries puts registry_auths into the Docker client's config.json of
// rancher and root, and takes out what an earlier plan put in. What people
// have there besides stays.
func (s *setup) registries(auths map[string]osconfig.RegistryAuth) error {
	if len(auths) == 0 && len(s.memory.Registries) == 0 {
		return nil
	}
	err := errors.Join(
		s.dockerConfig("/home/"+userName, userID, auths),
		s.dockerConfig("/root", 0, auths),
	)
	if err == nil { // else the next round takes out what this one could not
		s.memory.Registries = nil
	}
	for name, a := range auths {
		s.memory.Registries = append(s.memory.Registries, registryName(name, a))
	}
	slices.Sort(s.memory.Registries)
	s.memory.Registries = slices.Compact(s.memory.Registries)
	return errors.Join(err, s.keepMemory())
}

func (s *setup) dockerConfig(home string, id int, auths map[string]osconfig.RegistryAuth) error {
	path := home + "/.docker/config.json"
	if err := trusted(s.Root, path, true); err != nil {
		return fmt.Errorf("registry_auths: %w", err)
	}
	config := map[string]any{}
	text, err := os.ReadFile(s.path(path))
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("registry_auths: %s: %w", path, err)
	}
	if config == nil { // the file says null
		config = map[string]any{}
	}
	entries, _ := config["auths"].(map[string]any)
	if entries == nil {
		entries = map[string]any{}
	}
	for _, name := range s.memory.Registries {
		delete(entries, name)
	}
	for _, name := range slices.Sorted(maps.Keys(auths)) {
		entries[registryName(name, auths[name])] = authEntry(auths[name])
	}
	config["auths"] = entries
	next, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		return fmt.Errorf("registry_auths: %w", err)
	}
	next = append(next, '\n')
	if slices.Equal(next, text) {
		return nil
	}
	dir := s.path(filepath.Dir(path))
	if !exists(dir) {
		if err := errors.Join(os.MkdirAll(dir, 0o700), s.chown(dir, id, id)); err != nil {
			return fmt.Errorf("registry_auths: %w", err)
		}
	}
	if err := s.replace(s.path(path), next, 0o600, id, id); err != nil {
		return fmt.Errorf("registry_auths: %w", err)
	}
	return nil
}

// registryName is the key that the client looks a registry up by; Docker Hub
// has an old one.
func registryName(key string, a osconfig.RegistryAuth) string {
	if a.ServerAddress != "" {
		key = a.ServerAddress
	}
	switch strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://"), "/") {
	case "docker.io", "index.docker.io", "index.docker.io/v1":
		return "https://index.docker.io/v1/"
	}
	return key
}

func authEntry(a osconfig.RegistryAuth) map[string]any {
	entry := map[string]any{}
	set := func(key, value string) {
		if value != "" {
			entry[key] = value
		}
	}
	auth := a.Auth
	if auth == "" && a.Username != "" {
		auth = base64.StdEncoding.EncodeToString([]byte(a.Username + ":" + a.Password))
	}
	set("auth", auth)
	set("email", a.Email)
	set("identitytoken", a.IdentityToken)
	set("registrytoken", a.RegistryToken)
	return entry
}
