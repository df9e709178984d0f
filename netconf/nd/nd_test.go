package nd_test

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf/nd"
)

// bytesOf reads hex digits; spaces are for people.
func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	server1   = "20010db8000000000000000000000053"
	server2   = "fe800000000000000000000000000001"
	servers   = "19 05 0000 00000708 " + server1 + server2
	domains   = "1f 04 0000 00000e10 0161 076578616d706c65 00 0162 076578616d706c65 00 0000"
	withdrawn = "19 03 0000 00000000 " + server1
	endless   = "19 03 0000 ffffffff " + server1
	portal    = "25 02 68 74 74 70 73 3a 2f 2f 61 2e 65 78 61 00" // RFC 8910
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func TestParse(t *testing.T) {
	one := nd.Server{Addr: addr("2001:db8::53"), Lifetime: 30 * time.Minute}
	for _, c := range []struct {
		name, options string
		want          nd.Info
		err           string // part of it
	}{
		{"nothing", "", nd.Info{}, ""},
		{"servers", servers, nd.Info{Servers: []nd.Server{one, {addr("fe80::1"), 30 * time.Minute}}}, ""},
		{"domains", domains, nd.Info{Domains: []nd.Domain{{"a.example", time.Hour}, {"b.example", time.Hour}}}, ""},
		{"both and something else", portal + withdrawn + domains, nd.Info{
			Servers: []nd.Server{{addr("2001:db8::53"), 0}},
			Domains: []nd.Domain{{"a.example", time.Hour}, {"b.example", time.Hour}}}, ""},
		{"as radvd 2.19 sends it and Linux hands it on", "030440c000015180000038400000000020010db8000000000000000000000000" +
			"190500000000025820010db8000000000000000000000053fe800000000000000000000000000053" +
			"1f040000000002bc0161076578616d706c65000162076578616d706c65000000", nd.Info{
			Servers: []nd.Server{{addr("2001:db8::53"), 10 * time.Minute}, {addr("fe80::53"), 10 * time.Minute}},
			Domains: []nd.Domain{{"a.example", 700 * time.Second}, {"b.example", 700 * time.Second}}}, ""},
		{"endless", endless, nd.Info{Servers: []nd.Server{{addr("2001:db8::53"), nd.Forever}}}, ""},
		{"no length", "1900 0000 00000708 " + endless, nd.Info{}, "octet 0: length"},
		{"half an option", servers + "19", nd.Info{Servers: []nd.Server{one, {addr("fe80::1"), 30 * time.Minute}}},
			"octet 40: length"},
		{"length beyond the end", withdrawn + "19 05 0000 00000708 " + server1, nd.Info{
			Servers: []nd.Server{{addr("2001:db8::53"), 0}}}, "octet 24: length"},
		{"half an address costs its option", "19 02 0000 00000708 2001db8000000000" + endless,
			nd.Info{Servers: []nd.Server{{addr("2001:db8::53"), nd.Forever}}}, "option 25 at octet 0: 16 octets"},
		{"no address at all", "19 01 0000 00000708", nd.Info{}, "8 octets"},
		{"no names", "1f 01 0000 00000708", nd.Info{}, "8 octets hold no name"},
		{"addresses of nobody", "19 09 0000 00000708" + strings.Repeat("00", 16) + "ff020000000000000000000000000001" +
			strings.Repeat("00", 15) + "01" + server1, nd.Info{Servers: []nd.Server{one}},
			"ff02::1 is no server's address\n::1 is"},
		{"IPv4 in disguise", "19 03 0000 00000708 00000000000000000000ffffc0000201", nd.Info{}, "::ffff:192.0.2.1 is"},
		{"compressed", "1f 03 0000 00000e10 0161 00 0162 c000 00 0163 00 000000000000",
			nd.Info{Domains: []nd.Domain{{"a", time.Hour}}}, "a compressed name"},
		{"a newline", "1f 03 0000 00000e10 03610a62 00 0163 00 0000000000000000",
			nd.Info{Domains: []nd.Domain{{"c", time.Hour}}}, `"a\nb" is no name`},
		{"an option for resolv.conf", "1f 02 0000 00000e10 022d61 00 0163 00 00", nd.Info{Domains: []nd.Domain{{"c", time.Hour}}},
			`"-a" is no name`},
		{"a dot in a label", "1f 02 0000 00000e10 03612e62 00 00 00 00", nd.Info{}, `"a.b" is no name`},
		{"a label without an end", "1f 02 0000 00000e10 0861 00 00 00 00 00 00", nd.Info{}, "a label without an end"},
		{"a name without an end", "1f 02 0000 00000e10 07 61626364656667", nd.Info{}, "a name without an end"},
		{"a long name", "1f 22 0000 00000e10" + strings.Repeat("3f"+strings.Repeat("61", 63), 4) + "00 0163 00 00000000",
			nd.Info{Domains: []nd.Domain{{"c", time.Hour}}}, "a name of 255 octets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := nd.Parse(bytesOf(t, c.options))
			if d := cmp.Diff(c.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
				t.Errorf("info (-want +got):\n%s", d)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	got, err := nd.Parse(bytesOf(t, strings.Repeat(servers, 10)))
	if len(got.Servers) != 16 || err == nil {
		t.Errorf("%d servers, error %v; want 16 and one", len(got.Servers), err)
	}
	got, err = nd.Parse(bytesOf(t, strings.Repeat(domains, 20)))
	if len(got.Domains) != 32 || err == nil {
		t.Errorf("%d domains, error %v; want 32 and one", len(got.Domains), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", servers, domains, withdrawn + endless + domains, portal, "1900", "1f02000000000e100161c0000000",
		"1f 03 0000 00000e10 03610a62 00 0163 00 0000000000000000"} {
		f.Add(bytesOf(f, seed))
	}
	f.Fuzz(func(t *testing.T, options []byte) {
		info, err := nd.Parse(options)
		again, _ := nd.Parse(slices.Concat(options, bytesOf(t, endless)))
		if len(again.Servers) < len(info.Servers) || len(again.Domains) < len(info.Domains) {
			t.Errorf("another option takes something away: %v, then %v (%v)", info, again, err)
		}
		for _, s := range info.Servers {
			if !s.Addr.Is6() || s.Addr.IsMulticast() || s.Addr.IsUnspecified() || s.Lifetime < 0 || s.Lifetime > nd.Forever {
				t.Errorf("server %+v", s)
			}
		}
		for _, d := range info.Domains {
			if d.Name == "" || len(d.Name) > 253 || strings.ContainsAny(d.Name, " \t\r\n#;\x00") || strings.HasPrefix(d.Name, "-") ||
				strings.Contains(d.Name, "..") {
				t.Errorf("domain %q", d.Name)
			}
		}
	})
}
