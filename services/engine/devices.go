package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// MissingDevices lists what containers that the engine starts with itself name
// under --device and the machine does not have yet, sorted. Docker tries such a
// container once and leaves it stopped: without its device it would be down
// after each boot whose drivers are loaded later than the engine. It reads what
// dockerd keeps of its containers below root, which is / but in tests; what
// cannot be read names none.
func MissingDevices(e osconfig.Engine, root string) []string {
	files, err := filepath.Glob(filepath.Join(root, DataRoot(e), "containers/*/hostconfig.json"))
	if err != nil {
		return nil // a data root with brackets that are no pattern
	}
	var missing []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		var c struct { // github.com/moby/moby/api/types/container, HostConfig
			RestartPolicy struct{ Name string }
			Devices       []struct{ PathOnHost string }
		}
		if json.Unmarshal(text, &c) != nil || c.RestartPolicy.Name == "" || c.RestartPolicy.Name == "no" {
			continue
		}
		for _, d := range c.Devices {
			if _, err := os.Stat(filepath.Join(root, d.PathOnHost)); err != nil {
				missing = append(missing, d.PathOnHost)
			}
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}
