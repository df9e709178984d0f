package setup

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// row is one entry of mounts with everything filled in.
type row struct {
	device, point, fstype string
	options               []string
	noauto                bool
	// on are the mount points of rows from servers that have the device or the
	// point of this one. It can be mounted when those are there.
	on []string
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
			case o == "bg" && r.remote(): // every row is tried in the background, and by the console itself
			default:
				r.options = append(r.options, o)
			}
		}
		list = append(list, r)
	}
	markDependents(list)
	return list
}

// markDependents finds the rows that lie on those from servers, directly or
// through others.
func markDependents(list []row) {
	for more := true; more; {
		more = false
		for i := range list {
			r := &list[i]
			for _, o := range list {
				point := filepath.Clean(o.point)
				if !o.onServer() || o.noauto || r.fstype == "swap" || filepath.Clean(r.point) == point || slices.Contains(r.on, point) {
					continue
				}
				if below(r.point, []string{point}) || below(r.device, []string{point}) {
					r.on = append(r.on, point)
					more = true
				}
			}
		}
	}
}

// pseudo names the file systems whose device is any word.
func pseudo(fstype string) bool {
	return slices.Contains([]string{"tmpfs", "overlay", "9p", "virtiofs", "proc", "sysfs", "devtmpfs", "cgroup2", "ramfs", "tracefs", "debugfs", "bpf"}, fstype)
}

func (r row) remote() bool {
	return strings.HasPrefix(r.fstype, "nfs") || r.fstype == "cifs" || strings.HasPrefix(r.fstype, "fuse") ||
		strings.HasPrefix(r.device, "//") || !pseudo(r.fstype) && strings.Contains(r.device, ":/")
}

// onServer reports whether a row needs a server: its own, or that of a row that
// it lies on. Users' containers do not wait for it.
func (r row) onServer() bool { return r.remote() || len(r.on) > 0 }

// nfs reports whether mount.nfs(8) mounts the row.
func (r row) nfs() bool {
	return strings.HasPrefix(r.fstype, "nfs") || r.fstype == "auto" && r.remote() && !strings.HasPrefix(r.device, "//")
}

// wrong says why a row can never be mounted.
func (r row) wrong() error {
	if strings.HasPrefix(r.device, "-") { // an option, for the programs that get it
		return fmt.Errorf("%q is no device", r.device)
	}
	if r.fstype != "swap" && (!filepath.IsAbs(r.point) || filepath.Clean(r.point) == "/") {
		return fmt.Errorf("%q is no place to mount something", r.point)
	}
	return nil
}

// mount is mount(8)'s command line for a row, with the device that it has now.
func (r row) mount(device string) []string {
	args := []string{"mount"}
	bind := slices.Contains(r.options, "bind") || slices.Contains(r.options, "rbind")
	if r.fstype != "auto" && r.fstype != "none" && !bind {
		args = append(args, "-t", r.fstype)
	}
	options := r.options
	if r.nfs() && !slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "retry=") }) {
		// One try, which says what is wrong. By itself mount.nfs(8) tries for
		// two minutes in silence.
		options = append(slices.Clip(options), "retry=0")
	}
	if len(options) > 0 {
		args = append(args, "-o", strings.Join(options, ","))
	}
	return append(args, device, filepath.Clean(r.point))
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
