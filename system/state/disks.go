// Package state owns the state file system: finding it, checking it, growing
// it, mounting it, and which directory of the machine lives where on it. It
// refuses to format anything: a disk that is not ours is left alone.
package state

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/pharos-os/pharos/system/linux/blkid"
)

// Disk is a block device with what is on it.
type Disk struct {
	Path      string // /dev/vda1
	Type      string // "ext4", "iso9660", "" when not recognised
	Label     string
	UUID      string
	PartLabel string // GPT partition name
}

// Disks lists the block devices that can hold a file system: disks,
// partitions and optical drives with a medium. Loop, RAM and device-mapper
// devices are left out: they are ours or hold what another device holds.
func Disks(sysfs, dev string) ([]Disk, error) {
	dir := filepath.Join(sysfs, "class/block")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("block devices: %w", err)
	}
	var disks []Disk
	for _, e := range entries {
		name := e.Name()
		if isVirtual(name) {
			continue
		}
		d := Disk{Path: filepath.Join(dev, name), PartLabel: partLabel(filepath.Join(dir, name, "uevent"))}
		f, err := os.Open(d.Path)
		if err != nil {
			continue // no medium, or gone meanwhile
		}
		info, err := blkid.Probe(f)
		f.Close()
		if err == nil {
			d.Type, d.Label, d.UUID = info.Type, info.Label, info.UUID
		}
		disks = append(disks, d)
	}
	sort.Slice(disks, func(i, j int) bool { return disks[i].Path < disks[j].Path })
	return disks, nil
}

func isVirtual(name string) bool {
	for _, p := range []string{"loop", "ram", "zram", "dm-", "nbd", "md"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func partLabel(uevent string) string {
	b, err := os.ReadFile(uevent)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PARTNAME="); ok {
			return v
		}
	}
	return ""
}

// Match reports whether a disk is the one that spec names: LABEL=, UUID=,
// PARTLABEL= or a device path.
func (d Disk) Match(spec string) bool {
	key, value, ok := strings.Cut(spec, "=")
	if !ok {
		return d.Path == spec
	}
	switch key {
	case "LABEL":
		return d.Label == value
	case "UUID":
		return strings.EqualFold(d.UUID, value)
	case "PARTLABEL":
		return d.PartLabel == value
	}
	return false
}
