package rtnl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/pharos-os/pharos/netconf"
)

// endpointTimeout bounds the look-up of the peers' host names, which are
// looked up at the same time; whoever wants the change waits for it, and tries
// again later.
const endpointTimeout = 3 * time.Second

// peerID names a peer of a link.
type peerID struct {
	link int
	key  string
}

// wg opens WireGuard's netlink. That works only once a WireGuard link has made
// the kernel load its module. c.mu is held.
func (c *Conn) wg() (*wgctrl.Client, error) {
	if c.wireguard == nil {
		client, err := wgctrl.New()
		if err != nil {
			return nil, err
		}
		c.wireguard = client
	}
	return c.wireguard, nil
}

// wireGuardOf fills in keys and peers. What cannot be read stays empty: then
// it differs from what is wanted, and setting it says what is wrong. c.mu is
// held.
func (c *Conn) wireGuardOf(id netconf.LinkID, d *netconf.Device) {
	client, err := c.wg()
	if err != nil {
		return
	}
	have, err := client.Device(id.Name)
	if err != nil {
		return
	}
	d.Port = have.ListenPort
	d.WireGuard.PrivateKey, d.WireGuard.FirewallMark = keyText(have.PrivateKey), have.FirewallMark
	for _, p := range have.Peers {
		peer := netconf.Peer{
			PublicKey: p.PublicKey.String(), PresharedKey: keyText(p.PresharedKey),
			Keepalive: int(p.PersistentKeepaliveInterval / time.Second),
		}
		if p.Endpoint != nil {
			peer.Endpoint = p.Endpoint.String()
		}
		if asked, ok := c.endpoints[peerID{id.Index, peer.PublicKey}]; ok && p.Endpoint != nil {
			peer.Endpoint = asked // the peer may have moved since
		}
		for _, n := range p.AllowedIPs {
			ones, _ := n.Mask.Size()
			a, _ := netip.AddrFromSlice(n.IP)
			peer.AllowedIPs = append(peer.AllowedIPs, netip.PrefixFrom(a.Unmap(), ones))
		}
		slices.SortFunc(peer.AllowedIPs, netip.Prefix.Compare)
		d.WireGuard.Peers = append(d.WireGuard.Peers, peer)
	}
	slices.SortFunc(d.WireGuard.Peers, func(a, b netconf.Peer) int { return strings.Compare(a.PublicKey, b.PublicKey) })
}

func keyText(k wgtypes.Key) string {
	if k == (wgtypes.Key{}) {
		return ""
	}
	return k.String()
}

// setWireGuard gives a link keys and peers. Sessions of peers that do not
// change go on. An endpoint whose name is not found is an error after all the
// rest was set.
func (c *Conn) setWireGuard(id netconf.LinkID, d netconf.Device) error {
	c.mu.Lock()
	known := make(map[string]string)
	for p, text := range c.endpoints {
		if p.link == id.Index {
			known[p.key] = text
		}
	}
	client, err := c.wg()
	c.mu.Unlock()
	if err != nil {
		return err
	}
	have, err := client.Device(id.Name)
	if err != nil {
		return err
	}
	config, resolved, lookups := wireGuardConfig(d, have, known, endpoint)
	if config == nil {
		return lookups
	}
	if err := client.ConfigureDevice(id.Name, *config); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, text := range resolved {
		c.endpoints[peerID{id.Index, key}] = text
	}
	return lookups
}

