// Package fwcfg owns the datasource fwcfg: the files of NoCloud, given to a
// QEMU machine by -fw_cfg name=opt/pharos/user-data,file=… and the like. It
// refuses every other name: those below opt belong to whoever chose them.
package fwcfg

import (
	"io/fs"
	"os"
	"path"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/nocloud"
)

// Dir is where the kernel's module qemu_fw_cfg shows the files by name.
const Dir = "/sys/firmware/qemu_fw_cfg/by_name"

// Prefix is that of our files' names: user-data, meta-data, vendor-data and
// network-config follow it. QEMU allows 55 characters.
const Prefix = "opt/pharos"

type source struct{ datasource.Source }

// New makes a source of the files below dir; empty is Dir.
func New(dir string) datasource.Source {
	if dir == "" {
		dir = Dir
	}
	return source{nocloud.New(raw{os.DirFS(dir)}, "fw_cfg:"+Prefix)}
}

func (source) Name() string { return "fwcfg" }

// raw shows the contents as files; the kernel has a folder for each, with the
// content in the file raw.
type raw struct{ files fs.FS }

func (r raw) Open(name string) (fs.File, error) { return r.files.Open(path.Join(Prefix, name, "raw")) }

func (r raw) ReadDir(string) ([]fs.DirEntry, error) { return fs.ReadDir(r.files, Prefix) }
