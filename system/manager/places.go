package manager

import (
	"path"

	"github.com/pharos-os/pharos/console/setup"
	"github.com/pharos-os/pharos/system/beneath"
)

// finder finds what the next boot empties. A place is judged by the file system
// that it is on, not by its name.
type finder struct {
	tree  *beneath.Namespace // of the engine
	image string             // the console's tree as the image has it
}

// resolve finds out where a path leads in the engine, which cleans it first.
func (f finder) resolve(name string) (beneath.Location, error) {
	return f.tree.Resolve(path.Clean(name))
}

// inRAM reports whether the next boot empties a place: it is on a tmpfs, or on
// the overlay that is the root.
func (f finder) inRAM(p beneath.Location) bool {
	if p.Mount.Source == setup.CoverSource { // a server's mount is to come
		return false
	}
	switch p.Mount.Type {
	case "tmpfs", "ramfs":
		return true
	case "overlay":
		return f.onRoot(p)
	}
	return false
}

// onRoot reports whether a place is on the file system of the root.
func (f finder) onRoot(p beneath.Location) bool { return p.Mount.Device == f.tree.Mount().Device }
