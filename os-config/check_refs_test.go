package osconfig

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestLayersCompleteEachOther: what one layer lacks may stand in another, so
// nothing is said about layers that are whole together, and all that stands in
// them is kept.
func TestLayersCompleteEachOther(t *testing.T) {
	weak := mustParse(t, "weak", `
rancher:
  network:
    interfaces:
      v5: {type: vlan, link: eth0}
      eth0: {gateway: 10.0.0.1}
      wlan0: {wifi_network: home, dhcp: true}
      bond0: {dhcp: true, bond_opts: {arp_interval: 100, lacp_rate: fast}}
  registry_auths: {a.example: {username: u}}
  services: {web: {image: nginx, links: [db], ulimits: {nofile: {soft: 5}}}}
`)
	strong := mustParse(t, "strong", `
rancher:
  network:
    interfaces:
      v5: {id: 5}
      eth0: {address: 10.0.0.2/24}
      bond0: {bond_opts: {mode: 4, arp_interval: 0}}
    wifi_networks: {home: {ssid: Home, psk: 12345678}}
  registry_auths: {a.example: {password: p}}
  services: {web: {ulimits: {nofile: {hard: 6}}}, db: {image: postgres}}
`)
	cfg, _, report := DecodeLenient(weak, strong)
	for _, p := range report {
		if p.Kind != Unsupported {
			t.Error(p)
		}
	}
	n := cfg.Rancher.Network
	if n.Interfaces["v5"].Link != "eth0" || n.Interfaces["v5"].ID != 5 || n.Interfaces["eth0"].Gateway == "" {
		t.Errorf("interfaces: %+v", n.Interfaces)
	}
	if cfg.Rancher.Services["web"].Ulimits["nofile"] != (Ulimit{Soft: 5, Hard: 6}) {
		t.Errorf("ulimits: %+v", cfg.Rancher.Services["web"].Ulimits)
	}
	_, alone := Decode(Merge(weak))
	for _, text := range []string{"id is missing", "home\" in wifi", "password is missing", "service \"db\"", "hard is missing"} {
		if !strings.Contains(alone.String(), text) {
			t.Errorf("of the weak layer alone it is not said: %s\n%s", text, alone)
		}
	}
}

// TestReferencesAtTheReference: a merged document's problems stand where the
// reference was written, not where the thing is missing.
func TestReferencesAtTheReference(t *testing.T) {
	a := mustParse(t, "a", "rancher: {services: {web: {image: nginx}}}")
	b := mustParse(t, "b", "rancher:\n  services:\n    web: {links: [db]}\n")
	_, report := Decode(Merge(a, b))
	i := slices.IndexFunc(report, func(p Problem) bool { return strings.Contains(p.Text, "\"db\"") })
	if i < 0 || report[i].File != "b.yml" || report[i].Line != 3 || report[i].Path != "rancher.services.web.links[0]" {
		t.Errorf("%s", report)
	}
}

// TestLinkNames: which names count as those of network cards.
func TestLinkNames(t *testing.T) {
	for _, name := range strings.Fields("eth0 eth10 eno1 ens3 enp0s31f6 enx525400123456 wlan0 wlp3s0 wwan0 ib0 p1p1 em1 usb0 lo docker0 br-12ab veth1a2b tun0") {
		if !looksPhysical(name) {
			t.Errorf("%s is no network card's name", name)
		}
	}
	for _, name := range strings.Fields("lan wan bond0 br0 vlan5 wg0 uplink e en eth office p1 dummy0 storage") {
		if looksPhysical(name) {
			t.Errorf("%s is a network card's name", name)
		}
	}
}

// anything makes a node of any kind, with texts that checks look at.
func anything(r *rand.Rand, depth int) *Node {
	texts := []string{
		"", " ", "true", "yes", "off", "0", "-1", "5", "99999999999999999999", "1e9", "eth0", "bond0", "br0", "eth*", "mac=zz",
		"10.0.0.1", "10.0.0.1/24", "fd00::1/64", "default", "a:b", "a:b:c", ":", "::", "/", "/a:/b:ro", "80:80", "[::1]:80:80",
		"=", "A=b", "$private_ipv4/24", "${public_ipv6}", "@hourly", "TZ=", "TZ=x @daily", "* * * * * *", "\x00", "ü", "container:",
		"-----BEGIN CERTIFICATE-----", "ssh-ed25519 AAAA", "web", "db", "io.rancher.os.after=web", "[", "1-0", "-", "0-", "100,200:x",
	}
	pick := func() string { return texts[r.IntN(len(texts))] }
	pos := Pos{Layer: "user-data", Line: 1 + r.IntN(9)}
	kind := r.IntN(9)
	if depth > 3 {
		kind = r.IntN(6)
	}
	switch kind {
	case 0:
		return &Node{Kind: Null, Pos: pos}
	case 1, 2, 3:
		return ResolvePlain(pos, pick())
	case 4, 5:
		return NewString(pos, pick())
	case 6:
		out := NewList(pos)
		for range r.IntN(4) {
			out.List = append(out.List, anything(r, depth+1))
		}
		return out
	}
	out := NewMap(pos)
	for range r.IntN(4) {
		if key := pick(); out.Child(key) == nil {
			out.Map = append(out.Map, Entry{Key: key, KeyPos: pos, Value: anything(r, depth+1)})
		}
	}
	return out
}

