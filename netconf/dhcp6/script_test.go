package dhcp6_test

import (
	"net"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

// Options of servers.

func raw(code dhcpv6.OptionCode, data ...byte) dhcpv6.Option {
	return &dhcpv6.OptionGeneric{OptionCode: code, OptionData: data}
}

func serverID(n byte) dhcpv6.Option { return raw(dhcpv6.OptionServerID, 0, 3, 0, 1, 2, 0, 0, 0, 1, n) }

func statusCode(code byte, text string) dhcpv6.Option {
	return raw(dhcpv6.OptionStatusCode, append([]byte{0, code}, text...)...)
}

func rapid() dhcpv6.Option { return raw(dhcpv6.OptionRapidCommit) }

const forEver = 0xffffffff * time.Second

// na is an IA_NA; t1 and t2 are left to the client.
func na(inner ...dhcpv6.Option) *dhcpv6.OptIANA {
	return &dhcpv6.OptIANA{IaId: [4]byte{0, 0, 0, 1}, Options: dhcpv6.IdentityOptions{Options: inner}}
}

func pd(inner ...dhcpv6.Option) *dhcpv6.OptIAPD {
	return &dhcpv6.OptIAPD{IaId: [4]byte{0, 0, 0, 1}, Options: dhcpv6.PDOptions{Options: inner}}
}

func address(a string, preferred, valid time.Duration) dhcpv6.Option {
	return &dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP(a), PreferredLifetime: preferred, ValidLifetime: valid}
}

func prefix(p string, preferred, valid time.Duration) dhcpv6.Option {
	_, n, err := net.ParseCIDR(p)
	if err != nil {
		panic(err)
	}
	return &dhcpv6.OptIAPrefix{Prefix: n, PreferredLifetime: preferred, ValidLifetime: valid}
}

// reply answers a message as server 1, or as another if that is among the
// options.
func reply(p *dhcpv6.Message, kind dhcpv6.MessageType, options ...dhcpv6.Option) []byte {
	r := &dhcpv6.Message{MessageType: kind, TransactionID: p.TransactionID}
	r.AddOption(p.GetOneOption(dhcpv6.OptionClientID))
	if !slices.ContainsFunc(options, func(o dhcpv6.Option) bool { return o.Code() == dhcpv6.OptionServerID }) {
		r.AddOption(serverID(1))
	}
	for _, o := range options {
		r.AddOption(o)
	}
	return r.ToBytes()
}

// always answers each message with these options, SOLICIT by ADVERTISE.
func always(options ...dhcpv6.Option) answer {
	return func(p *dhcpv6.Message) [][]byte {
		kind := dhcpv6.MessageTypeReply
		if p.MessageType == dhcpv6.MessageTypeSolicit {
			kind = dhcpv6.MessageTypeAdvertise
		}
		return [][]byte{reply(p, kind, options...)}
	}
}

// only answers one kind of message.
func only(kind dhcpv6.MessageType, a answer) answer {
	return func(p *dhcpv6.Message) [][]byte {
		if p.MessageType != kind {
			return nil
		}
		return a(p)
	}
}

// both joins servers.
func both(list ...answer) answer {
	return func(p *dhcpv6.Message) (out [][]byte) {
		for _, a := range list {
			out = append(out, a(p)...)
		}
		return out
	}
}

// grants is a server of a higher rank than all others, so that nothing waits.
func grants(options ...dhcpv6.Option) answer {
	return always(append(options, raw(dhcpv6.OptionPreference, 255))...)
}
