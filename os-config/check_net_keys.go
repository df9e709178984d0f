package osconfig

import (
	"encoding/base64"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
)

// What networks with keys are told: WireGuard and Wi-Fi. Messages here never
// hold a key.

// wireGuardKey checks a key of wg(8).
func wireGuardKey(s string) string {
	const bytes = 32 // of Curve25519
	raw, err := base64.StdEncoding.DecodeString(s)
	switch {
	case s == "":
		return "an empty key; wg genkey makes one"
	case err != nil:
		return "it is no key: 32 bytes in base64, 44 characters that end in \"=\"; wg genkey makes one"
	case len(raw) != bytes:
		return fmt.Sprintf("%d bytes; a key of WireGuard has %d", len(raw), bytes)
	}
	return ""
}

// hostPort checks HOST:PORT.
func hostPort(s string) string {
	host, port, err := net.SplitHostPort(s)
	switch {
	case err != nil && family(s) == 6:
		return fmt.Sprintf("%s has no port; write [%s]:51820", quote(s), s)
	case err != nil:
		return fmt.Sprintf("%s is no HOST:PORT", quote(s))
	case host == "" || ipAddress(host) != "" && domain(host) != "":
		return fmt.Sprintf("%s is no address or name", quote(host))
	}
	return between(1, 65535)(port)
}

// peer checks what must be there of one entry of peers.
func peer(n *Node) []finding {
	var out []finding
	if n.Child("public_key").IsNull() {
		out = append(out, wrong("public_key is missing")...)
	}
	if ips := n.Child("allowed_ips"); ips.IsNull() || ips.Kind == List && len(ips.List) == 0 {
		out = append(out, doubtful("allowed_ips is missing: nothing is sent to this peer")...)
	}
	return out
}

// peers looks for keys and networks that two peers have.
func peers(n *Node) []finding {
	if n.Kind != List {
		return nil
	}
	var out []finding
	keys, networks := map[string]bool{}, map[string]bool{}
	for i, p := range n.List {
		if k := textAt(p, "public_key"); k != "" && keys[k] {
			out = append(out, finding{
				severity: Error, kind: Conflict, node: p.Child("public_key"),
				text: fmt.Sprintf("peer %d has the same public_key as one before it", i+1),
			})
		} else {
			keys[k] = true
		}
		ips := p.Child("allowed_ips")
		if ips.IsNull() {
			continue
		}
		for _, ip := range ips.List {
			if ip.IsNull() || !ip.Scalar() {
				continue
			}
			if networks[ip.Text] {
				out = append(out, finding{
					severity: Warning, kind: Conflict, node: ip,
					text: fmt.Sprintf("%s belongs to a peer before this one, too; the last one gets it", ip.Text),
				})
			}
			networks[ip.Text] = true
		}
	}
	return out
}

func wifiKey(key string, _ *Node) string {
	if strings.TrimSpace(key) == "" {
		return "a network without a name"
	}
	return oneLine(key)
}

func ssid(s string) string {
	const most = 32 // bytes, of IEEE 802.11
	switch {
	case s == "":
		return "an empty name"
	case len(s) > most:
		return fmt.Sprintf("%d bytes; the name of a network has at most %d", len(s), most)
	}
	return oneLine(s)
}

// wifiKeyText checks a pass phrase or key.
func wifiKeyText(s string) string {
	const least, most, key = 8, 63, 64 // of IEEE 802.11i
	switch {
	case len(s) == key && strings.Trim(s, "0123456789abcdefABCDEF") == "":
		return ""
	case len(s) == key:
		return "64 characters that are not all hex digits; a pass phrase has at most 63"
	case len(s) < least, len(s) > key:
		return fmt.Sprintf("%d characters; a pass phrase has %d to %d, a key %d hex digits", len(s), least, most, key)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }):
		return "a pass phrase has letters, digits, signs and spaces of ASCII only; write the key of 64 hex digits instead"
	}
	return ""
}

// wifiFile checks the path of a certificate or key. The Wi-Fi service is given
// the directories of these files, and only those that are kept: the console's
// own file system, with its /etc, is not there for it.
func wifiFile(s string) string {
	if problem := absolutePath(s); problem != "" {
		return problem
	}
	dir := path.Dir(path.Clean(s))
	if !slices.ContainsFunc([]string{"/opt/", "/var/", "/home/"}, func(root string) bool { return strings.HasPrefix(dir, root) }) {
		return fmt.Sprintf("%s is not seen by the Wi-Fi service; put the file into a directory below /opt, /var or /home, like /opt/wifi/%s",
			s, path.Base(s))
	}
	return ""
}

func keyManagement() []string {
	return []string{
		"WPA-PSK", "WPA-EAP", "SAE", "NONE", "WPA-PSK-SHA256", "WPA-EAP-SHA256", "FT-PSK", "FT-EAP", "FT-SAE",
		"IEEE8021X", "OWE", "WPA-EAP-SUITE-B-192",
	}
}

// wordsOf checks words with spaces between that are each one of the known.
func wordsOf(known ...string) func(string) string {
	return func(s string) string {
		for _, w := range strings.Fields(s) {
			if !slices.Contains(known, strings.ToUpper(w)) {
				return fmt.Sprintf("%s is not one of: %s", quote(w), strings.Join(known, ", "))
			}
		}
		return ""
	}
}

// phase checks one of phases, "phase2=\"auth=MSCHAPV2\"" or its value alone.
func phase(s string) string {
	if !strings.Contains(s, "=") {
		return fmt.Sprintf("%s is no phase; write it like auth=MSCHAPV2 or peaplabel=0", quote(s))
	}
	return oneLine(s)
}
