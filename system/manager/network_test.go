package manager

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/control/api"
)

var update = flag.Bool("update", false, "write the golden files")

// bootedAt is when the machine of these tests was started.
func bootedAt() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// configured is what a user-data text makes.
func configured(t *testing.T, text string) load.Result {
	t.Helper()
	layer, report := osconfig.Parse("user-data", "user-data", []byte(text))
	if report.HasErrors() {
		t.Fatal(report)
	}
	doc := osconfig.Merge(layer)
	config, report := osconfig.Decode(doc)
	if report.HasErrors() {
		t.Fatal(report)
	}
	return load.Result{Config: config, Document: doc}
}

// aState has an address of every source.
func aState() netconf.State {
	at := func(s int) time.Time { return bootedAt().Add(time.Duration(s) * time.Second) }
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	return netconf.State{
		Waiting: []string{"a lease on eth1"}, Problems: []string{"eth1: no DHCP lease after 30 s, still trying"},
		Names: netconf.Names{Hostname: "lake", FQDN: "lake.example.org",
			Nameservers: []netip.Addr{addr("192.0.2.53"), addr("198.51.100.53"), addr("2001:db8::53"), addr("2001:db8::54")},
			Search:      []string{"example.org", "lan", "ra.example"}},
		Links: []netconf.LinkState{
			{Link: netconf.Link{LinkID: netconf.LinkID{Index: 1, Name: "lo"}, Up: true, Loopback: true, MTU: 65536,
				Addresses: []netconf.Address{{Prefix: prefix("127.0.0.1/8")}}}},
			{Link: netconf.Link{LinkID: netconf.LinkID{Index: 2, Name: "eth0"}, MAC: "52:54:00:00:00:01", Driver: "virtio_net",
				Path: "pci-0000:00:03.0", Up: true, Carrier: true, MTU: 1500, Addresses: []netconf.Address{
					{Prefix: prefix("198.51.100.7/24"), Own: true}, {Prefix: prefix("2001:db8::7/128"), Own: true},
					{Prefix: prefix("2001:db8::5054:ff:fe00:1/64"), Kernel: true, Tentative: true, Until: at(120)},
					{Prefix: prefix("fe80::5054:ff:fe00:1/64"), Kernel: true}, {Prefix: prefix("203.0.113.9/32")}}},
				Key: "eth0", LeaseState: netconf.LeaseBound, Lease6State: netconf.LeaseRenewing, Attempt6: 2, Message6: "nobody answers",
				Lease: &netconf.Lease{Address: prefix("198.51.100.7/24"), Server: addr("198.51.100.1"), DNS: []netip.Addr{addr("198.51.100.53")},
					Domain: "lan", NTP: []netip.Addr{addr("198.51.100.123")}, Hostname: "Lake.", Acquired: at(4), Duration: time.Hour, T1: 30 * time.Minute},
				Lease6: &netconf.Lease6{Server: []byte{0, 3, 0xab}, DNS: []netip.Addr{addr("2001:db8::53")}, Acquired: at(5), T1: time.Minute,
					Addresses: []netconf.Granted{{Prefix: prefix("2001:db8::7/128"), Valid: 2 * time.Hour}},
					Prefixes:  []netconf.Granted{{Prefix: prefix("2001:db8:100::/56")}}},
				RDNSS: []netip.Addr{addr("2001:db8::54")}, DNSSL: []string{"ra.example"},
				Seen: at(2), CarrierAt: at(3), Configured: at(5)},
			{Link: netconf.Link{LinkID: netconf.LinkID{Index: 3, Name: "eth1"}, MAC: "52:54:00:00:00:02", Up: true, Master: 4, MTU: 9000},
				Key: "eth1", Required: true, LeaseState: netconf.LeaseSelecting, Attempt: 3, Waiting: []string{"a lease"}, Seen: at(2)},
			{Link: netconf.Link{LinkID: netconf.LinkID{Index: 4, Name: "bond0"}, Kind: "bond", Up: false, MTU: 9000,
				Device: netconf.Device{Kind: "bond", Bond: map[string]string{"mode": "802.3ad"}}}, Key: "bond0"},
			{Link: netconf.Link{LinkID: netconf.LinkID{Index: 5, Name: "office"}, Kind: "vlan", Up: true, Carrier: true, MTU: 1500,
				Device: netconf.Device{Kind: "vlan", ID: 100, Parent: "bond0"}, Addresses: []netconf.Address{
					{Prefix: prefix("192.0.2.7/24"), Own: true}, {Prefix: prefix("169.254.3.4/16"), Own: true}, {Prefix: prefix("2001:db8:100::1/64"), Own: true, Duplicate: true}}},
				Key: "office", LinkLocal: prefix("169.254.3.4/16"), Delegated: prefix("2001:db8:100::1/64")},
		},
		Routes: []netconf.Route{
			{Link: netconf.LinkID{Index: 2}, Dst: prefix("0.0.0.0/0"), Gateway: addr("198.51.100.1"), Source: addr("198.51.100.7"), Metric: 1002},
			{Type: "blackhole", Table: 100, Dst: prefix("203.0.113.0/24")},
		},
		Rules: []netconf.Rule{{From: prefix("192.0.2.0/24"), Table: 100, Priority: 1000}, {Mark: 16, IIF: "eth0", Table: 254, Priority: 1001, IPv6: true}},
	}
}

