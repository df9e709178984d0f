package ipv4ll

import (
	"hash/fnv"
	"math/rand/v2"
	"net/netip"

	"github.com/pharos-os/pharos/netconf/arp"
)

// candidates returns a function that gives one address after the other, the
// same for the same MAC address, so that a machine mostly has the one that it
// had before (RFC 3927, section 2.1). The first and the last 256 addresses of
// 169.254.0.0/16 are reserved; 169.254.169.0/24 is left to the clouds, which
// have their metadata services there and often do not answer ARP for it.
func candidates(mac arp.MAC) func() netip.Addr {
	h := fnv.New64a()
	h.Write(mac[:]) //nolint:errcheck // never fails
	random := rand.New(rand.NewPCG(h.Sum64(), 0))
	return func() netip.Addr {
		third := byte(1 + random.UintN(253)) // 1 to 253
		if third >= 169 {
			third++
		}
		return netip.AddrFrom4([4]byte{169, 254, third, byte(random.UintN(256))})
	}
}
