package dhcp_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// withServer names the server.
func withServer(a ...byte) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptServerIdentifier(a))
}

// cut is a message whose last option says that it is longer than it is.
func cut(p *dhcpv4.DHCPv4) []byte {
	b := bytes.TrimRight(p.ToBytes(), "\x00")
	return append(b[:len(b)-1], 6, 200, 10, 0, 0, 1)
}

// attack is a bad message, sent before each good answer.
type attack struct {
	name string
	send func(p *dhcpv4.DHCPv4) []byte
	log  string // the line that it costs; empty: none
}

func offers(modify ...dhcpv4.Modifier) func(p *dhcpv4.DHCPv4) []byte {
	return func(p *dhcpv4.DHCPv4) []byte {
		return reply(p, dhcpv4.MessageTypeOffer, append([]dhcpv4.Modifier{
			withServer(10, 0, 0, 66), dhcpv4.WithYourIP([]byte{10, 0, 0, 66})}, modify...)...).ToBytes()
	}
}

// whenAsked sends what it does only after a REQUEST.
func whenAsked(send func(p *dhcpv4.DHCPv4) []byte) func(p *dhcpv4.DHCPv4) []byte {
	return func(p *dhcpv4.DHCPv4) []byte {
		if p.MessageType() != dhcpv4.MessageTypeRequest {
			return nil
		}
		return send(p)
	}
}

func attacks() []attack {
	const noHost, own = "the address is none that a host can have", "the address is the network's own or its broadcast address"
	at := func(a, b, c, d byte) func(*dhcpv4.DHCPv4) []byte {
		return offers(dhcpv4.WithYourIP([]byte{a, b, c, d}))
	}
	return []attack{
		{"nothing", func(*dhcpv4.DHCPv4) []byte { return []byte{} }, ""},
		{"zeros", func(*dhcpv4.DHCPv4) []byte { return make([]byte, 300) }, ""},
		{"a cut option", func(p *dhcpv4.DHCPv4) []byte { return cut(reply(p, dhcpv4.MessageTypeOffer)) }, "its options cannot be read"},
		{"a header alone", func(p *dhcpv4.DHCPv4) []byte { return reply(p, dhcpv4.MessageTypeOffer).ToBytes()[:240] }, "its options cannot be read"},
		{"an option without a length", func(p *dhcpv4.DHCPv4) []byte {
			return append(reply(p, dhcpv4.MessageTypeOffer).ToBytes()[:240], 53)
		}, "its options cannot be read"},
		{"options wherever they can be, all cut", offers(dhcpv4.WithGeneric(dhcpv4.OptionOptionOverload, []byte{3}), func(p *dhcpv4.DHCPv4) {
			p.BootFileName, p.ServerHostName = strings.Repeat("\x06\xff", 60), strings.Repeat("\x79\xfe", 30)
		}), "its options cannot be read"},
		{"the longest options", offers(dhcpv4.WithGeneric(dhcpv4.OptionDNSDomainSearchList, bytes.Repeat([]byte{0xc0, 0}, 600)),
			dhcpv4.WithYourIP([]byte{0, 0, 0, 0})), noHost},
		{"the broadcast address", at(255, 255, 255, 255), noHost},
		{"the network's broadcast address", at(10, 0, 0, 255), own},
		{"the network's own address", at(10, 0, 0, 0), own},
		{"a loopback address", at(127, 0, 0, 1), noHost},
		{"a multicast address", at(224, 0, 0, 1), noHost},
		{"an address of network 0", at(0, 0, 0, 1), noHost},
		{"no server", offers(dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier)), "it does not say which server it is from"},
		{"a server that is none", offers(withServer(255, 255, 255, 255)), "it does not say which server it is from"},
		{"another transaction", offers(dhcpv4.WithTransactionID(dhcpv4.TransactionID{9, 9, 9, 9})), ""},
		{"another client", offers(dhcpv4.WithHwAddr([]byte{2, 0, 0, 0, 0, 9})), ""},
		{"another client's id", offers(dhcpv4.WithGeneric(dhcpv4.OptionClientIdentifier, []byte("other"))), ""},
		{"a refusal of another server", whenAsked(func(p *dhcpv4.DHCPv4) []byte {
			return reply(p, dhcpv4.MessageTypeNak, withServer(10, 0, 0, 66)).ToBytes()
		}), "a server that was not asked refuses the address"},
		{"a grant of another server", whenAsked(func(p *dhcpv4.DHCPv4) []byte {
			return reply(p, dhcpv4.MessageTypeAck, withServer(10, 0, 0, 66), dhcpv4.WithYourIP([]byte{10, 0, 0, 99})).ToBytes()
		}), "a server that was not asked grants another address"},
	}
}

// TestAttacks: a server that sends nonsense, four times before each good
// answer, costs a line in the log, not the lease and no time.
func TestAttacks(t *testing.T) {
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, &wire{answer: grants(time.Hour), raw: func(p *dhcpv4.DHCPv4) (list [][]byte) {
					if b := a.send(p); b != nil {
						list = append(list, b, b, b, b)
					}
					return list
				}}, nil)
				defer s.stop()
				synctest.Wait()
				netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24"}, s.reports())
				netconftest.Compare(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.5"}, s.take())
				want := 1
				if a.log == "" {
					want = 0
				}
				if n := s.logged("level=WARN"); n != want || s.logged(a.log) == 0 && want > 0 {
					t.Errorf("%d warnings, want %d: %q\n%s", n, want, a.log, s.text.String())
				}
			})
		})
	}
}

