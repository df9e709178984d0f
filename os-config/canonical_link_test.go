package osconfig

import (
	"strings"
	"testing"
)

// TestOneLinkOfAMAC: entries of several layers whose keys are one MAC address,
// however it is spelled, are about one link.
func TestOneLinkOfAMAC(t *testing.T) {
	const head = "rancher:\n  network:\n    interfaces:\n"
	layer := func(name, text string) Layer {
		l, report := Parse(name, name, []byte(head+text))
		if len(report) > 0 {
			t.Fatal(report)
		}
		return l
	}
	cfg, doc, report := DecodeLenient(
		layer("metadata", "      mac=52:54:00:aa:bb:cc: {address: 192.0.2.1/24}\n"),
		layer("user-data", "      mac=52:54:00:AA:BB:CC: {mtu: 1400}\n      mac=52:54:00:DD:*: {dhcp: true}\n"),
		layer("conf", "      mac=52-54-00-AA-bb-cc: {gateway: 192.0.2.254}\n"),
	)
	links := cfg.Rancher.Network.Interfaces
	if l := links["mac=52:54:00:aa:bb:cc"]; len(links) != 2 || l.Address == "" || l.MTU != 1400 || l.Gateway == "" || links["mac=52:54:00:dd:*"].DHCP == nil || len(report) > 0 {
		t.Errorf("%s%+v", report, links)
	}
	for _, path := range []string{"mac=52:54:00:aa:bb:cc.mtu", "mac=52:54:00:AA:BB:CC.mtu", "mac=52-54-00-AA-BB-CC.mtu"} {
		if text, ok := doc.Get(interfacesPath + "." + path); !ok || text != "1400" {
			t.Errorf("%s: %q", path, text)
		}
	}
	if text, ok := doc.Get(interfacesPath + ".mac=52:54:00:AA:BB:CC"); !ok || !strings.Contains(text, "gateway") {
		t.Errorf("%q", text)
	}
	if _, ok := doc.Get(interfacesPath + ".mac=52:54:00:00:00:00.mtu"); ok {
		t.Error("a link that is not there")
	}
}

// TestMembersByMAC: what names a link by its MAC address finds it.
func TestMembersByMAC(t *testing.T) {
	l, report := Parse("x", "x.yml", []byte(`rancher:
  network:
    interfaces:
      mac=52:54:00:AA:BB:CC: {dhcp: true}
      br0: {type: bridge, members: ["mac=52:54:00:aa:BB:cc"]}
`))
	report = append(report, Validate(Merge(l))...)
	if s := report.String(); !strings.Contains(s, "mac=52:54:00:aa:bb:cc.dhcp: this link is part of br0; put it there") {
		t.Error(s)
	}
}
