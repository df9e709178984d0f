package osconfig

import (
	"fmt"
	"strings"
)

// firewallLink checks the link of a firewall's rule: packets carry a name, and
// the kernel's filter compares it whole or from its beginning.
func firewallLink(s string) string {
	name := strings.TrimSuffix(s, "*")
	if strings.ContainsAny(name, `*?[\=`) {
		return fmt.Sprintf("%s is nothing that a packet can be told by; write a link's name (eth0) or the beginning of names (eth*)", quote(s))
	}
	if name == "" {
		return ""
	}
	return linkName(name)
}
