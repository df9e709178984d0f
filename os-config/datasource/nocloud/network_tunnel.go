package nocloud

import (
	"net/netip"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// tunnel2 takes a WireGuard link or a VXLAN; other tunnels are not made.
func (t *translator) tunnel2(e osconfig.Entry) {
	mode := text(e.Value.Child("mode"))
	if mode != "wireguard" && mode != "vxlan" {
		t.skip(e.Value, "a tunnel of mode "+mode)
		return
	}
	if mode == "wireguard" && !hasKey(e.Value) {
		t.skip(e.Value, "a tunnel without its key, or with the path of a file for it,")
		return
	}
	link := t.link(e.Key, e.KeyPos)
	set(link, "type", osconfig.NewString(e.KeyPos, mode))
	if mode == "wireguard" {
		set(link, "private_key", privateKey(e.Value))
	}
	for _, o := range e.Value.Map {
		if o.Value.IsNull() || o.Key == "mode" {
			continue
		}
		done := false
		if mode == "wireguard" {
			done = t.wireGuard2(link, o)
		} else {
			done = vxlan2(link, o)
		}
		if !done && !t.common2(link, o) {
			t.skip(o.Value, o.Key)
		}
	}
}

func vxlan2(link *osconfig.Node, o osconfig.Entry) bool {
	switch o.Key {
	case "remote":
		key := "remote"
		if a, err := netip.ParseAddr(text(o.Value)); err == nil && a.IsMulticast() {
			key = "group"
		}
		setOnce(link, key, o.Value)
	case "local", "port":
		setOnce(link, o.Key, o.Value)
	default:
		return false // id and link are options of others, too
	}
	return true
}

func (t *translator) wireGuard2(link *osconfig.Node, o osconfig.Entry) bool {
	switch o.Key {
	case "key":
	case "keys":
		t.others(o.Value, "the tunnel's keys: ", "private", "public")
	case "port":
		setOnce(link, "port", o.Value)
	case "mark":
		setOnce(link, "firewall_mark", o.Value)
	case "peers":
		for _, p := range values(o.Value) {
			add(link, "peers", t.peer2(p))
		}
	default:
		return false
	}
	return true
}

// privateKey is the key of a WireGuard link: key, or private of keys.
func privateKey(tunnel *osconfig.Node) *osconfig.Node {
	keys := tunnel.Child("keys")
	for _, n := range []*osconfig.Node{tunnel.Child("key"), keys.Child("private"), keys} {
		if text(n) != "" {
			return n
		}
	}
	return nil
}

// hasKey says whether the key stands there itself; netplan takes the path of
// a file, too.
func hasKey(tunnel *osconfig.Node) bool {
	s := text(privateKey(tunnel))
	return s != "" && s[0] != '/'
}

func (t *translator) peer2(p *osconfig.Node) *osconfig.Node {
	out := osconfig.NewMap(p.Pos)
	keys := p.Child("keys")
	for _, k := range [][2]string{{"public", "public_key"}, {"shared", "preshared_key"}} {
		key := keys.Child(k[0])
		if s := text(key); s != "" && s[0] == '/' {
			t.skip(key, "a key in a file")
		} else if s != "" {
			set(out, k[1], key)
		}
	}
	for _, k := range []string{"endpoint", "keepalive"} {
		if n := p.Child(k); !n.IsNull() {
			set(out, k, n)
		}
	}
	add(out, "allowed_ips", values(p.Child("allowed-ips"))...)
	t.others(keys, "the peer's keys: ", "public", "shared")
	t.others(p, "the peer's ", "keys", "endpoint", "keepalive", "allowed-ips")
	return out
}
