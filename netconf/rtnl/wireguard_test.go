package rtnl

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/pharos-os/pharos/netconf"
)

const (
	keyOne = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
	keyTwo = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
	hush   = "c2VjcmV0IGJ1dCBub3QgMzIgYnl0ZXM=" // no key
)

// TestWireGuardConfig: peers that stay are changed in place, those that are
// not wanted go, and an endpoint that was called before is left to the kernel.
func TestWireGuardConfig(t *testing.T) {
	one, _ := wgtypes.ParseKey(keyOne)
	two, _ := wgtypes.ParseKey(keyTwo)
	have := &wgtypes.Device{Peers: []wgtypes.Peer{{PublicKey: one}, {PublicKey: two}}}
	want := netconf.Device{WireGuard: netconf.WireGuard{Peers: []netconf.Peer{{PublicKey: keyOne, Endpoint: "192.0.2.1:5"}}}}
	config, resolved, err := wireGuardConfig(want, have, nil, endpoint)
	if err != nil || config.ReplacePeers || len(config.Peers) != 2 {
		t.Fatalf("%v: %+v", err, config)
	}
	first, second := config.Peers[0], config.Peers[1]
	if first.PublicKey != one || first.Remove || first.Endpoint.String() != "192.0.2.1:5" || *first.PresharedKey != (wgtypes.Key{}) || !first.ReplaceAllowedIPs {
		t.Errorf("the peer that stays: %+v", first)
	}
	if second.PublicKey != two || !second.Remove {
		t.Errorf("the peer that goes: %+v", second)
	}
	if resolved[keyOne] != "192.0.2.1:5" {
		t.Errorf("called: %v", resolved)
	}
	if config, _, err = wireGuardConfig(want, have, resolved, endpoint); err != nil || config.Peers[0].Endpoint.String() != "192.0.2.1:5" {
		t.Errorf("a peer that went and comes again is called nowhere: %v %+v", err, config.Peers[0].Endpoint)
	}
	have.Peers[0].Endpoint = config.Peers[0].Endpoint
	if config, _, err = wireGuardConfig(want, have, resolved, endpoint); err != nil || config.Peers[0].Endpoint != nil {
		t.Errorf("called again: %v %+v", err, config.Peers[0].Endpoint)
	}
	want.WireGuard.Peers[0].Endpoint = "192.0.2.1:99999"
	if config, resolved, err = wireGuardConfig(want, have, resolved, endpoint); err == nil || config == nil || len(config.Peers) != 2 || len(resolved) > 0 {
		t.Errorf("a port that is none: %v, and the rest is to be set: %+v", err, config)
	}
	want.WireGuard.Peers = nil
	if config, _, err = wireGuardConfig(want, have, nil, endpoint); err != nil || len(config.Peers) > 0 {
		t.Errorf("peers that nobody speaks of stay: %v %+v", err, config)
	}
}

// TestWireGuardLookups: names of peers are looked up at the same time, and one
// that is not found keeps no other from being called.
func TestWireGuardLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := make(chan bool)
		find := func(s string) (*net.UDPAddr, error) {
			select { // one alone waits for ever
			case both <- true:
				return nil, errors.New("no such host")
			case <-both:
				return &net.UDPAddr{Port: 5}, nil
			}
		}
		want := netconf.Device{WireGuard: netconf.WireGuard{Peers: []netconf.Peer{
			{PublicKey: keyOne, Endpoint: "one.example:5"}, {PublicKey: keyTwo, Endpoint: "two.example:5"}}}}
		config, resolved, err := wireGuardConfig(want, &wgtypes.Device{}, nil, find)
		if err == nil || !strings.Contains(err.Error(), "endpoint of peer ") || len(resolved) != 1 {
			t.Fatalf("%v, called: %v", err, resolved)
		}
		for _, p := range config.Peers {
			if (p.Endpoint != nil) != (resolved[p.PublicKey.String()] != "") {
				t.Errorf("called: %v, the peer: %+v", resolved, p)
			}
		}
	})
}

// TestWireGuardSecrets: errors do not show keys.
func TestWireGuardSecrets(t *testing.T) {
	for _, w := range []netconf.WireGuard{
		{PrivateKey: hush},
		{Peers: []netconf.Peer{{PublicKey: keyOne, PresharedKey: hush}}},
	} {
		config, _, err := wireGuardConfig(netconf.Device{WireGuard: w}, &wgtypes.Device{}, nil, endpoint)
		if err == nil || config != nil || strings.Contains(err.Error(), hush[:8]) {
			t.Errorf("%v, %+v", err, config)
		}
	}
}