// wireGuardConfig says what is to change; nil if a key is none. The endpoints
// in known have been called before and are left to the kernel as long as it
// has one: a peer that went and comes again has none. No error shows a secret.
func wireGuardConfig(d netconf.Device, have *wgtypes.Device, known map[string]string,
	find func(string) (*net.UDPAddr, error)) (*wgtypes.Config, map[string]string, error) {
	var config wgtypes.Config
	if d.WireGuard.PrivateKey != "" {
		key, err := wgtypes.ParseKey(d.WireGuard.PrivateKey)
		if err != nil {
			return nil, nil, errors.New("the private key is not 32 bytes in base64")
		}
		config.PrivateKey = &key
	}
	if d.Port != 0 {
		config.ListenPort = &d.Port
	}
	if d.WireGuard.FirewallMark != 0 {
		config.FirewallMark = &d.WireGuard.FirewallMark
	}
	if d.WireGuard.Peers == nil {
		return &config, nil, nil
	}
	called := make(map[string]string)
	for _, p := range have.Peers {
		if key := p.PublicKey.String(); p.Endpoint != nil {
			called[key] = known[key]
		}
	}
	asked := make(map[string]string)
	wanted := make(map[wgtypes.Key]bool)
	for _, p := range d.WireGuard.Peers {
		peer, err := peerConfig(p)
		if err != nil {
			return nil, nil, err
		}
		wanted[peer.PublicKey] = true
		if p.Endpoint != "" && called[p.PublicKey] != p.Endpoint {
			asked[p.PublicKey] = p.Endpoint
		}
		config.Peers = append(config.Peers, peer)
	}
	found, lookups := lookUpAll(asked, find)
	for i, p := range config.Peers {
		config.Peers[i].Endpoint = found[p.PublicKey.String()]
	}
	maps.DeleteFunc(asked, func(key, _ string) bool { return found[key] == nil })
	for _, p := range have.Peers {
		if !wanted[p.PublicKey] {
			config.Peers = append(config.Peers, wgtypes.PeerConfig{PublicKey: p.PublicKey, Remove: true})
		}
	}
	return &config, asked, lookups
}

// lookUpAll finds the endpoints of peers, by public key. It looks for all at
// the same time: a name that nobody answers for delays no other.
func lookUpAll(asked map[string]string, find func(string) (*net.UDPAddr, error)) (map[string]*net.UDPAddr, error) {
	keys := slices.Sorted(maps.Keys(asked))
	addrs, errs := make([]*net.UDPAddr, len(keys)), make([]error, len(keys))
	var all sync.WaitGroup
	for i, key := range keys {
		all.Go(func() { addrs[i], errs[i] = find(asked[key]) })
	}
	all.Wait()
	found := make(map[string]*net.UDPAddr)
	for i, key := range keys {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("endpoint of peer %s: %w", key, errs[i])
			continue
		}
		found[key] = addrs[i]
	}
	return found, errors.Join(errs...)
}

func peerConfig(p netconf.Peer) (wgtypes.PeerConfig, error) {
	key, err := wgtypes.ParseKey(p.PublicKey)
	if err != nil {
		return wgtypes.PeerConfig{}, fmt.Errorf("the public key %q of a peer is not 32 bytes in base64", p.PublicKey)
	}
	var shared wgtypes.Key // all zeros are none
	if p.PresharedKey != "" {
		if shared, err = wgtypes.ParseKey(p.PresharedKey); err != nil {
			return wgtypes.PeerConfig{}, fmt.Errorf("the preshared key of peer %s is not 32 bytes in base64", p.PublicKey)
		}
	}
	keepalive := time.Duration(p.Keepalive) * time.Second
	out := wgtypes.PeerConfig{PublicKey: key, PresharedKey: &shared, PersistentKeepaliveInterval: &keepalive, ReplaceAllowedIPs: true}
	for _, n := range p.AllowedIPs {
		n = n.Masked()
		out.AllowedIPs = append(out.AllowedIPs, net.IPNet{IP: n.Addr().AsSlice(), Mask: net.CIDRMask(n.Bits(), n.Addr().BitLen())})
	}
	return out, nil
}

// endpoint looks HOST:PORT up.
func endpoint(s string) (*net.UDPAddr, error) {
	host, number, err := net.SplitHostPort(s)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", number, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), endpointTimeout)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(list[0].Unmap(), uint16(port))), nil
}