func aReport(t *testing.T) networkReport {
	return networkReport{state: aState(), clock: clock{bootedAt()}, now: bootedAt().Add(64 * time.Second), config: configured(t, `
hostname: sea
rancher:
  network:
    firewall: {policy: drop, allow: [{ports: [22]}]}
    interfaces:
      office: {dns: {nameservers: [192.0.2.53], search: [example.org]}}
`)}
}

func TestNetworkReport(t *testing.T) {
	got, err := json.MarshalIndent(aReport(t).network(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "network.json")
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("%s (write it with -update):\n%s", path, diff)
	}
}

// Each name says which rule it came by.
func TestNamesOrigin(t *testing.T) {
	r := aReport(t)
	for value, want := range map[string]string{"192.0.2.53": "interfaces.office", "198.51.100.53": "dhcp eth0", "2001:db8::53": "dhcp6 eth0",
		"2001:db8::54": "ra eth0", "192.0.2.99": ""} {
		if got := r.originOf("nameservers", value); got != want {
			t.Errorf("%s is from %q, want %q", value, got, want)
		}
	}
	if got := r.hostname(); got.Value != "lake" || got.From != "dhcp eth0" {
		t.Errorf("%+v", got)
	}
	r.state.Names.Hostname = "sea"
	if got := r.hostname(); got.From != "user-data" {
		t.Errorf("%+v", got)
	}
	r.state.Names.Hostname = netconf.DefaultHostname
	if got := r.hostname(); got.From != "default" {
		t.Errorf("%+v", got)
	}
	r.config = configured(t, "rancher: {network: {dns: {nameservers: [198.51.100.53], search: [lan]}}}")
	for what, value := range map[string]string{"nameservers": "198.51.100.53", "search": "lan"} {
		if got := r.originOf(what, value); got != "user-data" {
			t.Errorf("%s %s is from %q", what, value, got)
		}
	}
}

