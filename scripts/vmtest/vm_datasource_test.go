package vmtest

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

const (
	metadataAddress = "169.254.169.254:80"
	privateMAC      = "52:54:00:d0:00:01" // the first card
	publicMAC       = "52:54:00:d0:00:02"
)

// droplet is what a fake DigitalOcean says about a machine.
type droplet struct {
	id       int
	public   string // the last byte of its addresses
	userData string
}

// files is the tree of DigitalOcean's metadata service, v1.
func (d droplet) files(t *testing.T, key string) map[string]string {
	t.Helper()
	type object = map[string]any
	doc := object{
		"droplet_id": d.id, "hostname": fmt.Sprintf("droplet-%d", d.id), "region": "lab1",
		"public_keys": []string{key}, "user_data": d.userData, "vendor_data": "",
		"dns": object{"nameservers": []string{"203.0.113.1", "203.0.113.2"}},
		"interfaces": object{
			"public": []object{{
				"mac": publicMAC, "type": "public",
				"ipv4":        object{"ip_address": "203.0.113." + d.public, "netmask": "255.255.255.0", "gateway": "203.0.113.1"},
				"anchor_ipv4": object{"ip_address": "10.10.0." + d.public, "netmask": "255.255.0.0", "gateway": "10.10.0.1"},
				"ipv6":        object{"ip_address": "2001:0DB8:0000:0000:0000:0000:0000:00" + d.public, "cidr": 64, "gateway": "2001:0DB8:0000:0000:0000:0000:0000:0001"},
			}},
			"private": []object{{
				"mac": privateMAC, "type": "private",
				"ipv4": object{"ip_address": "10.132.0." + d.public, "netmask": "255.255.0.0", "gateway": "10.132.0.1"},
			}},
		},
		"floating_ip": object{"ipv4": object{"active": false}}, "reserved_ip": object{"ipv4": object{"active": false}},
		"tags": []string{}, "features": object{"dhcp_enabled": false},
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"/metadata/v1.json": string(text), "/metadata/v1/user-data": d.userData, "/metadata/v1/vendor-data": "",
		"/metadata/v1/id": fmt.Sprint(d.id),
	}
}

// spec is that machine; its private card comes before the public one.
func (d droplet) spec(l lab, disk string, cmdline ...string) Spec {
	s := l.direct(l.files.SystemImg, cmdline...)
	s.NICs = 0
	s.Cards = []Card{{Tap: "tap-private", MAC: privateMAC}, {Tap: "tap-public", MAC: publicMAC}}
	s.SMBIOS = []string{fmt.Sprintf("type=1,manufacturer=DigitalOcean,product=Droplet,serial=%d", d.id)}
	s.Disks = append(s.Disks, Disk{Path: disk})
	return s
}

// dropletNetwork makes the two networks of a data centre without DHCP.
func dropletNetwork(t *testing.T) {
	t.Helper()
	bridge(t, "public", []string{"169.254.169.254/16", "203.0.113.1/24", "10.10.0.1/16", "2001:db8::1/64"}, "tap-public")
	bridge(t, "private", []string{"10.132.0.1/16"}, "tap-private")
}

func (l lab) stateDisk(t *testing.T, name string) string {
	t.Helper()
	path := l.path(name)
	if err := WriteStateDisk(l.tools, path, 2<<30); err != nil {
		t.Fatal(err)
	}
	return path
}

// loginAt logs rancher in at an address of the guest's own.
func (g *guest) loginAt(t *testing.T, address string) {
	t.Helper()
	if g.ssh != nil {
		g.ssh.Close()
	}
	ctx, cancel := Within(t.Context(), bootDeadline, "SSH login at "+address)
	defer cancel()
	var err error
	if g.ssh, err = DialSSHAt(ctx, net.JoinHostPort(address, "22"), "rancher", g.lab.key); err != nil {
		t.Fatalf("%v\nlast console lines:\n%s", err, lastLines(g.Console.Text(), 10))
	}
}

// powerOff ends the machine in order and waits until QEMU is gone.
func (g *guest) powerOff(t *testing.T) {
	t.Helper()
	ctx, cancel := Within(t.Context(), stepDeadline, "poweroff")
	defer cancel()
	if res, err := g.ssh.Run(ctx, "sudo poweroff"); err == nil && res.Code != 0 {
		t.Fatalf("poweroff: code %d: %s", res.Code, res.Stderr)
	}
	g.shutsDown(t, stepDeadline)
}

