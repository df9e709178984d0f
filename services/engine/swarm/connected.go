package swarm

import (
	"bufio"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// connected reports whether this machine has a TCP connection to one of the
// addresses, ADDRESS:PORT. A worker has one to a manager for as long as both
// are well; to dial one each time would leave a broken handshake in its log.
func connected(addresses []string) bool {
	var want []netip.AddrPort
	for _, a := range addresses {
		if p, err := netip.ParseAddrPort(a); err == nil {
			want = append(want, p)
		}
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		found := established(f, want)
		f.Close()
		if found {
			return true
		}
	}
	return false
}

// established looks for one of the peers in a table of connections;
// Documentation/networking/proc_net_tcp.rst in the kernel's source.
func established(table io.Reader, peers []netip.AddrPort) bool {
	const remote, state, isEstablished = 2, 3, "01" // fields of a row, TCP_ESTABLISHED
	rows := bufio.NewScanner(table)
	for rows.Scan() {
		fields := strings.Fields(rows.Text())
		if len(fields) > state && fields[state] == isEstablished && slices.Contains(peers, peer(fields[remote])) {
			return true
		}
	}
	return false
}

// peer reads an address as the kernel prints it: words of 32 bits in the
// machine's order of bytes, which is little endian, in hexadecimal digits.
func peer(s string) netip.AddrPort {
	address, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(address)
	number, errPort := strconv.ParseUint(port, 16, 16)
	if err != nil || errPort != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	a, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(number))
}