func TestLeasesRenewed(t *testing.T) {
	a, b := bootedAt(), bootedAt().Add(time.Second)
	var none time.Time
	for _, tc := range []struct {
		before, after leases
		want          bool
	}{
		{leases{a, none}, leases{b, none}, true},
		{leases{a, none}, leases{a, none}, false},
		{leases{none, none}, leases{none, none}, false},
		{leases{none, none}, leases{b, none}, true},
		{leases{a, a}, leases{b, a}, false}, // the other one is waited for
		{leases{a, a}, leases{b, b}, true},
		{leases{none, a}, leases{none, b}, true},
		{leases{a, none}, leases{none, none}, false}, // lost
	} {
		if got := tc.before.renewed(tc.after); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
	if (leases{a, a}).any(leases{a, a}) || !(leases{a, a}).any(leases{a, b}) {
		t.Error("one of two is not told from none")
	}
}

// TestLinkStages: `ros boot` shows when a link's driver was ready, when it had
// its carrier, and when it was configured.
func TestLinkStages(t *testing.T) {
	c := clock{bootedAt()}
	stage := func(name string, start, end float64) api.Stage {
		return api.Stage{Name: name, Lane: "network", Start: start, End: end}
	}
	s := aState()
	want := []api.Stage{stage("eth0 carrier", 2, 3), stage("eth0 address", 3, 5), stage("eth1 carrier", 2, 0)}
	if diff := cmp.Diff(want, linkStages(s, c, 0)); diff != "" {
		t.Error(diff)
	}
	// A member of a bond has no address to get, one that needs no carrier is
	// configured before it has one.
	member := s
	member.Links = slices.Clone(s.Links)
	member.Links[1].LeaseState, member.Links[1].Lease6State = "", ""
	if diff := cmp.Diff([]api.Stage{want[0], want[2]}, linkStages(member, c, 0)); diff != "" {
		t.Error(diff)
	}
	member.Links[1].Required, member.Links[1].CarrierAt = true, member.Links[1].Configured.Add(time.Second)
	if diff := cmp.Diff([]api.Stage{stage("eth0 carrier", 2, 6), stage("eth0 address", 2, 5), want[2]}, linkStages(member, c, 0)); diff != "" {
		t.Error(diff)
	}
	// What came after the boot does not stretch its picture.
	if diff := cmp.Diff([]api.Stage{stage("eth0 carrier", 2, 3), stage("eth0 address", 3, 0), stage("eth1 carrier", 2, 0)}, linkStages(s, c, 4)); diff != "" {
		t.Error(diff)
	}
	// One that nobody waits for has no bar that never ends.
	s.Links[2].Waiting = nil
	if diff := cmp.Diff(want[:2], linkStages(s, c, 9)); diff != "" {
		t.Error(diff)
	}
}

// Without a policy, on a machine that never had one, the kernel is not asked.
func TestNoFirewall(t *testing.T) {
	m := &Manager{notes: map[string][]string{}}
	if err := m.filter(osconfig.Config{}); err != nil || len(m.notes) > 0 {
		t.Errorf("%v, %q", err, m.notes)
	}
	if lines, err := m.filterPlan(osconfig.Config{}); err != nil || len(lines) > 0 {
		t.Errorf("%q, %v", lines, err)
	}
	var c osconfig.Config
	c.Rancher.Network.Firewall.Policy = "maybe"
	if err := m.filter(c); err == nil || len(m.notes["firewall"]) != 1 {
		t.Errorf("%v, %q", err, m.notes)
	}
	if err := m.filter(osconfig.Config{}); err != nil || len(m.notes) > 0 {
		t.Errorf("what was wrong is forgotten: %v, %q", err, m.notes)
	}
}

// TestAdoptedAddress: what a manager before this one has left is a lease's,
// unless it stands in the configuration.
func TestAdoptedAddress(t *testing.T) {
	r := networkReport{config: configured(t, "rancher: {network: {interfaces: {eth0: {dhcp: true, address: 192.0.2.7/24}}}}")}
	l := netconf.LinkState{Link: netconf.Link{Addresses: []netconf.Address{
		{Prefix: netip.MustParsePrefix("192.0.2.7/24"), Own: true}, {Prefix: netip.MustParsePrefix("198.51.100.7/24"), Own: true}}},
		Key: "eth0", Source: "dhcp"}
	got := r.link(l).Addresses
	if got[0].Source != api.SourceStatic || got[1].Source != api.SourceDHCP {
		t.Errorf("%+v", got)
	}
}

func TestTimeServersOrigin(t *testing.T) {
	for text, want := range map[string][]api.NetworkValue{
		"":                               {{Value: "198.51.100.123", From: "dhcp eth0"}},
		"ntp: {servers: [time.example]}": {{Value: "time.example", From: "user-data"}},
		"rancher: {network: {interfaces: {eth0: {dhcp: true, dhcp_options: {use_ntp: false}}}}}": {{Value: "2.debian.pool.ntp.org", From: "default"}},
	} {
		r := networkReport{state: aState(), config: configured(t, text)}
		if diff := cmp.Diff(want, r.timeServers()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// TestAdoptedLease: what came with it is a lease's, too.
func TestAdoptedLease(t *testing.T) {
	s := aState()
	s.Names.Hostname = "lake"
	report := func() api.Network { return networkReport{state: s, config: configured(t, "")}.network() }
	want := report()
	l := &s.Links[1]
	l.Lease, l.Adopted = nil, l.Lease
	got := report()
	if got.Hostname.From != "dhcp eth0" {
		t.Errorf("the host name is from %q", got.Hostname.From)
	}
	l.Adopted.Hostname, s.Names.Hostname = "", "" // only the address is known yet
	if from := report().Hostname.From; from != "default" {
		t.Errorf("a name that nobody has given is from %q", from)
	}
	for what, d := range map[string]string{
		"name servers": cmp.Diff(want.Nameservers, got.Nameservers), "search": cmp.Diff(want.Search, got.Search), "time servers": cmp.Diff(want.NTP, got.NTP)} {
		if d != "" {
			t.Errorf("%s (-lease +adopted):\n%s", what, d)
		}
	}
}

// TestLinkWords: ros status and ros network status have one word for a link.
func TestLinkWords(t *testing.T) {
	s := aState()
	want := map[string]string{}
	for _, l := range (networkReport{state: s, config: configured(t, "")}).network().Links {
		if l.Kind != "loopback" {
			want[l.Name] = l.State
		}
	}
	got := map[string]string{}
	for _, l := range links(s) {
		got[l.Name] = l.State
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-network status +status):\n%s", diff)
	}
	for link, word := range map[string]string{"eth0": api.LinkUp, "eth1": api.LinkNoCarrier, "bond0": api.LinkDown} {
		if got[link] != word {
			t.Errorf("%s is %q, want %q", link, got[link], word)
		}
	}
}
