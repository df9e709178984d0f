// Package nd owns the reading of what IPv6 routers advertise about DNS (RFC
// 8106): the options that the kernel does not use itself but hands to user
// space as they came from the wire. It is pure. It refuses to speak netlink, to
// keep time and to merge one advertisement with another: lifetimes count from
// when the advertisement came.
package nd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Types of neighbour discovery options (RFC 8106, sections 5.1 and 5.2).
const (
	typeServers = 25 // RDNSS
	typeDomains = 31 // DNSSL
)

// Forever is the lifetime of what does not expire: 0xffffffff on the wire.
const Forever = 0xffffffff * time.Second

// Limits on one advertisement. A resolver uses three servers; RFC 8106 asks
// for room for as many (section 5.3.1).
const (
	maxServers = 16
	maxDomains = 32
)

// Info is what one advertisement says about DNS, in its order.
type Info struct {
	Servers []Server
	Domains []Domain
}

// Server is a recursive DNS server.
type Server struct {
	// Addr has no zone; a link-local one is of use only with the link's.
	Addr     netip.Addr
	Lifetime time.Duration // 0: must not be used any longer; Forever
}

// Domain is a search domain.
type Domain struct {
	Name     string        // without the final dot
	Lifetime time.Duration // 0: must not be used any longer; Forever
}

// Parse reads neighbour discovery options (RFC 4861, section 4.6). Types that
// are not about DNS are skipped. Info holds everything that is good, whatever
// the error, which names what is not: each option and each name costs only
// itself. Only a length that leads nowhere ends the reading.
func Parse(options []byte) (Info, error) {
	var info Info
	var errs []error
	for at := 0; at < len(options); {
		rest := options[at:]
		if len(rest) < 2 || rest[1] == 0 || int(rest[1])*8 > len(rest) {
			errs = append(errs, fmt.Errorf("option at octet %d: length leads beyond the %d octets that there are", at, len(options)))
			break
		}
		option := rest[:int(rest[1])*8]
		var err error
		switch option[0] {
		case typeServers:
			err = info.addServers(option)
		case typeDomains:
			err = info.addDomains(option)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("option %d at octet %d: %w", option[0], at, err))
		}
		at += len(option)
	}
	return info, errors.Join(errs...)
}

// addServers reads an RDNSS option: 8 octets, then addresses.
func (i *Info) addServers(option []byte) error {
	if len(option) < 24 || len(option)%16 != 8 {
		return fmt.Errorf("%d octets do not end with an address", len(option))
	}
	var errs []error
	for at := 8; at < len(option); at += 16 {
		a := netip.AddrFrom16([16]byte(option[at : at+16]))
		switch {
		case a.IsUnspecified(), a.IsMulticast(), a.IsLoopback(), a.Is4In6():
			errs = append(errs, fmt.Errorf("%v is no server's address", a))
		case len(i.Servers) == maxServers:
			return errors.Join(append(errs, fmt.Errorf("more than %d servers", maxServers))...)
		default:
			i.Servers = append(i.Servers, Server{a, lifetime(option)})
		}
	}
	return errors.Join(errs...)
}

// addDomains reads a DNSSL option: 8 octets, then names, then zeros.
func (i *Info) addDomains(option []byte) error {
	if len(option) < 16 {
		return fmt.Errorf("%d octets hold no name", len(option))
	}
	names, err := ParseNames(option[8:])
	for _, n := range names {
		if len(i.Domains) == maxDomains {
			return errors.Join(err, fmt.Errorf("more than %d domains", maxDomains))
		}
		i.Domains = append(i.Domains, Domain{n, lifetime(option)})
	}
	return err
}

// lifetime is in the same place in both options.
func lifetime(option []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(option[4:])) * time.Second
}
