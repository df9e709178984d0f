package dhcp6

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/nd"
)

// Limits on what one message may tell.
const (
	maxMessage = 8192 // octets; more is cut off
	maxGrants  = 16
	maxServers = 16
	maxDomains = 32
	maxDUID    = 130 // octets (RFC 8415, section 11.1)
	endless    = 0xffffffff * time.Second
)

// message is a server's message, checked. What is not good is left out and
// named in flaws.
type message struct {
	kind           dhcpv6.MessageType
	xid            dhcpv6.TransactionID
	client, server []byte // DUIDs
	status         status
	preference     byte
	rapid          bool
	longestSolicit time.Duration // option 82; 0 is none
	longestInform  time.Duration // option 83; 0 is none
	refresh        time.Duration // option 32; 0 is none
	addresses      association
	prefixes       association
	dns, ntp, sntp []netip.Addr
	search         []string
	flaws          []string
}

// status is option 13; the zero value is success.
type status struct {
	code iana.StatusCode
	text string
}

// String is for people; the text is the server's.
func (s status) String() string {
	if s.text == "" {
		return s.code.String()
	}
	return fmt.Sprintf("%s: %q", s.code, s.text[:min(len(s.text), 100)])
}

// association is an IA_NA or IA_PD.
type association struct {
	t1, t2  time.Duration // 0 leaves it to the client
	granted []netconf.Granted
	gone    []netip.Prefix // with a valid lifetime of 0
	status  status
}

// parse reads a message; identity associations that are not of this iaid are
// left out. The error says why the message is none.
func parse(b []byte, iaid [4]byte) (*message, error) {
	if len(b) < dhcpv6.MessageHeaderSize {
		return nil, fmt.Errorf("%d octets are no message", len(b))
	}
	m := &message{kind: dhcpv6.MessageType(b[0]), xid: dhcpv6.TransactionID(b[1:4])}
	var options dhcpv6.Options
	err := options.FromBytesWithParser(b[4:], func(code dhcpv6.OptionCode, data []byte) (dhcpv6.Option, error) {
		o := &dhcpv6.OptionGeneric{OptionCode: code}
		return o, o.FromBytes(data)
	})
	if err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	for _, o := range options {
		if err := m.read(o.Code(), o.ToBytes(), iaid); err != nil {
			m.flaw("option %d: %v", o.Code(), err)
		}
	}
	return m, nil
}

func (m *message) flaw(format string, args ...any) {
	m.flaws = append(m.flaws, fmt.Sprintf(format, args...))
}

// read takes one option. Every option is read by itself, so that a bad one
// costs nothing but itself.
func (m *message) read(code dhcpv6.OptionCode, b []byte, iaid [4]byte) (err error) {
	switch code {
	case dhcpv6.OptionClientID:
		m.client = b
	case dhcpv6.OptionServerID:
		if len(b) < 3 || len(b) > maxDUID {
			return fmt.Errorf("an identifier of %d octets", len(b))
		}
		m.server = b
	case dhcpv6.OptionStatusCode:
		m.status, err = readStatus(b)
	case dhcpv6.OptionPreference:
		if len(b) != 1 {
			return fmt.Errorf("%d octets, not 1", len(b))
		}
		m.preference = b[0]
	case dhcpv6.OptionRapidCommit:
		m.rapid = true
	case dhcpv6.OptionIANA:
		return m.readAddresses(b, iaid)
	case dhcpv6.OptionIAPD:
		return m.readPrefixes(b, iaid)
	case dhcpv6.OptionSolMaxRT:
		m.longestSolicit, err = readLongest(b)
	case dhcpv6.OptionInfMaxRT:
		m.longestInform, err = readLongest(b)
	case dhcpv6.OptionInformationRefreshTime:
		m.refresh, err = readSeconds(b)
	default:
		return m.readRest(code, b)
	}
	return err
}

// readRest takes the options that are of use without a lease, too.
func (m *message) readRest(code dhcpv6.OptionCode, b []byte) (err error) {
	switch code {
	case dhcpv6.OptionDNSRecursiveNameServer:
		m.dns, err = readServers(m.dns, b)
	case dhcpv6.OptionSNTPServerList:
		m.sntp, err = readServers(m.sntp, b)
	case dhcpv6.OptionNTPServer:
		var o dhcpv6.OptNTPServer
		if err := o.FromBytes(b); err != nil {
			return err
		}
		for _, s := range o.Suboptions {
			if a, ok := s.(*dhcpv6.NTPSuboptionSrvAddr); ok && err == nil {
				m.ntp, err = readServers(m.ntp, *a)
			}
		}
	case dhcpv6.OptionDomainSearchList:
		var names []string
		names, err = nd.ParseNames(b)
		m.search = append(m.search, names...)
		m.search = m.search[:min(len(m.search), maxDomains)]
	}
	return err
}

func readStatus(b []byte) (status, error) {
	var o dhcpv6.OptStatusCode
	err := o.FromBytes(b)
	return status{o.StatusCode, o.StatusMessage}, err
}

// readServers appends addresses; the good ones even with an error.
func readServers(list []netip.Addr, b []byte) ([]netip.Addr, error) {
	var err error
	for ; len(b) >= 16; b = b[16:] {
		a := netip.AddrFrom16([16]byte(b[:16]))
		switch {
		case a.IsUnspecified(), a.IsMulticast(), a.IsLoopback(), a.Is4In6():
			err = fmt.Errorf("%v is no server's address", a)
		case len(list) == maxServers:
			return list, fmt.Errorf("more than %d servers", maxServers)
		default:
			list = append(list, a)
		}
	}
	if len(b) > 0 {
		err = fmt.Errorf("%d octets after the last address", len(b))
	}
	return list, err
}

func readSeconds(b []byte) (time.Duration, error) {
	if len(b) != 4 {
		return 0, fmt.Errorf("%d octets, not 4", len(b))
	}
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Second, nil
}

// readLongest reads options 82 and 83, whose values have bounds (RFC 8415,
// section 21.24).
func readLongest(b []byte) (time.Duration, error) {
	d, err := readSeconds(b)
	if err == nil && (d < time.Minute || d > 24*time.Hour) {
		return 0, fmt.Errorf("%v is not between a minute and a day", d)
	}
	return min(d, longestAsked), err
}
