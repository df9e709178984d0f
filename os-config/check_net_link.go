package osconfig

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// madeTypes are the kinds of links that a configuration makes.
func madeTypes() []string {
	return []string{"dummy", "vlan", "bond", "bridge", "macvlan", "ipvlan", "vxlan", "wireguard", "vrf"}
}

// newLinkName checks a name that a link is given. The kernel refuses two of
// the characters, and takes a percent sign for a number to fill in.
func newLinkName(s string) string {
	switch {
	case strings.ContainsAny(s, "%*?["):
		return fmt.Sprintf("%s is no name to give to a link", quote(s))
	case s == "lo":
		return "lo is the loopback link's name"
	}
	return linkName(s)
}

// bridgeName checks what bridge says: true, or the bridge to join.
func bridgeName(n *Node) []finding {
	if n.Kind == Bool || n.Text == "" {
		return nil
	}
	switch strings.ToLower(n.Text) {
	case "true", "false":
		return nil
	case "yes", "on", "no", "off":
		return doubtful(fmt.Sprintf("this is the name of a bridge to join, %s; write true for a link that is a bridge", quote(n.Text)))
	}
	return wrong(newLinkName(n.Text))
}

// bridgeToJoin is the name that bridge says; "" when it says true or nothing.
func bridgeToJoin(n *Node) string {
	if n.IsNull() || !n.Scalar() {
		return ""
	}
	switch strings.ToLower(n.Text) {
	case "true", "false", "yes", "no", "on", "off":
		return ""
	}
	return n.Text
}