// random makes a value that is more or less one of the type t, so that checks
// are reached at all.
func random(r *rand.Rand, t reflect.Type, depth int) *Node {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	pos := Pos{Layer: "user-data", Line: 1 + r.IntN(9)}
	if r.IntN(12) == 0 {
		return anything(r, depth)
	}
	names := []string{"eth0", "bond0", "br0", "web", "db", "eth*", "mac=52:54:00:12:34:56", "io.rancher.os.after", "cron.schedule", "mode"}
	switch {
	case isSection(t):
		out := NewMap(pos)
		for _, f := range fieldsOf(t) {
			if r.IntN(3) == 0 || depth < 2 {
				out.Map = append(out.Map, Entry{Key: f.name, KeyPos: pos, Value: random(r, f.typ, depth+1)})
			}
		}
		return out
	case t.Kind() == reflect.Map:
		out := NewMap(pos)
		for range 1 + r.IntN(3) {
			if key := names[r.IntN(len(names))]; out.Child(key) == nil {
				out.Map = append(out.Map, Entry{Key: key, KeyPos: pos, Value: random(r, t.Elem(), depth+1)})
			}
		}
		return out
	case t.Kind() == reflect.Slice:
		out := NewList(pos)
		for range r.IntN(4) {
			out.List = append(out.List, random(r, t.Elem(), depth+1))
		}
		return out
	case t.Kind() == reflect.Bool:
		return ResolvePlain(pos, []string{"true", "false"}[r.IntN(2)])
	}
	return anything(r, 9)
}

// TestChecksTakeAnything: whatever kinds of nodes stand where, no check stops
// short and the whole document's neither.
func TestChecksTakeAnything(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 11))
		root := NewMap(Pos{}, Entry{Key: "rancher", Value: random(r, reflect.TypeFor[Rancher](), 0)})
		layer := NewLayer("user-data", "random", root)
		_, report := Decode(Merge(layer))
		_, _, more := DecodeLenient(layer, NewLayer("user-data", "random", NewMap(Pos{}, Entry{Key: "rancher", Value: anything(r, 0)})))
		for _, p := range append(report, more...) {
			if strings.Contains(p.Text, "not checkable") {
				t.Fatalf("seed %d: %s", seed, p)
			}
		}
	}
}

// TestServicesIncludeFile: a definition that nobody reads is not passed over in
// silence, and a login in its name is not shown.
func TestServicesIncludeFile(t *testing.T) {
	for name, shown := range map[string]string{"/opt/own.yml": "/opt/own.yml", "https://joe:secret@h/x.yml": "https://***@h/x.yml"} {
		layer := mustParse(t, "x", "rancher: {services_include: {\""+name+"\": true, crontab: true}}\n")
		report := Validate(Merge(layer))
		want := "rancher.services_include." + shown + ": not carried out yet: definitions of services are not read from files or URLs; it has no effect\n"
		if len(report) != 1 || !strings.HasSuffix(report.String(), want) {
			t.Errorf("%s, want %s", report, want)
		}
	}
}

// TestBuiltServiceLeftOut: at boot a service that would have to be built goes
// as a whole, with one message; another layer may name its image.
func TestBuiltServiceLeftOut(t *testing.T) {
	layer := mustParse(t, "x", "rancher: {services: {a: {build: ., dockerfile: D}, b: {image: busybox}}}\n")
	cfg, _, report := DecodeLenient(layer)
	if _, ok := cfg.Rancher.Services["a"]; ok || len(cfg.Rancher.Services) != 1 || strings.Count(report.String(), "nothing is built") != 1 {
		t.Errorf("%v\n%s", cfg.Rancher.Services, report)
	}
	cfg, _, report = DecodeLenient(layer, mustParse(t, "y", "rancher: {services: {a: {image: own}}}\n"))
	if cfg.Rancher.Services["a"].Image != "own" || report.HasErrors() {
		t.Errorf("%v\n%s", cfg.Rancher.Services, report)
	}
}
