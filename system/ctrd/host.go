package ctrd

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/pharos-os/pharos/system/oci"
)

// cgroupRoot is where the unified hierarchy is mounted.
const cgroupRoot = "/sys/fs/cgroup"

// detectHost reads what the machine's cgroups can enforce. Without a unified
// hierarchy at root the answer is: nothing.
func detectHost(root string) oci.Host {
	data, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return oci.Host{}
	}
	// io.weight exists where the kernel has the I/O cost model, whose own
	// file is in the root.
	_, err = os.Stat(filepath.Join(root, "io.cost.qos"))
	return oci.Host{Controllers: strings.Fields(string(data)), IOWeight: err == nil}
}
