package netconf

import (
	"hash/fnv"
	"net/netip"
)

// linkLocal is the link-local address (RFC 3927) of a link, from its hardware
// address. Nobody is asked whether it is free: it serves to reach a metadata
// service on a cloud's own link for some seconds, and goes as soon as there
// is another address or the service has answered.
func linkLocal(link Link) netip.Prefix {
	h := fnv.New32a()
	h.Write([]byte(link.MAC)) //nolint:errcheck // never fails
	sum := h.Sum32()
	// 169.254.1.0 to 169.254.168.255: RFC 3927 reserves the ends, and the
	// services have 169.254.169.254.
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, byte(1 + sum%168), byte(sum >> 16)}), 16)
}
