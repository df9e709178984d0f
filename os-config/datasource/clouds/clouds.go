// Package clouds owns the list of datasources that are asked over a network
// or of the hypervisor, by the names that rancher.cloud_init.datasources has
// for them. It refuses volumes and files, which somebody must mount first.
package clouds

import (
	"strings"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/aliyun"
	"github.com/pharos-os/pharos/os-config/datasource/azure"
	"github.com/pharos-os/pharos/os-config/datasource/cloudstack"
	"github.com/pharos-os/pharos/os-config/datasource/digitalocean"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
	"github.com/pharos-os/pharos/os-config/datasource/equinix"
	"github.com/pharos-os/pharos/os-config/datasource/exoscale"
	"github.com/pharos-os/pharos/os-config/datasource/fwcfg"
	"github.com/pharos-os/pharos/os-config/datasource/gce"
	"github.com/pharos-os/pharos/os-config/datasource/hetzner"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/linode"
	"github.com/pharos-os/pharos/os-config/datasource/openstack"
	"github.com/pharos-os/pharos/os-config/datasource/oracle"
	"github.com/pharos-os/pharos/os-config/datasource/scaleway"
	"github.com/pharos-os/pharos/os-config/datasource/url"
	"github.com/pharos-os/pharos/os-config/datasource/vmware"
	"github.com/pharos-os/pharos/os-config/datasource/vultr"
)

// New makes the source of that kind. place is what follows the kind in
// rancher.cloud_init.datasources: the base URL of the service, empty for the
// cloud's own; for url and cmdline the URL itself; for cloudstack the address
// of the DHCP server too; for ec2 also "v1", alone or before a URL. It is
// false when there is no such kind here.
func New(kind, place string, o imds.Options) (datasource.Source, bool) {
	switch kind {
	case "ec2":
		if rest, ok := strings.CutPrefix(place, "v1"); ok && (rest == "" || rest[0] == ':') {
			return ec2.NewV1(strings.TrimPrefix(rest, ":"), o), true
		}
	case "fwcfg":
		return fwcfg.New(place), true
	case "vmware":
		return vmware.New(o), true
	}
	for _, c := range services() {
		if c.kind == kind {
			return c.make(place, o), true
		}
	}
	return nil, false
}

// Kinds are the names that New knows.
func Kinds() []string {
	kinds := []string{"fwcfg", "vmware"}
	for _, c := range services() {
		kinds = append(kinds, c.kind)
	}
	return kinds
}

type service struct {
	kind string
	make func(base string, o imds.Options) datasource.Source
}

// services are those with a base URL. packet and akamai are other names of
// the same clouds.
func services() []service {
	return []service{
		{"akamai", linode.New},
		{"aliyun", aliyun.New},
		{"azure", azure.New},
		{"cloudstack", cloudstack.New},
		{"cmdline", url.NewCmdline},
		{"digitalocean", digitalocean.New},
		{"ec2", ec2.New},
		{"equinix", equinix.New},
		{"exoscale", exoscale.New},
		{"gce", gce.New},
		{"hetzner", hetzner.New},
		{"linode", linode.New},
		{"openstack", openstack.New},
		{"oracle", oracle.New},
		{"packet", equinix.New},
		{"scaleway", scaleway.New},
		{"url", url.New},
		{"vultr", vultr.New},
	}
}