// TestVMDigitalOcean lives a droplet's life: the first boot, one while the
// service is away, one from a snapshot under a new id, one while the service
// is unwell.
func TestVMDigitalOcean(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	dropletNetwork(t)
	userData := "#cloud-config\nwrite_files:\n  - path: /opt/vmtest/addresses\n    content: \"$public_ipv4 $private_ipv4\"\n"
	first := droplet{id: 4711, public: "10", userData: userData}
	service := serveMetadata(t, metadataAddress, first.files(t, l.key.Authorized()))
	disk := l.stateDisk(t, "state.img")
	var hostKey string

	t.Run("first boot", func(t *testing.T) {
		g := l.start(t, first.spec(l, disk), false)
		g.loginAt(t, "203.0.113.10")
		g.ready(t, bootDeadline)
		t.Logf("asked: %q", service.requests())
		checkDroplet(t, g, first)
		hostKey = g.hostKey(t)
		if out := g.run(t, "ros config sources"); !strings.Contains(out, "digitalocean") {
			t.Errorf("ros config sources:\n%s", out)
		} else {
			t.Logf("ros config sources:\n%s", out)
		}
		g.powerOff(t)
	})
	t.Run("the service is away", func(t *testing.T) {
		service.set(func(m *metadata) { m.silent = true })
		defer service.set(func(m *metadata) { m.silent = false })
		g := l.start(t, first.spec(l, disk), false, `(?i)datasource|digitalocean`)
		g.loginAt(t, "203.0.113.10")
		g.settled(t)
		checkDroplet(t, g, first)
		if again := g.hostKey(t); again != hostKey {
			t.Errorf("the host key changed from %s to %s", hostKey, again)
		}
		g.powerOff(t)
	})
	second := droplet{id: 4712, public: "20", userData: userData}
	t.Run("snapshot under a new id", func(t *testing.T) {
		service.set(func(m *metadata) { m.files = second.files(t, l.key.Authorized()) })
		g := l.start(t, second.spec(l, disk), false)
		g.loginAt(t, "203.0.113.20")
		g.ready(t, bootDeadline)
		checkDroplet(t, g, second)
		if out := g.run(t, "ip -o addr"); strings.Contains(out, "203.0.113.10/") {
			t.Errorf("the old droplet's address is still there:\n%s", out)
		}
		if again := g.hostKey(t); again == hostKey {
			t.Error("two droplets have one host key")
		}
		g.powerOff(t)
	})
	t.Run("500 three times", func(t *testing.T) {
		service.set(func(m *metadata) { m.fail = 3 })
		g := l.start(t, droplet{id: 4713, public: "20"}.spec(l, l.stateDisk(t, "fresh.img")), false)
		g.loginAt(t, "203.0.113.20")
		g.ready(t, bootDeadline)
		if n := len(service.requests()); n < 4 {
			t.Errorf("%d requests, want at least 4", n)
		}
		g.powerOff(t)
	})
}

// hostKey is the public key by which sshd proves who it is.
func (g *guest) hostKey(t *testing.T) string {
	t.Helper()
	return g.run(t, `sudo cat $(sudo sshd -T | awk '$1 == "hostkey" && /ed25519/ {print $2 ".pub"}')`)
}

// checkDroplet compares a machine with what the service says about it.
func checkDroplet(t *testing.T, g *guest, d droplet) {
	t.Helper()
	if got, want := g.run(t, "hostname"), fmt.Sprintf("droplet-%d", d.id); got != want {
		t.Errorf("host name %q, want %q", got, want)
	}
	byMAC := map[string][]string{}
	var links []struct {
		Address  string `json:"address"`
		AddrInfo []struct {
			Local     string `json:"local"`
			Prefixlen int    `json:"prefixlen"`
			Scope     string `json:"scope"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal([]byte(g.run(t, "ip -j addr")), &links); err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		for _, a := range l.AddrInfo {
			byMAC[l.Address] = append(byMAC[l.Address], fmt.Sprintf("%s/%d", a.Local, a.Prefixlen))
		}
	}
	for mac, want := range map[string][]string{
		publicMAC:  {"203.0.113." + d.public + "/24", "10.10.0." + d.public + "/16", "2001:db8::" + d.public + "/64"},
		privateMAC: {"10.132.0." + d.public + "/16"},
	} {
		for _, a := range want {
			if !slices.Contains(byMAC[mac], a) {
				t.Errorf("the card %s has %q, without %s", mac, byMAC[mac], a)
			}
		}
	}
	if out := g.run(t, "ip -4 route show default"); strings.Count(out, "default") != 1 || !strings.Contains(out, "via 203.0.113.1 ") {
		t.Errorf("default routes:\n%s", out)
	}
	if out := g.run(t, "ip -6 route show default"); !strings.Contains(out, "via 2001:db8::1 ") {
		t.Errorf("IPv6 default routes:\n%s", out)
	}
	if out := g.run(t, "cat /etc/resolv.conf"); !strings.Contains(out, "nameserver 203.0.113.1\n") || !strings.Contains(out, "nameserver 203.0.113.2") {
		t.Errorf("resolv.conf:\n%s", out)
	}
	if out, want := g.run(t, "cat /opt/vmtest/addresses"), "203.0.113."+d.public+" 10.132.0."+d.public; d.userData != "" && out != want {
		t.Errorf("$public_ipv4 $private_ipv4 are %q, want %q", out, want)
	}
}

// TestVMSilentMetadata boots a droplet whose service accepts and never
// answers: the boot goes on at its printed deadline, and says so.
func TestVMSilentMetadata(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	dropletNetwork(t)
	d := droplet{id: 4714, public: "30"}
	serveMetadata(t, metadataAddress, nil).set(func(m *metadata) { m.silent = true })
	spec := d.spec(l, l.stateDisk(t, "state.img"), l.keyParam(),
		"rancher.network.interfaces.eth0.address=10.132.0.30/16")
	g := l.start(t, spec, false, `(?i)datasource|digitalocean`)
	g.loginAt(t, "10.132.0.30")
	s := g.settled(t)
	if s.State != api.StateDegraded || !slices.ContainsFunc(s.Reasons, func(r string) bool { return strings.Contains(r, "digitalocean") }) {
		t.Errorf("state %s, reasons %q; want degraded by digitalocean", s.State, s.Reasons)
	}
	g.eventually(t, bootDeadline, "docker info", func(r Result) bool { return r.Code == 0 })
	var b api.Boot
	if err := json.Unmarshal([]byte(g.run(t, "ros boot --json")), &b); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(b.Stages, func(st api.Stage) bool { return strings.Contains(st.Name, "datasource") })
	if i < 0 {
		t.Fatalf("no stage of the datasource in %+v", b.Stages)
	}
	took := time.Duration((b.Stages[i].End - b.Stages[i].Start) * float64(time.Second))
	t.Logf("stage %+v took %s; reasons %q", b.Stages[i], took, s.Reasons)
	if b.Stages[i].End == 0 || took > 2*time.Minute {
		t.Errorf("the datasource was not given up: %+v", b.Stages[i])
	}
}
