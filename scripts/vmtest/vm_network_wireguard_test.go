package vmtest

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
)

// wireGuardKey is a pair of keys as wg(8) prints them.
type wireGuardKey struct{ private, public string }

func newWireGuardKey(t *testing.T) wireGuardKey {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString
	return wireGuardKey{text(key.Bytes()), text(key.PublicKey().Bytes())}
}

// wireGuardEnd is the configuration of one end; the other one's last bytes of
// addresses are 3 - n.
func wireGuardEnd(n int, own, other wireGuardKey, shared string) string {
	return fmt.Sprintf(`
      leg0: {match: "mac=%[1]s", set_name: leg0}
      leg1: {match: "mac=%[7]s", set_name: leg1}
      bond0:
        type: bond
        members: [leg0, leg1]
        bond_opts: {mode: 802.3ad, miimon: "100", lacp_rate: fast}
        address: 10.50.0.%[2]d/24
      wg0:
        type: wireguard
        private_key: %[3]s
        port: 51820
        addresses: [10.60.0.%[2]d/24, "fd60::%[2]d/64"]
        peers:
          - public_key: %[4]s
            preshared_key: %[5]s
            endpoint: 10.50.0.%[6]d:51820
            allowed_ips: [10.60.0.%[6]d/32, "fd60::%[6]d/128"]
            keepalive: 5
`, legMAC(n, 0), n, own.private, other.public, shared, 3-n, legMAC(n, 1))
}

// legMAC is the address of a leg of machine n's bond.
func legMAC(n, leg int) string { return cardMAC(16*n + leg) }

// cables are the cards of machine n: two, each joined to the other machine's.
func cables(n int) []Card {
	var cards []Card
	for leg := range 2 {
		port := func(n int) int { return 7000 + 10*n + leg } // nobody else is in the test's namespace
		cards = append(cards, Card{MAC: legMAC(n, leg), Near: port(n), Far: port(3 - n)})
	}
	return cards
}

// TestVMNetworkWireGuard has a tunnel between two machines, over two cables
// that LACP makes one link of. Its keys are in their configuration and nowhere
// else.
func TestVMNetworkWireGuard(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	keys := map[int]wireGuardKey{1: newWireGuardKey(t), 2: newWireGuardKey(t)}
	shared := newWireGuardKey(t).private
	machines := map[int]*guest{}
	for n := 1; n <= 2; n++ {
		own := l
		own.dir = fmt.Sprintf("%s-%d", l.dir, n) // beside the other: their folder has the places of machines
		if err := os.RemoveAll(own.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(own.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		spec := own.networked(t, wireGuardEnd(n, keys[n], keys[3-n], shared), "", cables(n)...)
		spec.Memory = 1024
		machines[n] = own.start(t, spec, false)
	}
	for n, g := range machines {
		g.login(t)
		g.ready(t, bootDeadline)
		g.asConfigured(t)
		t.Logf("machine %d:\n%s", n, g.run(t, "ros network status"))
	}
	g := machines[1]
	g.eventuallyPrints(t, stepDeadline, "ping -c 3 -W 5 10.60.0.2", " 0% packet loss")
	g.prints(t, [][2]string{
		{"ping -6 -c 3 -W 5 fd60::2", " 0% packet loss"},
		{"ping -c 3 -W 5 -M do -s 1392 10.60.0.2", " 0% packet loss"}, // 1420 bytes
		{"timeout 30 bash -c 'exec 3<>/dev/tcp/10.60.0.2/22 && head -c 7 <&3'", "SSH-2.0"},
		{"ip -d link show wg0", "wireguard"},
	})
	if out := g.run(t, "ping -c 1 -W 2 10.50.0.2 >/dev/null; ip -s -j link show wg0"); strings.Contains(out, `"bytes":0,`) {
		t.Errorf("nothing went through the tunnel: %s", out)
	}
	t.Run("LACP", func(t *testing.T) { testLACP(t, machines) })
	for n, g := range machines {
		testNoKeys(t, g, keys[n].private, shared)
	}
}

// testNoKeys looks for the tunnel's secrets.
func testNoKeys(t *testing.T, g *guest, secrets ...string) {
	t.Helper()
	g.tellsNone(t, secrets, "ip -d link show wg0")
	// They are there for who may see them.
	if out := g.run(t, "sudo ros config get --private rancher.network.interfaces.wg0 2>&1 || sudo ros config get rancher.network.interfaces.wg0.private_key"); !strings.Contains(out, secrets[0]) {
		t.Errorf("root does not get the key either:\n%s", strings.ReplaceAll(out, secrets[0], "KEY"))
	}
}

// tellsNone looks for secrets where people look at a machine, and in what
// other commands print.
func (g *guest) tellsNone(t *testing.T, secrets []string, others ...string) {
	t.Helper()
	for _, command := range append([]string{
		"ros network status", "ros network status --json", "sudo ros network status --json", "ros network plan --json",
		"sudo ros logs -n 5000 system", "sudo cat /var/log/syslog", "cat /proc/cmdline", "dmesg || sudo dmesg",
		"ros config get rancher.network", "ros config export 2>/dev/null; true", "ros status --json", "ros boot --json",
	}, others...) {
		r := g.try(t, command)
		if r.Code != 0 || strings.TrimSpace(r.Stdout) == "" && !strings.Contains(command, "true") {
			t.Errorf("%s: code %d, prints %q %q", command, r.Code, r.Stdout, r.Stderr)
		}
		for _, secret := range secrets {
			if strings.Contains(r.Stdout+r.Stderr, secret) {
				t.Errorf("%s shows a key", command)
			}
		}
	}
	for _, secret := range secrets {
		if strings.Contains(g.Console.Text(), secret) {
			t.Error("the console shows a key")
		}
	}
}