// wildName says whether a key matches by something else than one name.
func wildName(s string) bool { return strings.ContainsAny(s, `*?[=\`) }

// looksPhysical says whether the kernel or udev gives such names to network
// cards, and the engine to what it makes: systemd.net-naming-scheme(7).
func looksPhysical(s string) bool {
	digit := func(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
	for _, prefix := range []string{"eth", "em", "wlan", "usb", "tun", "tap", "docker", "ib", "wwan", "veth", "p", "venet", "hsi"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && digit(rest) && (prefix != "p" || strings.Contains(rest, "p")) {
			return true
		}
	}
	for _, prefix := range []string{"en", "wl", "ww", "ib", "sl"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && len(rest) > 1 && strings.ContainsRune("abcdopPsvx", rune(rest[0])) {
			return true
		}
	}
	return s == "lo" || s == "docker-sys" || strings.HasPrefix(s, "br-") || strings.HasPrefix(s, "veth")
}

// saysNo says whether a truth value does not hold, however it is written.
func saysNo(n *Node) bool {
	if n.IsNull() || !n.Scalar() {
		return false
	}
	switch strings.ToLower(n.Text) {
	case "false":
		return true
	case "no", "off", "n":
		return !n.Quoted
	}
	return false
}

// ownMAC checks a MAC address that a link is given.
func ownMAC(s string) string {
	mac, err := net.ParseMAC(s)
	const bytes, group = 6, 1 // of Ethernet; the bit that makes an address a group's
	switch {
	case s == "":
		return ""
	case err != nil || len(mac) != bytes:
		return fmt.Sprintf("%s is no MAC address; write it like 52:54:00:12:34:56", quote(s))
	case mac[0]&group != 0:
		return fmt.Sprintf("%s is a multicast address: the first byte of a link's own is even", s)
	case !slices.ContainsFunc(mac, func(b byte) bool { return b != 0 }):
		return "the MAC address is all zero"
	}
	return ""
}

// clientID checks what a DHCP option of text or bytes is set to.
func clientID(s string) string {
	const most = 255 // of a DHCP option
	length := len(s)
	if b, err := hex.DecodeString(strings.ReplaceAll(s, ":", "")); err == nil && strings.Contains(s, ":") {
		length = len(b)
	}
	if length > most {
		return fmt.Sprintf("%d bytes; a DHCP option has at most %d", length, most)
	}
	return oneLine(s)
}

// vlan is one entry of vlans.
type vlan struct {
	id   int
	name string // empty: LINK.ID
}

// parseVLANs reads "100,200:name".
func parseVLANs(s string) ([]vlan, string) {
	var out []vlan
	for entry := range strings.SplitSeq(s, ",") {
		entry = strings.TrimSpace(entry)
		id, name, named := strings.Cut(entry, ":")
		number, err := strconv.Atoi(strings.TrimSpace(id))
		const most = 4094 // 4095 is reserved
		switch {
		case entry == "":
			return out, fmt.Sprintf("an empty entry in %s; write numbers with commas between, as 100,200:name", quote(s))
		case err != nil:
			return out, fmt.Sprintf("%s is no VLAN; write NUMBER or NUMBER:NAME, as 100,200:name", quote(entry))
		case number < 1 || number > most:
			return out, fmt.Sprintf("VLAN %d is not between 1 and %d", number, most)
		case named && newLinkName(name) != "":
			return out, fmt.Sprintf("VLAN %d: %s", number, newLinkName(name))
		case slices.ContainsFunc(out, func(v vlan) bool { return v.id == number }):
			return out, fmt.Sprintf("VLAN %d stands there twice", number)
		}
		out = append(out, vlan{number, name})
	}
	return out, ""
}

func vlanList(s string) string {
	if s == "" {
		return ""
	}
	_, problem := parseVLANs(s)
	return problem
}

// numberKey checks the keys of a mapping of numbers.
func numberKey(low, high int) func(string, *Node) string {
	return func(key string, _ *Node) string { return between(low, high)(key) }
}

// offload checks a name of ethtool -K: a short one, a long one, or one of the
// kernel's own.
func offload(key string, _ *Node) string {
	short := []string{
		"rx", "tx", "sg", "tso", "ufo", "gso", "gro", "lro", "rxvlan", "txvlan", "ntuple", "rxhash",
		"rx-checksumming", "tx-checksumming", "scatter-gather", "tcp-segmentation-offload", "udp-fragmentation-offload",
		"generic-segmentation-offload", "generic-receive-offload", "large-receive-offload", "rx-vlan-offload",
		"tx-vlan-offload", "ntuple-filters", "receive-hashing", "highdma", "loopback", "fcoe-mtu", "hw-tc-offload",
		"l2-fwd-offload", "esp-hw-offload", "esp-tx-csum-hw-offload", "macsec-hw-offload", "vlan-challenged",
	}
	switch {
	case slices.Contains(short, key):
		return ""
	case slices.Contains([]string{"rx", "tx", "tls", "hsr", "netns"}, before(key, "-")) && spelled(key, "a-z", "a-z0-9_-"):
		return "" // one of the kernel's many; which there are is for the driver to say
	}
	return fmt.Sprintf("%s is no offload; ethtool -k LINK lists them (tso, gso, gro, lro, rx, tx, sg, …)%s", quote(key), nearest(key, short))
}

func before(s, separator string) string {
	first, _, _ := strings.Cut(s, separator)
	return first
}

// nearest is the end of a sentence about a word that is none of the known.
func nearest(word string, known []string) string {
	const least = 3 // below, everything is near
	if len(word) < least {
		return ""
	}
	best, distance := "", len(word)/3+1
	word = plain(word)
	for _, k := range known {
		other := plain(k)
		if max(len(word)-len(other), len(other)-len(word)) > distance {
			continue
		}
		if d := editDistance(word, other); d <= distance {
			best, distance = k, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

func multicast(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.IsMulticast() {
		return fmt.Sprintf("%s is no multicast group, like 239.1.1.1 or ff05::100", quote(s))
	}
	return ""
}

// vector checks a command that runs without a shell.
func vector(n *Node) []finding {
	if n.Kind == List {
		if len(n.List) > 0 && n.List[0] != nil && n.List[0].Text == "" {
			return wrong("the command's name is empty")
		}
		return nil
	}
	if strings.TrimSpace(n.Text) == "" {
		return doubtful("an empty command")
	}
	for _, word := range strings.Fields(n.Text) {
		switch word {
		case "|", "||", "&&", "&", ">", ">>", "<", ";", "2>&1":
			return doubtful(fmt.Sprintf("there is no shell here, %s is an argument; write [sh, -c, '…'] for one", quote(word)))
		}
		if strings.HasSuffix(word, ";") || strings.Contains(word, "$(") || strings.Contains(word, "`") {
			return doubtful(fmt.Sprintf("there is no shell here, %s is an argument; write [sh, -c, '…'] for one", quote(word)))
		}
	}
	return nil
}
