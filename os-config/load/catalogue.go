package load

import (
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/clouds"
	"github.com/pharos-os/pharos/os-config/datasource/detect"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/nocloud"
)

// NeedsLinkLocal says whether a source is asked before the machine has an
// address, because its cloud has no DHCP: such a machine takes a link-local
// address for it.
func NeedsLinkLocal(source string) bool { return source == "digitalocean" }

// makeSource makes the source of a choice that is no volume or file; it is
// false when nothing knows it.
func makeSource(c detect.Choice, o imds.Options) (datasource.Source, bool) {
	if c.Source == "nocloud" {
		return nocloud.NewSeed(c.Place, nocloud.Given{Hostname: c.HostName, InstanceID: c.InstanceID}, o), true
	}
	return clouds.New(c.Source, c.Place, o)
}
