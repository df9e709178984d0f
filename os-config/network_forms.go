package osconfig

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
)

// IsBridge says whether bridge says that this link is one.
func (i Interface) IsBridge() bool {
	switch strings.ToLower(i.Bridge) {
	case "true", "yes", "on":
		return true
	}
	return false
}

// JoinsBridge is the name of the bridge that bridge names, "" when it says
// true, false or nothing.
func (i Interface) JoinsBridge() string {
	switch strings.ToLower(i.Bridge) {
	case "true", "yes", "on", "false", "no", "off":
		return ""
	}
	return i.Bridge
}

// VLAN is one entry of an interface's vlans.
type VLAN struct {
	ID   int
	Name string // empty: LINK.ID
}

// VLANList reads vlans. What stands before a wrong entry is returned, too.
func (i Interface) VLANList() ([]VLAN, error) {
	if i.VLANs == "" {
		return nil, nil
	}
	list, problem := parseVLANs(i.VLANs)
	out := make([]VLAN, 0, len(list))
	for _, v := range list {
		out = append(out, VLAN{ID: v.id, Name: v.name})
	}
	if problem != "" {
		return out, errors.New(problem)
	}
	return out, nil
}

// Or fills in what other says and o does not.
func (o DHCPOptions) Or(other DHCPOptions) DHCPOptions {
	return DHCPOptions{
		ClientID: cmp.Or(o.ClientID, other.ClientID), VendorClass: cmp.Or(o.VendorClass, other.VendorClass),
		Hostname: cmp.Or(o.Hostname, other.Hostname),
		UseDNS:   cmp.Or(o.UseDNS, other.UseDNS), UseDomains: cmp.Or(o.UseDomains, other.UseDomains),
		UseRoutes: cmp.Or(o.UseRoutes, other.UseRoutes), UseMTU: cmp.Or(o.UseMTU, other.UseMTU),
		UseNTP: cmp.Or(o.UseNTP, other.UseNTP), UseHostname: cmp.Or(o.UseHostname, other.UseHostname),
	}
}

// DHCPArgs is what dhcp_args means here.
type DHCPArgs struct {
	Options DHCPOptions
	Ignored []string // arguments that have no counterpart
}

// DHCPArguments reads RancherOS's dhcp_args, a command line of dhcpcd(8).
func DHCPArguments(s string) DHCPArgs {
	var out DHCPArgs
	words := strings.Fields(s)
	if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		if path.Base(words[0]) != "dhcpcd" {
			return DHCPArgs{Ignored: words}
		}
		words = words[1:]
	}
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch {
		case strings.HasPrefix(word, "--"):
			name, value, given := strings.Cut(word[2:], "=")
			letter := dhcpcdLetter(name)
			if takesValue(letter) && !given && len(words) > 0 {
				value, words = words[0], words[1:]
			}
			out.take(letter, value, word)
		case strings.HasPrefix(word, "-") && len(word) > 1:
			words = out.letters(word[1:], words)
		default:
			out.Ignored = append(out.Ignored, word)
		}
	}
	return out
}

// letters reads a word of options of one letter, of which the last may have a
// value, in the same word or the next one, and returns the words that are left.
func (a *DHCPArgs) letters(word string, rest []string) []string {
	for i := range len(word) {
		letter := word[i]
		if !takesValue(letter) {
			a.take(letter, "", "-"+string(rune(letter)))
			continue
		}
		value := word[i+1:]
		if value == "" && len(rest) > 0 {
			value, rest = rest[0], rest[1:]
		}
		a.take(letter, value, "-"+string(rune(letter)))
		break
	}
	return rest
}

// dhcpcdLetter is the letter of a long option that means something here, and
// of those that have a value; 0 for others.
func dhcpcdLetter(name string) byte {
	return map[string]byte{
		"hostname": 'h', "vendorclassid": 'i', "clientid": 'I', "nomtu": 'M', "noarp": 'A', "ipv4only": '4',
		"oneshot": '1', "debug": 'd', "quiet": 'q', "nogateway": 'G', "nooption": 'O', "nohook": 'C', "timeout": 't',
		"background": 'b', "nobackground": 'B', "waitip": 'w', "env": 'e', "config": 'f', "script": 'c',
		"metric": 'm', "option": 'o', "leasetime": 'l', "request": 'r', "static": 'S', "userclass": 'u', "vendor": 'v',
		"fqdn": 'F', "whitelist": 'W', "blacklist": 'X', "require": 'Q', "reboot": 'y', "allowinterfaces": 'z', "denyinterfaces": 'Z',
	}[name]
}

func takesValue(letter byte) bool { return strings.IndexByte("cefhilmorstuvyzCFIOQSWXZ", letter) >= 0 }

// take takes one option. Those that say how dhcpcd itself runs are silently
// left out: there is no such program.
func (a *DHCPArgs) take(letter byte, value, word string) {
	no := false
	o := &a.Options
	switch letter {
	case 'h':
		o.Hostname = value
	case 'i':
		o.VendorClass = value
	case 'I':
		o.ClientID = dhcpcdClientID(value)
	case 'M':
		o.UseMTU = &no
	case 'G':
		o.UseRoutes = &no
	case 'O':
		a.without(value)
	case 'C':
		if value != "resolv.conf" {
			a.Ignored = append(a.Ignored, word+" "+value)
			return
		}
		o.UseDNS, o.UseDomains = &no, &no
	case 'A', '4', '1', 'd', 'q', 'b', 'B', 'w', 't', 'e', 'c', 'f', 'o', 'y':
	default:
		a.Ignored = append(a.Ignored, strings.TrimSpace(word+" "+value))
	}
}

// without takes -O: options of an answer that are not used.
func (a *DHCPArgs) without(list string) {
	no := false
	for option := range strings.SplitSeq(list, ",") {
		switch option {
		case "domain_name_servers":
			a.Options.UseDNS = &no
		case "domain_name", "domain_search":
			a.Options.UseDomains = &no
		case "routers", "static_routes", "classless_static_routes":
			a.Options.UseRoutes = &no
		case "interface_mtu":
			a.Options.UseMTU = &no
		case "ntp_servers":
			a.Options.UseNTP = &no
		case "host_name":
			a.Options.UseHostname = &no
		default:
			a.Ignored = append(a.Ignored, "-O "+option)
		}
	}
}

// dhcpcdClientID spells a client identifier as dhcpcd sends it: bytes as they
// are, and a text with a zero before it.
func dhcpcdClientID(s string) string {
	if b, err := hex.DecodeString(strings.ReplaceAll(s, ":", "")); err == nil && strings.Contains(s, ":") && len(b) > 0 || s == "" {
		return s
	}
	out := "00"
	for _, b := range []byte(s) {
		out += fmt.Sprintf(":%02x", b)
	}
	return out
}

// dhcpArgs checks dhcp_args.
func dhcpArgs(n *Node) []finding {
	if !n.Scalar() || n.Text == "" {
		return nil
	}
	if ignored := DHCPArguments(n.Text).Ignored; len(ignored) > 0 {
		return doubtful(fmt.Sprintf(
			"%s has no effect: DHCP is built in, there is no command; use dhcp_options", strings.Join(ignored, " ")))
	}
	return nil
}
