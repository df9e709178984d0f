package osconfig

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLenientLeavesNothingOpen: what is left of a section with an error in it
// is never more open than the section that was written.
func TestLenientLeavesNothingOpen(t *testing.T) {
	l := mustParse(t, "x", `
rancher:
  docker: {tls: maybe, host: ["tcp://0.0.0.0:2376"], debug: true}
  registry_auths: {"r.example.net:5000": {username: u, auth: "%"}, ok.example.net: {username: u, password: p}}
  services:
    web.front: {image: nginx, cap_drop: [everything]}
    ok: {image: nginx}
  network:
    interfaces:
      "eth[01]":
        dhcp: true
        routes:
          - {to: 10.0.0.0/8, via: nowhere}
          - {to: 10.1.0.0/16, via: 10.0.0.1}
    wifi_networks:
      a.psk: {ssid: A, psk: short}
      b: {ssid: B, psk: long enough}
    firewall:
      policy: drop
      allow:
        - {ports: 22, from: [10.0.0.300]}
        - {ports: 22, interface: "a/b"}
        - {ports: 22, from: [10.0.0.1]}
    rules:
      - {from: 10.0.0.300, iif: eth0, table: 5}
      - {from: 10.0.0.3, table: 6}
`)
	cfg, _, report := DecodeLenient(l)
	r, yes := cfg.Rancher, true
	want := Rancher{
		Docker:        Engine{Debug: true},
		RegistryAuths: map[string]RegistryAuth{"ok.example.net": {Username: "u", Password: "p"}},
		Services:      map[string]Service{"ok": {Image: "nginx"}},
		Network: Network{
			Interfaces: map[string]Interface{
				"eth[01]": {DHCP: &yes, Routes: []Route{{To: "10.1.0.0/16", Via: "10.0.0.1"}}},
			},
			WifiNetworks: map[string]WifiNetwork{"b": {SSID: "B", PSK: "long enough"}},
			Firewall:     Firewall{Policy: "drop", Allow: []FirewallRule{{Ports: Texts{"22"}, From: Texts{"10.0.0.1"}}}},
			Rules:        []RouteRule{{From: "10.0.0.3", Table: 6}},
		},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, text := range []string{"rancher.docker.host: left out, too", "wifi_networks.a.psk.psk: ", "allow[1].interface: "} {
		if !strings.Contains(report.String(), text) {
			t.Errorf("it is not said: %s\n%s", text, report)
		}
	}
	safe := mustParse(t, "x", `rancher: {docker: {tls: maybe, host: ["unix:///run/x.sock"]}}`)
	if cfg, _, _ := DecodeLenient(safe); len(cfg.Rancher.Docker.Host) != 1 {
		t.Error("a local socket is left out, too")
	}
}

// TestContradictionsAreLeftOutAtBoot: layers that are right one by one and
// wrong together lose what is wrong, and the machine keeps a network.
func TestContradictionsAreLeftOutAtBoot(t *testing.T) {
	yes := true
	for _, tt := range []struct {
		name, a, b, say string
		want            Rancher
	}{
		{
			"an address on a part of a bond", "rancher: {network: {interfaces: {eth0: {bond: bond0}, bond0: {dhcp: true}}}}",
			"rancher: {network: {interfaces: {eth0: {address: 10.0.0.2/24}}}}", "eth0.address: this link is part of bond0; put it there; left out",
			Rancher{Network: Network{Interfaces: map[string]Interface{"eth0": {Bond: "bond0"}, "bond0": {DHCP: &yes}}}},
		},
		{
			"the only interface", "rancher: {network: {interfaces: {wg0: {type: wireguard}}}}", "hostname: x", "private_key is missing",
			Rancher{Network: Network{Interfaces: map[string]Interface{"e*": {DHCP: &yes}}}},
		},
		{
			"the bond of all links", "rancher: {network: {interfaces: {eth0: {bond: bond0}, bond0: {dhcp: maybe}}}}", "hostname: x",
			"bond0.dhcp: want true or false", Rancher{Network: Network{Interfaces: map[string]Interface{"e*": {DHCP: &yes}}}},
		},
		{
			"a service without an image", "rancher: {services: {a.b: {restart: always}, a: {image: x}}, network: {interfaces: {eth0: {dhcp: true}}}}",
			"rancher: {services: {c: {image: y, links: [nobody]}}}", "there is no service \"nobody\"; left out",
			Rancher{
				Services: map[string]Service{"a": {Image: "x"}},
				Network:  Network{Interfaces: map[string]Interface{"eth0": {DHCP: &yes}}},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, doc, report := DecodeLenient(mustParse(t, "a", tt.a), mustParse(t, "b", tt.b))
			if diff := cmp.Diff(tt.want, cfg.Rancher); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !strings.Contains(report.String(), tt.say) {
				t.Errorf("it is not said: %s\n%s", tt.say, report)
			}
			if again := Validate(doc); again.HasErrors() {
				t.Errorf("what is left: %s", again)
			}
		})
	}
}
