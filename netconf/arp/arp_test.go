package arp_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/pharos-os/pharos/netconf/arp"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// TestBytes compares with packets as they are on the wire.
func TestBytes(t *testing.T) {
	mac := arp.MAC{2, 0, 0, 0, 0, 1}
	for _, c := range []struct {
		name   string
		packet arp.Packet
		want   string
	}{
		{"probe", arp.Probe(mac, addr("192.0.2.5")),
			"\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc0\x00\x02\x05"},
		{"announcement", arp.Announcement(mac, addr("192.0.2.5")),
			"\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x01\xc0\x00\x02\x05\x00\x00\x00\x00\x00\x00\xc0\x00\x02\x05"},
		{"reply", arp.Packet{Op: arp.Reply, SenderMAC: mac, SenderIP: addr("192.0.2.5"), TargetMAC: arp.MAC{6, 5, 4, 3, 2, 1}, TargetIP: addr("192.0.2.1")},
			"\x00\x01\x08\x00\x06\x04\x00\x02\x02\x00\x00\x00\x00\x01\xc0\x00\x02\x05\x06\x05\x04\x03\x02\x01\xc0\x00\x02\x01"},
	} {
		if got := c.packet.Bytes(); string(got) != c.want {
			t.Errorf("%s: %x, want %x", c.name, got, c.want)
		}
		padded := append([]byte(c.want), make([]byte, 18)...) // to Ethernet's minimum
		if got, ok := arp.Parse(padded); !ok || got != c.packet {
			t.Errorf("%s: parsed as %+v, %v", c.name, got, ok)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := arp.Probe(arp.MAC{2, 0, 0, 0, 0, 1}, addr("192.0.2.5")).Bytes()
	if _, ok := arp.Parse(good[:27]); ok {
		t.Error("a short packet was parsed")
	}
	for _, at := range []int{0, 1, 2, 3, 4, 5, 6, 7} {
		bad := bytes.Clone(good)
		bad[at] ^= 0x40
		if p, ok := arp.Parse(bad); ok {
			t.Errorf("with a bad byte %d it was parsed as %+v", at, p)
		}
	}
}

func TestKinds(t *testing.T) {
	mac, a := arp.MAC{2, 0, 0, 0, 0, 1}, addr("192.0.2.5")
	for _, c := range []struct {
		name       string
		p          arp.Packet
		has, seeks bool
	}{
		{"probe", arp.Probe(mac, a), false, true},
		{"announcement", arp.Announcement(mac, a), true, false},
		{"reply", arp.Packet{Op: arp.Reply, SenderIP: a, TargetIP: addr("192.0.2.1")}, true, false},
		{"question of another host", arp.Packet{Op: arp.Request, SenderIP: addr("192.0.2.1"), TargetIP: a}, false, false},
		{"probe for another address", arp.Probe(mac, addr("192.0.2.6")), false, false},
	} {
		if has, seeks := c.p.Has(a), c.p.Seeks(a); has != c.has || seeks != c.seeks {
			t.Errorf("%s: has %v, seeks %v", c.name, has, seeks)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(arp.Announcement(arp.MAC{2, 0, 0, 0, 0, 1}, addr("192.0.2.5")).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ok := arp.Parse(b); ok && !bytes.Equal(p.Bytes(), b[:28]) {
			t.Errorf("%x was parsed as %+v", b, p)
		}
	})
}
