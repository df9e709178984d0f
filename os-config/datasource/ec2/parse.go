package ec2

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

// Answers are those of the service, by path below meta-data. Keys are below
// public-keys/, one an entry, links below macs.
type Answers map[string]string

const (
	macs     = "network/interfaces/macs/"
	mostKeys = 64
	mostNICs = 64
)

// Read asks for instance-id, without which there is no such service, for the
// paths that are named, keys, and links. get's paths begin with meta-data.
func Read(get func(path string) ([]byte, error), paths ...string) (Answers, error) {
	a := Answers{}
	ask := func(path string) error {
		data, err := metadata.Optional(get("meta-data/" + path))
		if data != nil {
			a[path] = strings.TrimSpace(string(data))
		}
		return err
	}
	id, err := get("meta-data/instance-id")
	if err != nil {
		return nil, err
	}
	a["instance-id"] = strings.TrimSpace(string(id))
	for _, p := range append(paths, "public-keys/", macs) {
		if err := ask(p); err != nil {
			return nil, err
		}
	}
	for _, n := range a.keyNumbers() {
		if err := ask("public-keys/" + n + "/openssh-key"); err != nil {
			return nil, err
		}
	}
	for _, mac := range a.macs() {
		for _, p := range []string{"device-number", "local-ipv4s", "subnet-ipv4-cidr-block", "ipv6s", "subnet-ipv6-cidr-blocks"} {
			if err := ask(macs + mac + "/" + p); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// keyNumbers are those of a list "0=name" or "0/"; services that give the
// keys themselves have none.
func (a Answers) keyNumbers() []string {
	var out []string
	number := regexp.MustCompile(`^([0-9]{1,4})(=.*|/)?$`)
	for _, line := range metadata.SplitLines(a["public-keys/"]) {
		if m := number.FindStringSubmatch(line); m != nil && len(out) < mostKeys {
			out = append(out, m[1])
		}
	}
	return out
}

// macs are those of the links, as the service writes them.
func (a Answers) macs() []string {
	var out []string
	for _, line := range metadata.SplitLines(a[macs]) {
		line = strings.TrimSuffix(line, "/")
		if _, ok := metadata.MAC(line); ok && len(out) < mostNICs {
			out = append(out, line)
		}
	}
	return out
}

// Parse makes a result of the answers; where is how reports call them. With
// one link and one address the network is left to DHCP. With more, each link
// is known by its MAC address, takes a lease, and has its further addresses.
func Parse(where string, a Answers) datasource.Result {
	out := datasource.Result{
		Where:      where,
		InstanceID: first(a["instance-id"]),
		Hostname:   metadata.Hostname(cmp.Or(a["local-hostname"], a["hostname"])),
		Addresses: datasource.Addresses{
			PublicIPv4:  metadata.Address(a["public-ipv4"]),
			PrivateIPv4: metadata.Address(a["local-ipv4"]),
			PublicIPv6:  metadata.Address(a["ipv6"]),
		},
	}
	if numbers := a.keyNumbers(); len(numbers) > 0 {
		for _, n := range numbers {
			out.Keys = append(out.Keys, a["public-keys/"+n+"/openssh-key"])
		}
	} else {
		out.Keys = []string{a["public-keys/"]}
	}
	out.Keys = slices.DeleteFunc(metadata.Keys(out.Keys...), func(k string) bool { return !strings.Contains(k, " ") })
	out.Network, out.Report = a.network(where).Section()
	return out
}

func (a Answers) network(where string) *metadata.Network {
	n := metadata.NewNetwork(where)
	list := a.macs()
	more := len(list) > 1
	for _, mac := range list {
		more = more || len(metadata.SplitLines(a[macs+mac+"/local-ipv4s"])) > 1 || a[macs+mac+"/ipv6s"] != ""
	}
	if !more {
		return metadata.NewNetwork(where)
	}
	for _, mac := range list {
		get := func(p string) []string { return metadata.SplitLines(a[macs+mac+"/"+p]) }
		l := n.ByMAC(mac)
		l.UseDHCP()
		addresses := get("local-ipv4s")
		for _, address := range addresses[min(1, len(addresses)):] { // DHCP brings the first
			l.Add(address, bits(a[macs+mac+"/subnet-ipv4-cidr-block"], "32"))
		}
		if len(get("ipv6s")) > 0 {
			l.UseDHCP6()
		}
	}
	return n
}

// bits is the prefix length of a network.
func bits(cidr, otherwise string) string {
	if p, ok := metadata.Prefix(first(cidr), ""); ok {
		return fmt.Sprint(p.Bits())
	}
	return otherwise
}

func first(s string) string {
	return slices.Concat(strings.Fields(s), []string{""})[0]
}
