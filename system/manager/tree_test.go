package manager

import (
	"path/filepath"
	"regexp"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestMachineID: one ID for the life of an instance, also when its name is
// known late, and another one for a copy of its disk.
func TestMachineID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lib/machine-id.json")
	var ids []string
	for _, instance := range []string{"", "", "i-1", "", "i-1", "i-2", "i-2", ""} {
		id, err := machineID(path, instance)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("%q is not the form of machine-id(5)", id)
		}
		ids = append(ids, id)
	}
	for i, id := range ids {
		if same := id == ids[0]; same != (i < 5) || i > 5 && id != ids[5] {
			t.Errorf("IDs %q", ids)
		}
	}
}

// TestBindable: a configuration that makes nothing outside what lasts does not
// hold the engine up.
func TestBindable(t *testing.T) {
	file := func(path string, deferred bool) osconfig.Config {
		return osconfig.Config{WriteFiles: []osconfig.File{{Path: path, Defer: deferred}}}
	}
	withConfigFile := func(c osconfig.Config) osconfig.Config {
		c.Rancher.Docker.ConfigFile = "/srv/daemon.json"
		return c
	}
	for name, c := range map[string]struct {
		config        osconfig.Config
		disk, withRAM bool
	}{
		"nothing":                  {},
		"keys":                     {config: osconfig.Config{SSHAuthorizedKeys: []string{"k"}, Hostname: "h"}},
		"a file that lasts":        {config: file("/srv/app/app.conf", false)},
		"a file of the next boot":  {config: file("/etc/app.conf", false), disk: true},
		"the engine's own file":    {config: withConfigFile(file("/srv/docker/../daemon.json", false)), disk: true, withRAM: true},
		"the same, deferred":       {config: withConfigFile(file("/srv/daemon.json", true))},
		"a deferred file":          {config: file("/etc/app.conf", true)},
		"a zone":                   {config: osconfig.Config{Timezone: "Europe/Berlin"}, disk: true},
		"a user":                   {config: osconfig.Config{Users: []osconfig.User{{Name: "u"}}}, disk: true},
		"certificates":             {config: osconfig.Config{CACerts: osconfig.CACerts{Trusted: []string{"c"}}}, disk: true},
		"a mount, maybe of images": {config: osconfig.Config{Mounts: make([]osconfig.Mount, 1)}, disk: true, withRAM: true},
	} {
		if got := bindable(c.config, true); got != c.disk {
			t.Errorf("%s, with a state file system: %v", name, got)
		}
		if got := bindable(c.config, false); got != c.withRAM {
			t.Errorf("%s, in RAM: %v", name, got)
		}
	}
}
