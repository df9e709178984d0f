package load

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
)

// oemFile is where the file of an OEM is on a volume with a label: our own
// EFI partition and RancherOS's OEM partition.
func oemFile(label string) string {
	if strings.EqualFold(label, rancherOEM) {
		return "oem-config.yml"
	}
	return "pharos/cloud-config.yml"
}

const (
	pharosEFI  = "PHAROS_EFI"
	rancherOEM = "RANCHER_OEM"
)

// oem reads what an OEM has left on a partition. The layer has its device in
// the file's name: /dev/vda2:pharos/cloud-config.yml.
func (l *Loader) oem(ctx context.Context, out *Result) []raw {
	if l.Devices == nil {
		return nil
	}
	devices, err := l.Devices.Labelled(ctx, pharosEFI, rancherOEM)
	if err != nil {
		out.Report = append(out.Report, notReadable("volume "+pharosEFI, err))
	}
	var found []raw
	for _, d := range devices {
		files, unmount, err := l.Devices.Mount(ctx, d)
		if err != nil {
			out.Report = append(out.Report, notReadable(d.Path, err))
			continue
		}
		name := oemFile(d.Label)
		r, problem := readRaw("oem/"+filepath.Base(d.Path), d.Path+":"+name, func() (fs.File, error) { return files.Open(name) })
		if problem != nil {
			out.Report = append(out.Report, *problem)
		} else if r != nil {
			found = append(found, *r)
		}
		if err := unmount(); err != nil {
			l.log().Warn("volume stays mounted", "device", d.Path, "error", err)
		}
	}
	return found
}
