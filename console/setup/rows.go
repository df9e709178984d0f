package setup

import (
	"fmt"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// row is one entry of mounts with everything filled in.
type row struct {
	device, point, fstype string
	options               []string
	noauto                bool
}

// rows fills the defaults in, cloud-init's way; a row without a mount point
// takes the earlier ones of its device away.
func rows(mounts []osconfig.Mount, defaults []string) []row {
	if len(defaults) >= 6 { // all six fields of a row
		defaults = defaults[2:]
	}
	orDefault := func(text string, i int, last string) string {
		if text == "" && i < len(defaults) {
			text = defaults[i]
		}
		if text == "" {
			text = last
		}
		return text
	}
	var list []row
	for _, m := range mounts {
		r := row{device: m.Device, point: m.Point, fstype: orDefault(m.FSType, 0, "auto")}
		if !strings.ContainsAny(r.device, "/=:") && !pseudo(r.fstype) {
			r.device = "/dev/" + r.device
		}
		if r.point == "" && r.fstype != "swap" {
			list = slices.DeleteFunc(list, func(o row) bool { return o.device == r.device })
			continue
		}
		if r.point == "swap" {
			r.fstype = "swap"
		}
		for o := range strings.SplitSeq(orDefault(m.Options, 1, "defaults"), ",") {
			switch {
			case o == "noauto":
				r.noauto = true
			case o == "", o == "defaults", o == "auto", o == "nofail", o == "nobootwait", o == "_netdev",
				strings.HasPrefix(o, "comment="), strings.HasPrefix(o, "x-"):
			default:
				r.options = append(r.options, o)
			}
		}
		list = append(list, r)
	}
	return list
}

// pseudo names the file systems whose device is any word.
func pseudo(fstype string) bool {
	return slices.Contains([]string{"tmpfs", "overlay", "9p", "virtiofs", "proc", "sysfs", "devtmpfs", "cgroup2", "ramfs", "tracefs", "debugfs", "bpf"}, fstype)
}

func (r row) remote() bool {
	return strings.HasPrefix(r.fstype, "nfs") || r.fstype == "cifs" || strings.HasPrefix(r.fstype, "fuse") ||
		strings.HasPrefix(r.device, "//") || !pseudo(r.fstype) && strings.Contains(r.device, ":/")
}

func (r row) key() string {
	return strings.Join(append([]string{r.device, r.point, r.fstype}, r.options...), " ")
}

func (r row) failed(err error) error {
	if r.fstype == "swap" {
		return fmt.Errorf("mounts: swap %s: %w", r.device, err)
	}
	return fmt.Errorf("mounts: %s: %w", r.point, err)
}
