package vmtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

// outside is the entry of the card by which the tests log in: QEMU's own
// network. It says little, so that what the lab says can be told apart.
const outside = `
      outside:
        match: mac=52:54:00:12:34:56
        set_name: out0
        dhcp: true
        accept_ra: false
        metric: 900
        dhcp_options: {use_dns: false, use_domains: false, use_hostname: false}
`

// networked is a machine with cards and what is said about them below
// rancher.network.interfaces; rest stands beside it.
func (l lab) networked(t *testing.T, interfaces, rest string, cards ...Card) Spec {
	t.Helper()
	spec := l.direct(l.files.SystemImg)
	spec.Cards = cards
	text := l.cloudConfig("rancher:\n  network:\n" + rest + "    interfaces:\n" + strings.TrimPrefix(outside, "\n") + interfaces)
	if err := os.WriteFile(l.path("user-data"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	spec.Disks = append(spec.Disks, l.seed(t, "network", text))
	return spec
}

// cardMAC is the address of the nth card of a lab.
func cardMAC(n int) string { return fmt.Sprintf("52:54:00:1e:00:%02x", n) }

// network asks `ros network status --json`.
func (g *guest) network(t *testing.T) api.Network {
	t.Helper()
	var n api.Network
	if out := g.run(t, "ros network status --json"); json.Unmarshal([]byte(out), &n) != nil {
		t.Fatalf("ros network status --json prints\n%s", out)
	}
	return n
}

// linkOf is a link of a state; one without a name if there is none.
func linkOf(n api.Network, name string) api.NetworkLink {
	for _, l := range n.Links {
		if l.Name == name {
			return l
		}
	}
	return api.NetworkLink{}
}

// link waits until a link is there of which ok says so.
func (g *guest) link(t *testing.T, within time.Duration, name, what string, ok func(api.NetworkLink) bool) api.NetworkLink {
	t.Helper()
	t.Logf("waiting until %s %s", name, what)
	var last api.NetworkLink
	g.eventually(t, within, "ros network status --json", func(r Result) bool {
		var n api.Network
		if json.Unmarshal([]byte(r.Stdout), &n) != nil {
			return false
		}
		last = linkOf(n, name)
		return last.Name == name && ok(last)
	})
	return last
}

// has waits until a link has an address that begins with text from a source.
func (g *guest) has(t *testing.T, name, text, source string) api.NetworkLink {
	t.Helper()
	return g.link(t, stepDeadline, name, "has "+text+" by "+source, func(l api.NetworkLink) bool { return hasAddress(l, text, source) })
}

func hasAddress(l api.NetworkLink, text, source string) bool {
	return slices.ContainsFunc(l.Addresses, func(a api.NetworkAddress) bool {
		return strings.HasPrefix(a.Address, text) && a.Source == source && a.State == ""
	})
}

// lease is a link's lease of a family; an empty one if there is none.
func lease(l api.NetworkLink, family string) api.NetworkLease {
	for _, x := range l.Leases {
		if x.Family == family {
			return x
		}
	}
	return api.NetworkLease{}
}

// prints compares what commands print with what they should: parts of it.
func (g *guest) prints(t *testing.T, want [][2]string) {
	t.Helper()
	for _, w := range want {
		if r := g.try(t, w[0]); !strings.Contains(r.Stdout, w[1]) {
			t.Errorf("%s: code %d, no %q in\n%s%s", w[0], r.Code, w[1], r.Stdout, r.Stderr)
		}
	}
}

// asConfigured holds the machine to the plan being empty.
func (g *guest) asConfigured(t *testing.T) {
	t.Helper()
	r := g.try(t, "ros network plan --json")
	var p api.NetworkPlan
	if err := json.Unmarshal([]byte(r.Stdout), &p); err != nil || r.Code != 0 || len(p.Keys)+len(p.Changes)+len(p.Problems) != 0 {
		t.Errorf("ros network plan: code %d, not empty: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// quietly runs a command and returns the events of links, addresses, routes
// and rules meanwhile, without those that match an extended regular
// expression. Addresses of the loopback mark begin and end: what is not
// between them does not count, and nothing between them is missed.
func (g *guest) quietly(t *testing.T, command, but string) string {
	t.Helper()
	script := `#!/bin/bash
ip -o monitor link address route rule >/tmp/events & monitor=$!
trap 'kill $monitor' EXIT
mark() { # until the monitor has seen one of the marks, which are all different
	for i in {1..250}; do
		ip addr add 127.$1.0.$i/32 dev lo
		grep -q "127\.$1\.0\." /tmp/events && return
	done
	echo "ip monitor sees nothing"; exit 1
}
mark 101
` + command + ` >/tmp/command.out 2>&1 || { cat /tmp/command.out; exit 1; }
mark 102
sed '/127\.102\.0\./,$d' /tmp/events | grep -v '127\.101\.0\.'` + ` | grep -vE '` + but + `'
for i in 101 102; do for j in {1..250}; do ip addr del 127.$i.0.$j/32 dev lo 2>/dev/null || break; done; done
exit 0
`
	g.put(t, "/tmp/quietly", []byte(script))
	return g.run(t, "sudo bash /tmp/quietly")
}

// put writes a file in the guest, for its user to execute.
func (g *guest) put(t *testing.T, path string, data []byte) {
	t.Helper()
	ctx, cancel := Within(t.Context(), stepDeadline, "copy to "+path)
	defer cancel()
	r, err := g.ssh.RunInput(ctx, "cat >"+path+" && chmod 755 "+path, bytes.NewReader(data))
	if err != nil || r.Code != 0 {
		t.Fatalf("copy to %s: %v: code %d\n%s", path, err, r.Code, r.Stderr)
	}
}