// TestOnlyNonsense: with no good server the trouble is what is reported, and
// the log does not fill up.
func TestOnlyNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &wire{answer: silent, raw: func(p *dhcpv4.DHCPv4) [][]byte { return [][]byte{cut(p), cut(reply(p, dhcpv4.MessageTypeOffer))} }}, nil)
		defer s.stop()
		netconftest.Pass(t, time.Hour)
		s.checkMessage(t, "its options cannot be read")
		if n := s.logged("level=WARN"); n != 1 {
			t.Errorf("%d warnings in an hour", n)
		}
	})
}

// TestStorms: whatever a server says, it is not asked at the speed of the wire.
func TestStorms(t *testing.T) {
	second := func(code dhcpv4.OptionCode) dhcpv4.Modifier {
		return dhcpv4.WithOption(dhcpv4.Option{Code: code, Value: dhcpv4.Duration(time.Second)})
	}
	full := &netconf.Lease{Address: netip.MustParsePrefix("10.0.0.5/24")}
	for _, c := range []struct {
		name     string
		answer   func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4
		previous *netconf.Lease
		most     int // messages in ten minutes
	}{
		{"refuses all", refuses, full, 270},
		{"grants for no time", grants(0), nil, 2},
		{"grants for a second", grants(time.Second), nil, 302},
		{"renews after a second", grants(time.Hour, second(dhcpv4.OptionRenewTimeValue), second(dhcpv4.OptionRebindingTimeValue)), nil, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, &wire{answer: c.answer}, c.previous)
				defer s.stop()
				netconftest.Pass(t, 10*time.Minute)
				if n := len(s.take()); n > c.most || n == 0 {
					t.Errorf("%d messages in ten minutes, want at most %d", n, c.most)
				}
			})
		})
	}
}

// TestServerID: a renewal without it is from who was asked; with another one,
// the server has moved.
func TestServerID(t *testing.T) {
	for name, c := range map[string]struct {
		modify dhcpv4.Modifier
		want   string
	}{
		"missing": {dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier), "10.0.0.1"},
		"none":    {withServer(0, 0, 0, 0), "10.0.0.1"},
		"changed": {withServer(10, 0, 0, 2), "10.0.0.2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, &wire{answer: grants(time.Hour)}, nil)
				defer s.stop()
				synctest.Wait()
				s.set(grants(time.Hour, c.modify))
				netconftest.Pass(t, 31*time.Minute)
				netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.5/24", "renewing 10.0.0.5/24", "bound 10.0.0.5/24"}, s.reports())
				s.set(silent)
				netconftest.Pass(t, 31*time.Minute)
				if got := s.lease().Server.String(); got != c.want {
					t.Errorf("the server is %s, want %s", got, c.want)
				}
			})
		})
	}
}

// TestRacingServers: the first offer is taken, and its server is the one that
// is asked.
func TestRacingServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := func(p *dhcpv4.DHCPv4) []byte {
			if p.MessageType() == dhcpv4.MessageTypeDiscover {
				return offers(dhcpv4.WithYourIP([]byte{10, 0, 0, 66}))(p)
			}
			if p.ServerIdentifier().String() == "10.0.0.66" {
				return grants(time.Hour, withServer(10, 0, 0, 66), dhcpv4.WithYourIP([]byte{10, 0, 0, 66}))(p).ToBytes()
			}
			return reply(p, dhcpv4.MessageTypeNak, withServer(10, 0, 0, 7)).ToBytes()
		}
		s := start(t, &wire{answer: grants(time.Hour), raw: func(p *dhcpv4.DHCPv4) [][]byte { return [][]byte{second(p)} }}, nil)
		defer s.stop()
		synctest.Wait()
		netconftest.Compare(t, "messages", []string{"0s DISCOVER", "0s REQUEST 10.0.0.66"}, s.take())
		netconftest.Compare(t, "states", []string{"selecting", "requesting", "bound 10.0.0.66/24"}, s.reports())
	})
}

// TestFastAndUseless: the server that is always first with its offer never
// grants it; the other one gets its turn.
func TestFastAndUseless(t *testing.T) {
	for name, refusal := range map[string]func(p *dhcpv4.DHCPv4) []byte{
		"is silent": func(*dhcpv4.DHCPv4) []byte { return nil },
		"refuses": func(p *dhcpv4.DHCPv4) []byte {
			return reply(p, dhcpv4.MessageTypeNak, withServer(10, 0, 0, 66)).ToBytes()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fast := func(p *dhcpv4.DHCPv4) []byte {
					if p.MessageType() == dhcpv4.MessageTypeDiscover {
						return offers(dhcpv4.WithYourIP([]byte{10, 0, 0, 66}))(p)
					}
					return refusal(p)
				}
				good := grants(time.Hour)
				s := start(t, &wire{raw: func(p *dhcpv4.DHCPv4) (list [][]byte) {
					asked := p.ServerIdentifier()
					if asked == nil || asked.String() == "10.0.0.66" {
						if b := fast(p); b != nil {
							list = append(list, b)
						}
					}
					return list
				}, answer: func(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
					if asked := p.ServerIdentifier(); asked != nil && asked.String() != "10.0.0.1" {
						return nil
					}
					return good(p)
				}}, nil)
				defer s.stop()
				netconftest.Pass(t, 7*time.Second)
				if got := s.reports(); got[len(got)-1] != "bound 10.0.0.5/24" {
					t.Errorf("states: %q", got)
				}
				if n := s.logged("a server offers what it does not grant"); n != 1 {
					t.Errorf("it is logged %d times", n)
				}
			})
		})
	}
}
