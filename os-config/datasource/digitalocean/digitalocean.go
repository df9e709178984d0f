// Package digitalocean owns the datasource DigitalOcean: the metadata service
// of a droplet and the config drive that holds the same document. It refuses
// to reach the service by itself where a droplet has no address yet; the
// manager gives it a link-local one.
package digitalocean

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

const (
	name = "digitalocean"
	// DriveFile is the document on a volume with the label config-2.
	DriveFile = "digitalocean_meta_data.json"
)

// New makes a source of the service at base; empty is imds.LinkLocal.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource(name, base, o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	const document, userData = "metadata/v1.json", "metadata/v1/user-data"
	data, err := c.Get(ctx, document)
	if err != nil {
		return datasource.Result{}, err
	}
	out, err := Parse(c.URL(document), data)
	if err != nil || len(out.UserData) > 0 {
		return out, err
	}
	if out.UserData, err = metadata.Optional(c.Get(ctx, userData)); out.UserData != nil {
		out.UserDataFile = c.URL(userData)
	}
	return out, err
}

type drive struct {
	files fs.FS
	where string
}

// NewDrive makes a source of a volume with DriveFile in its root; where is
// how reports call it.
func NewDrive(files fs.FS, where string) datasource.Source { return drive{files, where} }

func (drive) Name() string { return name }

func (d drive) Fetch(context.Context) (datasource.Result, error) {
	data, err := datasource.ReadFile(d.files, d.where, DriveFile)
	if errors.Is(err, fs.ErrNotExist) {
		return datasource.Result{}, fmt.Errorf("%w: %w", datasource.ErrNotFound, err)
	} else if err != nil {
		return datasource.Result{}, err
	}
	return Parse(d.where+":"+DriveFile, data)
}

// droplet is metadata/v1.json, as DigitalOcean's Droplet Metadata API
// reference has it.
type droplet struct {
	ID         metadata.Text  `json:"droplet_id"`
	Hostname   metadata.Text  `json:"hostname"`
	Region     metadata.Text  `json:"region"`
	UserData   string         `json:"user_data"`
	VendorData string         `json:"vendor_data"`
	PublicKeys metadata.Lines `json:"public_keys"`
	Interfaces struct {
		Public  []nic `json:"public"`
		Private []nic `json:"private"`
	} `json:"interfaces"`
	DNS struct {
		Nameservers metadata.Lines `json:"nameservers"`
	} `json:"dns"`
	Floating reserved `json:"floating_ip"`
	Reserved reserved `json:"reserved_ip"`
}

type nic struct {
	MAC    metadata.Text `json:"mac"`
	IPv4   *address      `json:"ipv4"`
	IPv6   *address      `json:"ipv6"`
	Anchor *address      `json:"anchor_ipv4"`
}

type address struct {
	Address metadata.Text `json:"ip_address"`
	Netmask metadata.Text `json:"netmask"`
	CIDR    metadata.Text `json:"cidr"`
	Gateway metadata.Text `json:"gateway"`
}

type reserved struct {
	IPv4 reservedAddress `json:"ipv4"`
	IPv6 reservedAddress `json:"ipv6"`
}

type reservedAddress struct {
	Active  metadata.Text `json:"active"`
	Address metadata.Text `json:"ip_address"`
}

// Parse reads metadata/v1.json; where is how reports call it.
func Parse(where string, data []byte) (datasource.Result, error) {
	var d droplet
	if err := metadata.JSON(where, data, &d); err != nil {
		return datasource.Result{}, err
	}
	if d.ID == "" && d.Hostname == "" && len(d.Interfaces.Public) == 0 && len(d.Interfaces.Private) == 0 {
		return datasource.Result{}, fmt.Errorf("%s: no droplet's metadata: neither droplet_id nor hostname nor interfaces", where)
	}
	out := datasource.Result{
		Where:      where,
		InstanceID: string(d.ID),
		Hostname:   metadata.Hostname(string(d.Hostname)),
		Keys:       metadata.Keys(d.PublicKeys...),
		Detail:     d.detail(),
	}
	if d.UserData != "" {
		out.UserData, out.UserDataFile = []byte(d.UserData), where+"#user_data"
	}
	if d.VendorData != "" {
		out.VendorData, out.VendorDataFile = []byte(d.VendorData), where+"#vendor_data"
	}
	d.network(where, &out)
	return out, nil
}

// network makes links by MAC address: the order of the kernel's names is not
// that of the document. Only a public link has gateways; the anchor address,
// to which a reserved IP leads, is one more on the public link.
func (d droplet) network(where string, out *datasource.Result) {
	n := metadata.NewNetwork(where)
	for _, i := range d.Interfaces.Public {
		l := n.ByMAC(string(i.MAC))
		for _, a := range []*address{i.IPv4, i.IPv6} {
			if a.add(l) {
				l.Via(string(a.Gateway))
			}
		}
		i.Anchor.add(l)
		i.IPv4.first(&out.Addresses.PublicIPv4)
		i.IPv6.first(&out.Addresses.PublicIPv6)
	}
	for _, i := range d.Interfaces.Private {
		l := n.ByMAC(string(i.MAC))
		i.IPv4.add(l)
		i.IPv6.add(l)
		i.IPv4.first(&out.Addresses.PrivateIPv4)
		i.IPv6.first(&out.Addresses.PrivateIPv6)
	}
	n.DNS(d.DNS.Nameservers...)
	node, report := n.Section()
	out.Network, out.Report = node, append(out.Report, report...)
}

// add gives the link the address; it says whether there is one.
func (a *address) add(l *metadata.Link) bool {
	if a == nil || a.Address == "" {
		return false
	}
	mask := a.Netmask
	if mask == "" {
		mask = a.CIDR
	}
	l.Add(string(a.Address), string(mask))
	return true
}

func (a *address) first(to *string) {
	if a != nil && *to == "" {
		*to = metadata.Address(string(a.Address))
	}
}

// detail names the addresses that lead here without being the machine's own.
func (d droplet) detail() string {
	var parts []string
	if d.Region != "" {
		parts = append(parts, "region "+printable(d.Region))
	}
	for _, r := range []reservedAddress{d.Reserved.IPv4, d.Reserved.IPv6, d.Floating.IPv4} {
		text := "reserved IP " + metadata.Address(string(r.Address))
		if r.Active.Bool() && metadata.Address(string(r.Address)) != "" && !strings.Contains(strings.Join(parts, ", "), text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}

// printable quotes what is no plain word.
func printable(t metadata.Text) string {
	if strings.Trim(strings.ToLower(string(t)), "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
		return string(t)
	}
	b, err := json.Marshal(string(t))
	if err != nil {
		return "?"
	}
	return string(b[:min(len(b), 60)])
}
