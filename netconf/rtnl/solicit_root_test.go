package rtnl_test

import (
	"bytes"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestRootSolicit: what leaves the link is what routers take (RFC 4861, section
// 6.1.1).
func TestRootSolicit(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	conn := open(t)
	netconftest.Real(t).AddLink("eth0")
	l := netconftest.Link(t, "eth0")
	// Or the kernel's own could not be told apart.
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/eth0/router_solicitations", []byte("0"), 0o644); err != nil {
		t.Fatal(err)
	}
	signal, err := conn.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetUp(l.LinkID); err != nil {
		t.Fatal(err)
	}
	wire, err := packet.Listen(&net.Interface{Index: l.Index, Name: l.Name}, packet.Datagram, unix.ETH_P_ALL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer wire.Close()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for err = conn.Solicit(l.LinkID); err != nil; err = conn.Solicit(l.LinkID) { // its address is being probed
		select {
		case <-signal:
		case <-deadline.C:
			t.Fatal(err)
		}
	}
	own, err := (&net.Interface{Index: l.Index, Name: l.Name}).Addrs()
	if err != nil {
		t.Fatal(err)
	}
	if err := wire.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	const header = 40 // bytes
	for buffer := make([]byte, 1500); ; {
		n, _, err := wire.ReadFrom(buffer)
		if err != nil {
			t.Fatalf("no solicitation: %v", err)
		}
		b := buffer[:n]
		if n < header+8 || b[0]>>4 != 6 || b[6] != unix.IPPROTO_ICMPV6 || b[header] != 133 {
			continue
		}
		from, to, hops, sum := net.IP(b[8:24]), net.IP(b[24:40]), b[7], b[header+2:header+4]
		if !slices.ContainsFunc(own, func(a net.Addr) bool { return a.(*net.IPNet).IP.Equal(from) }) {
			continue // the kernel asks at the cable's other end
		}
		if !from.IsLinkLocalUnicast() || to.String() != "ff02::2" || hops != 255 || bytes.Equal(sum, []byte{0, 0}) || n != header+8 {
			t.Errorf("from %s to %s, %d hops, checksum %x, %d bytes", from, to, hops, sum, n)
		}
		return
	}
}
