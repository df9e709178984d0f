package dhcp6

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
)

// FuzzMessage: whatever comes, what it leads to is a lease that a link can
// have, with times that make sense.
func FuzzMessage(f *testing.F) {
	iaid := [4]byte{0, 0, 0, 1}
	for _, seed := range []string{
		"07 000000 0001000a00030001020000000001 0002000a00030001020000000101" + // REPLY
			"0003 0028 00000001 00000000 00000000 0005 0018 20010db8000000000000000000000005 00000320 000003e8" +
			"0017 0010 20010db8000000000000000000000053 0018 000b 0161076578616d706c6500",
		"02 000000 0002000a00030001020000000101 0007 0001 ff 0019 0029 00000001 0000000a 00000014" +
			"001a 0019 00000190 000001f4 38 20010db8000100000000000000000000 000d 0002 0000",
		"07 000000 000d 0006 0004 676f6e65 0020 0004 00000001 0052 0004 00015180 0038 0014 0001 0010 20010db8000000000000000000000123",
		"07 000000 0003 000c 00000001 00000014 0000000a", "07 000000 0018 0002 c000", "07 0000",
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	sent := time.Unix(1000, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parse(bytes.Clone(b), iaid)
		if err != nil {
			return
		}
		if len(r.server) > maxDUID || len(r.flaws) > len(b) {
			t.Errorf("%+v", r)
		}
		old := r.lease(nil, sent.Add(-time.Minute), "eth0")
		l := r.lease(old, sent, "eth0")
		sane(t, old)
		if old.T1 > 0 && old.Acquired.Add(old.T1).After(nextLoss(old)) {
			t.Errorf("renewed too late: %+v", old)
		}
		sane(t, l)
		if rest, _ := prune(l, sent.Add(endless)); grants(rest) && nextLoss(rest) != (time.Time{}) {
			t.Errorf("something finite is left after all time: %+v", rest)
		}
		if i := r.information(sent, "eth0"); grants(i) || i.T1 != 0 && i.T1 < refreshShortest {
			t.Errorf("information %+v", i)
		}
	})
}

func sane(t *testing.T, l *netconf.Lease6) {
	t.Helper()
	for _, g := range append(append([]netconf.Granted{}, l.Addresses...), l.Prefixes...) {
		if a := g.Prefix.Addr(); !g.Prefix.IsValid() || !a.Is6() || a.IsMulticast() || a.IsLinkLocalUnicast() || g.Prefix != g.Prefix.Masked() ||
			g.Valid < 0 || g.Preferred < 0 || g.Valid > 0 && (g.Preferred == 0 || g.Preferred > max(g.Valid, time.Second)) {
			t.Errorf("granted: %+v", g)
		}
	}
	if l.T1 > l.T2 || l.T1 < 0 || l.T1 > 0 && len(l.Addresses)+len(l.Prefixes) == 0 {
		t.Errorf("times: %+v", l)
	}
	for _, d := range l.Search {
		if d == "" || strings.ContainsAny(d, " \t\r\n\x00") {
			t.Errorf("domain %q", d)
		}
	}
	if len(l.DNS) > maxServers || len(l.NTP) > maxServers || len(l.Search) > maxDomains {
		t.Errorf("too many: %+v", l)
	}
}

func TestFQDN(t *testing.T) {
	for name, want := range map[string]string{
		"box": "\x01\x03box", "box.example": "\x01\x03box\x07example\x00", "box..example.": "\x01\x03box\x07example\x00",
	} {
		if got := string(fqdn(name)); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
