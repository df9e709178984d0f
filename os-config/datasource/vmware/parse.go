package vmware

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
	"github.com/pharos-os/pharos/os-config/datasource/nocloud"
)

// Names of RancherOS.
const (
	configData = "cloud-init.config.data"
	configURL  = "cloud-init.config.url"
)

// Parse makes a result of the variables. get returns the value of a key
// without "guestinfo.", empty when it is not set. address is a URL at which
// the user-data are.
func Parse(get func(key string) string) (out datasource.Result, address string) {
	out.Where = "guestinfo.metadata"
	read := func(layer, key, encodingKey string) []byte {
		text := get(key)
		if text == "" {
			return nil
		}
		data, err := decode(text, get(encodingKey))
		if err != nil {
			out.Report = append(out.Report, osconfig.Problem{
				Severity: osconfig.Error, Kind: osconfig.Source, Layer: layer, File: "guestinfo." + key, Text: err.Error(),
			})
		}
		return data
	}
	cloudMetadata(read(metadata.Layer, "metadata", "metadata.encoding"), &out)
	for _, key := range []string{"userdata", configData} {
		if out.UserData = read("user-data", key, key+".encoding"); out.UserData != nil {
			out.UserDataFile = "guestinfo." + key
			break
		}
	}
	if out.VendorData = read("vendor-data", "vendordata", "vendordata.encoding"); out.VendorData != nil {
		out.VendorDataFile = "guestinfo.vendordata"
	}
	if out.UserData == nil {
		address = strings.TrimSpace(get(configURL))
	}
	if out.Hostname == "" {
		out.Hostname = metadata.Hostname(get("hostname"))
	}
	if out.Network == nil { // cloud-init's wins as a whole
		node, report := variables(get, &out)
		out.Network, out.Report = node, append(out.Report, report...)
	}
	return out, address
}

// cloudMetadata reads guestinfo.metadata, which is NoCloud's meta-data with a
// network-config inside.
func cloudMetadata(data []byte, out *datasource.Result) {
	if len(data) == 0 {
		return
	}
	doc, report := osconfig.ParseTree(metadata.Layer, out.Where, data)
	out.Report = append(out.Report, report...)
	text := func(keys ...string) string {
		for _, k := range keys {
			if n := doc.Child(k); n != nil && n.Scalar() {
				return strings.TrimSpace(n.Text)
			}
		}
		return ""
	}
	out.InstanceID = text("instance-id", "instance_id")
	out.Hostname = metadata.Hostname(text("local-hostname", "hostname"))
	out.Keys = metadata.Keys(text("public-keys-data"), text("public-keys"))
	if list := doc.Child("public-keys"); !list.IsNull() {
		for _, k := range list.List {
			out.Keys = metadata.Keys(append(out.Keys, k.Text)...)
		}
	}
	network := doc.Child("network")
	if network != nil && network.Scalar() {
		inner, err := decode(network.Text, text("network.encoding"))
		if err != nil {
			out.Report = append(out.Report, osconfig.Problem{
				Severity: osconfig.Error, Kind: osconfig.Source, Layer: metadata.Layer, File: out.Where, Text: "network: " + err.Error(),
			})
			return
		}
		network, report = osconfig.ParseTree(metadata.Layer, out.Where+":network", inner)
		out.Report = append(out.Report, report...)
	}
	if !network.IsNull() {
		node, report := nocloud.Network(network)
		out.Network, out.Report = node, append(out.Report, report...)
	}
}

// variables reads RancherOS's variables of the network.
func variables(get func(string) string, out *datasource.Result) (*osconfig.Node, osconfig.Report) {
	const most = 8 // of each; RancherOS reads four
	n := metadata.NewNetwork("guestinfo.interface")
	words := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	}
	n.DNS(words(get("dns.servers"))...)
	n.Search(words(get("dns.domains"))...)
	for i := range most {
		server, domain := get(fmt.Sprintf("dns.server.%d", i)), get(fmt.Sprintf("dns.domain.%d", i))
		if server != "" {
			n.DNS(server)
		}
		n.Search(domain)
	}
	for i := range most {
		value := func(format string, args ...any) string {
			return strings.TrimSpace(get(fmt.Sprintf("interface.%d.", i) + fmt.Sprintf(format, args...)))
		}
		mac, name := value("mac"), value("name")
		l := link(n, mac, name)
		if l == nil {
			continue
		}
		switch strings.ToLower(value("dhcp")) {
		case "yes", "true", "1":
			l.UseDHCP()
		}
		for j := range most {
			if address := value("ip.%d.address", j); address != "" {
				l.Add(address, value("ip.%d.netmask", j))
				role(value("role"), address, out)
			}
			if gateway := value("route.%d.gateway", j); gateway != "" {
				to := value("route.%d.destination", j)
				if to == "" {
					to = "default"
				}
				l.Route(to, "", gateway)
			}
		}
	}
	return n.Section()
}

func link(n *metadata.Network, mac, name string) *metadata.Link {
	switch {
	case mac != "":
		return n.ByMAC(mac)
	case name == "":
	case len(name) > 15 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*") != "":
		n.Warn("a link is left out: its name cannot be right")
	default:
		return n.Named(name)
	}
	return nil
}

// role fills $public_ipv4 and the like with the first address of each role.
func role(role, address string, out *datasource.Result) {
	p, ok := metadata.Prefix(address, "")
	if !ok {
		return
	}
	a := &out.Addresses
	var field *string
	switch {
	case role == "public" && p.Addr().Is4():
		field = &a.PublicIPv4
	case role == "public":
		field = &a.PublicIPv6
	case role == "private" && p.Addr().Is4():
		field = &a.PrivateIPv4
	case role == "private":
		field = &a.PrivateIPv6
	}
	if field != nil && *field == "" {
		*field = p.Addr().String()
	}
}

// decode undoes the encoding of a variable.
func decode(text, encoding string) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "":
		return []byte(text), nil
	case "base64", "b64":
		return metadata.Base64(text)
	case "gzip+base64", "gz+base64", "gzip+b64", "gz+b64":
		data, err := metadata.Base64(text)
		if err != nil {
			return nil, err
		}
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, errors.New("no usable gzip")
		}
		data, err = io.ReadAll(io.LimitReader(r, osconfig.MaxSize+1))
		switch {
		case err != nil:
			return nil, errors.New("no usable gzip")
		case len(data) > osconfig.MaxSize:
			return nil, fmt.Errorf("more than %d bytes when unpacked", osconfig.MaxSize)
		}
		return data, nil
	}
	return nil, errors.New("an encoding that is not known; use base64 or gzip+base64")
}
