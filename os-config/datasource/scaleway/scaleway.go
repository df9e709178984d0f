// Package scaleway owns the datasource of Scaleway: its metadata service,
// and user-data, which it gives only to privileged source ports, so that
// users of the machine cannot read them. It refuses to ask without one.
package scaleway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// Base is where the service is.
const Base = "http://169.254.42.42"

// New makes a source of the service at base; empty is Base. It needs the right
// to use ports below 1024, unless o.AnyPort is set: for user-data o.HTTP, which
// connects from any, does not count.
func New(base string, o imds.Options) datasource.Source {
	base = cmp.Or(base, Base)
	private := o
	if !o.AnyPort {
		private.HTTP = &http.Client{Transport: &http.Transport{
			DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, DialContext: dialPrivileged,
		}}
	}
	privileged := imds.New(base, private)
	return imds.NewSource("scaleway", base, o, func(ctx context.Context, c *imds.Client) (datasource.Result, error) {
		return fetch(ctx, c, privileged)
	})
}

// dialPrivileged connects from the highest free port below 1024.
func dialPrivileged(ctx context.Context, network, address string) (net.Conn, error) {
	const highest, lowest = 1023, 512 // lower ones may belong to a service that is yet to start
	var last error
	for port := highest; port >= lowest; port-- {
		d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{Port: port}}
		conn, err := d.DialContext(ctx, network, address)
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			return conn, err
		}
		last = err
	}
	return nil, fmt.Errorf("no free port below 1024: %w", last)
}

func fetch(ctx context.Context, c, privileged *imds.Client) (datasource.Result, error) {
	data, err := c.Get(ctx, "conf?format=json")
	if err != nil {
		return datasource.Result{}, err
	}
	out, err := Parse(c.URL("conf"), data)
	if err != nil {
		return datasource.Result{}, err
	}
	const user, vendor = "user_data/cloud-init", "vendor_data/cloud-init"
	if out.UserData, err = metadata.Optional(privileged.Get(ctx, user)); err != nil {
		return datasource.Result{}, err
	}
	if out.VendorData, err = metadata.Optional(privileged.Get(ctx, vendor)); err != nil {
		return datasource.Result{}, err
	}
	out.UserDataFile, out.VendorDataFile = c.URL(user), c.URL(vendor)
	return out, nil
}

type document struct {
	ID       metadata.Text  `json:"id"`
	Hostname metadata.Text  `json:"hostname"`
	Name     metadata.Text  `json:"name"`
	Tags     metadata.Lines `json:"tags"`
	Keys     []struct {
		Key metadata.Text `json:"key"`
	} `json:"ssh_public_keys"`
	PrivateIP metadata.Text `json:"private_ip"`
	PublicIP  struct {
		Address metadata.Text `json:"address"`
	} `json:"public_ip"`
	PublicIPs []struct {
		Address metadata.Text `json:"address"`
		Family  metadata.Text `json:"family"`
	} `json:"public_ips"`
	IPv6 struct {
		Address metadata.Text `json:"address"`
		Netmask metadata.Text `json:"netmask"`
		Gateway metadata.Text `json:"gateway"`
	} `json:"ipv6"`
}

// Parse reads the answer of conf. All links take leases; the IPv6 address of
// older machines is static, on eth0.
func Parse(where string, data []byte) (datasource.Result, error) {
	var m document
	if err := metadata.JSON(where, data, &m); err != nil {
		return datasource.Result{}, err
	}
	out := datasource.Result{
		Where: where, InstanceID: string(m.ID), Hostname: metadata.Hostname(string(m.Hostname)),
		Addresses: datasource.Addresses{
			PublicIPv4: metadata.Address(string(m.PublicIP.Address)), PrivateIPv4: metadata.Address(string(m.PrivateIP)),
			PublicIPv6: metadata.Address(string(m.IPv6.Address)),
		},
	}
	if out.Hostname == "" {
		out.Hostname = metadata.Hostname(string(m.Name))
	}
	for _, k := range m.Keys {
		out.Keys = append(out.Keys, string(k.Key))
	}
	for _, t := range m.Tags { // a tag has no spaces
		if key, ok := strings.CutPrefix(t, "AUTHORIZED_KEY="); ok {
			out.Keys = append(out.Keys, strings.ReplaceAll(key, "_", " "))
		}
	}
	out.Keys = metadata.Keys(out.Keys...)
	for _, p := range m.PublicIPs {
		switch {
		case p.Family == "inet" && out.Addresses.PublicIPv4 == "":
			out.Addresses.PublicIPv4 = metadata.Address(string(p.Address))
		case p.Family == "inet6" && out.Addresses.PublicIPv6 == "":
			out.Addresses.PublicIPv6 = metadata.Address(string(p.Address))
		}
	}
	n := metadata.NewNetwork(where)
	if m.IPv6.Address != "" {
		n.Named("e*").UseDHCP()
		first := n.Named("eth0")
		first.UseDHCP()
		first.Add(string(m.IPv6.Address), string(m.IPv6.Netmask))
		first.Via(string(m.IPv6.Gateway))
	}
	out.Network, out.Report = n.Section()
	return out, nil
}
