// Package oracle owns the datasource of Oracle Cloud: version 2 of its
// metadata service, version 1 where there is no other. It refuses the links of
// bare metal that need VLANs, and says so.
package oracle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// New makes a source of the service at base; empty is imds.LinkLocal.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource("oracle", base, o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	root, header := "opc/v2/", []string{"Authorization", "Bearer Oracle"}
	data, err := c.Get(ctx, root+"instance/", header...)
	if errors.Is(err, datasource.ErrNotFound) {
		root, header = "opc/v1/", nil
		data, err = c.Get(ctx, root+"instance/")
	}
	if err != nil {
		return datasource.Result{}, err
	}
	vnics, err := metadata.Optional(c.Get(ctx, root+"vnics/", header...))
	if err != nil {
		return datasource.Result{}, err
	}
	return Parse(c.URL(root+"instance/"), data, vnics)
}

type vnic struct {
	MAC        metadata.Text  `json:"macAddr"`
	Address    metadata.Text  `json:"privateIp"`
	Subnet     metadata.Text  `json:"subnetCidrBlock"`
	VLAN       metadata.Text  `json:"vlanTag"`
	Number     metadata.Text  `json:"nicIndex"`
	IPv6       metadata.Lines `json:"ipv6Addresses"`
	IPv6Subnet metadata.Text  `json:"ipv6SubnetCidrBlock"`
}

// Parse reads the instance and the list of its VNICs, which may be empty. The
// first VNIC takes a lease; the others have no DHCP server and are static.
func Parse(where string, data, vnics []byte) (datasource.Result, error) {
	var m struct {
		ID       metadata.Text `json:"id"`
		Hostname metadata.Text `json:"hostname"`
		Name     metadata.Text `json:"displayName"`
		Metadata struct {
			Keys     metadata.Lines `json:"ssh_authorized_keys"`
			UserData metadata.Text  `json:"user_data"`
		} `json:"metadata"`
	}
	if err := metadata.JSON(where, data, &m); err != nil {
		return datasource.Result{}, err
	}
	out := datasource.Result{
		Where: where, InstanceID: string(m.ID), Hostname: metadata.Hostname(string(m.Hostname)), Keys: metadata.Keys(m.Metadata.Keys...),
	}
	if out.Hostname == "" {
		out.Hostname = metadata.Hostname(string(m.Name))
	}
	if text := m.Metadata.UserData; text != "" {
		metadata.UserData64(&out, where+"metadata/user_data", string(text))
	}
	n := metadata.NewNetwork(where)
	var list []vnic
	if len(vnics) > 0 && json.Unmarshal(vnics, &list) != nil {
		n.Warn("the list of VNICs is no usable JSON; the network is left to DHCP")
		list = nil
	}
	for i, v := range list {
		if i == 0 {
			out.Addresses.PrivateIPv4 = metadata.Address(string(v.Address))
			if len(v.IPv6) > 0 {
				out.Addresses.PublicIPv6 = metadata.Address(v.IPv6[0])
			}
		}
		if len(list) > 1 || len(v.IPv6) > 0 {
			v.apply(n, i == 0)
		}
	}
	node, report := n.Section()
	out.Network, out.Report = node, append(out.Report, report...)
	return out, nil
}

func (v vnic) apply(n *metadata.Network, first bool) {
	if !first && v.VLAN != "" && v.VLAN != "0" && v.Number != "" {
		n.Warn("the VNIC %s is left out: it is VLAN %s of a physical link", v.MAC, v.VLAN)
		return
	}
	l := n.ByMAC(string(v.MAC))
	bits := func(subnet metadata.Text) string {
		if p, ok := metadata.Prefix(string(subnet), ""); ok {
			return fmt.Sprint(p.Bits())
		}
		return ""
	}
	if first {
		l.UseDHCP()
	} else {
		l.Add(string(v.Address), bits(v.Subnet))
		const mtu = "9000" // of all of Oracle's networks
		l.Size(mtu)
	}
	for _, a := range v.IPv6 {
		l.Add(a, bits(v.IPv6Subnet))
	}
}
