// Package linode owns the datasource of Linode, now Akamai: its metadata
// service with tokens. It refuses to guess MAC addresses, which the service
// does not tell: links are eth0, eth1 in its order.
package linode

import (
	"context"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// New makes a source of the service at base; empty is imds.LinkLocal.
func New(base string, o imds.Options) datasource.Source {
	return imds.NewSource("linode", base, o, fetch)
}

func fetch(ctx context.Context, c *imds.Client) (datasource.Result, error) {
	data, err := c.Put(ctx, "v1/token", "Metadata-Token-Expiry-Seconds", "600")
	if err != nil {
		return datasource.Result{}, fmt.Errorf("token: %w", err)
	}
	token, err := metadata.Token(data)
	if err != nil {
		return datasource.Result{}, fmt.Errorf("%s: %w", c.URL("v1/token"), err)
	}
	get := func(path string) ([]byte, error) {
		return c.Get(ctx, "v1/"+path, "Metadata-Token", token, "Accept", "application/json")
	}
	var a Answers
	if a.Instance, err = get("instance"); err != nil {
		return datasource.Result{}, err
	}
	if a.Network, err = metadata.Optional(get("network")); err != nil {
		return datasource.Result{}, err
	}
	if a.Keys, err = metadata.Optional(get("ssh-keys")); err != nil {
		return datasource.Result{}, err
	}
	if a.UserData, err = metadata.Optional(get("user-data")); err != nil {
		return datasource.Result{}, err
	}
	return Parse(c.URL("v1"), a)
}

// Answers are those of the service. All but Instance may be empty.
type Answers struct{ Instance, Network, Keys, UserData []byte }

type network struct {
	Links []struct {
		Purpose metadata.Text `json:"purpose"`
		Address metadata.Text `json:"ipam_address"`
	} `json:"interfaces"`
	IPv4 struct {
		Public  metadata.Lines `json:"public"`
		Private metadata.Lines `json:"private"`
	} `json:"ipv4"`
	IPv6 struct {
		SLAAC metadata.Text `json:"slaac"`
	} `json:"ipv6"`
}

// Parse reads the answers. DHCP brings the public address; private ones and
// those of VLANs are static.
func Parse(where string, a Answers) (datasource.Result, error) {
	var m struct {
		ID    metadata.Text `json:"id"`
		Label metadata.Text `json:"label"`
	}
	if err := metadata.JSON(where+"/instance", a.Instance, &m); err != nil {
		return datasource.Result{}, err
	}
	out := datasource.Result{Where: where, InstanceID: string(m.ID), Hostname: metadata.Hostname(string(m.Label))}
	if len(a.Keys) > 0 {
		var k struct {
			Users metadata.Lines `json:"users"`
		}
		if err := metadata.JSON(where+"/ssh-keys", a.Keys, &k); err != nil {
			return datasource.Result{}, err
		}
		out.Keys = metadata.Keys(k.Users...)
	}
	if len(a.UserData) > 0 {
		metadata.UserData64(&out, where+"/user-data", string(a.UserData))
	}
	if len(a.Network) > 0 {
		var w network
		if err := metadata.JSON(where+"/network", a.Network, &w); err != nil {
			return datasource.Result{}, err
		}
		w.apply(where, &out)
	}
	return out, nil
}

func (w network) apply(where string, out *datasource.Result) {
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		p, ok := metadata.Prefix(list[0], "")
		if !ok {
			return ""
		}
		return metadata.Address(p.Addr().String())
	}
	out.Addresses = datasource.Addresses{
		PublicIPv4: first(w.IPv4.Public), PrivateIPv4: first(w.IPv4.Private), PublicIPv6: first([]string{string(w.IPv6.SLAAC)}),
	}
	n := metadata.NewNetwork(where + "/network")
	for i, d := range w.Links {
		if d.Purpose == "vlan" && d.Address != "" {
			n.Named(fmt.Sprintf("eth%d", i)).Add(string(d.Address), "")
		}
	}
	for _, p := range w.IPv4.Private {
		n.Named("eth0").Add(p, "")
	}
	if node, _ := n.Section(); node != nil {
		n.Named("e*").UseDHCP() // the other links
		if len(w.Links) == 0 || w.Links[0].Purpose != "vlan" {
			n.Named("eth0").UseDHCP()
		}
	}
	node, report := n.Section()
	out.Network, out.Report = node, append(out.Report, report...)
}
