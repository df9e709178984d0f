package netconf

import (
	"cmp"
	"context"
	"net/netip"
	"time"
)

// Lease is what a DHCPv4 server granted and told. The numbers in comments are
// DHCP option codes (RFC 2132, 3397, 3442).
type Lease struct {
	Address  netip.Prefix
	Server   netip.Addr   // 54
	Routers  []netip.Addr // 3
	Routes   []LeaseRoute // 121; when set, Routers is to be ignored
	DNS      []netip.Addr // 6
	Domain   string       // 15
	Search   []string     // 119
	Hostname string       // 12
	MTU      int          // 26, bytes; 0 is none
	NTP      []netip.Addr // 42

	Acquired time.Time     // when the request was sent that was acknowledged; zero: not known
	Duration time.Duration // 51; 0 is for ever
	T1, T2   time.Duration // 58, 59, from Acquired
}

// LeaseRoute is one entry of option 121.
type LeaseRoute struct {
	Dst     netip.Prefix
	Gateway netip.Addr // zero: on link
}

// Expired tells whether the lease is over at the given time. A lease of which
// the start is not known counts as valid.
func (l *Lease) Expired(now time.Time) bool {
	return l.Duration > 0 && !l.Acquired.IsZero() && !now.Before(l.Acquired.Add(l.Duration))
}

// LeaseState is a state of RFC 2131's client state machine (figure 5).
type LeaseState string

// States of a lease.
const (
	LeaseInit       LeaseState = "init"
	LeaseInitReboot LeaseState = "init-reboot" // REBOOTING is part of it
	LeaseSelecting  LeaseState = "selecting"
	LeaseRequesting LeaseState = "requesting"
	LeaseBound      LeaseState = "bound"
	LeaseRenewing   LeaseState = "renewing"
	LeaseRebinding  LeaseState = "rebinding"
)

// LeaseStatus is what a DHCP client reports at each transition and each
// message that it sends.
type LeaseStatus struct {
	State   LeaseState
	Lease   *Lease // valid lease, nil if there is none; never changed after the report
	Lost    bool   // a previous lease or address must not be used any longer: NAK or expiry
	Attempt int    // messages sent in this state, none answered
	Message string // why, when it is not obvious
}

// LeaseRequest says which link a lease is wanted for.
type LeaseRequest struct {
	Link     Link
	Hostname string // sent to the server, option 12; may be empty
	Options  DHCPOptions
	// Previous is a lease that may still be good, to be confirmed. It may
	// hold an address only, if the rest is not known.
	Previous *Lease
	// Renew asks at once for what would be asked for later: a lease that
	// there is is renewed, a message that is waited for is repeated. Nil
	// never does. A channel with capacity 1 is enough; what comes while one
	// is pending may be dropped.
	Renew <-chan struct{}
}

// DHCP obtains leases.
type DHCP interface {
	// Run obtains a lease and keeps it until ctx ends; it never gives up and
	// does not release. Report is called from Run's goroutine. The error is
	// ctx's, or says why the link cannot be used at all.
	Run(ctx context.Context, request LeaseRequest, report func(LeaseStatus)) error
}

// Lease6 is what a DHCPv6 server granted and told (RFC 8415). The numbers in
// comments are option codes.
type Lease6 struct {
	Server    []byte    // 2, the server's DUID
	Addresses []Granted // 5, prefix length 128
	Prefixes  []Granted // 26, delegated
	DNS       []netip.Addr
	Search    []string
	NTP       []netip.Addr

	Acquired time.Time // when the message was sent that was answered
	// T1 and T2 are when it is renewed and rebound, from Acquired; 0 is never.
	// Without addresses and prefixes T1 is option 32, the time until the rest
	// is asked for again.
	T1, T2 time.Duration
}

// Granted is one address or delegated prefix. Lifetimes are from Acquired;
// 0 is for ever.
type Granted struct {
	Prefix           netip.Prefix
	Preferred, Valid time.Duration
}

// Lease6Status is what a DHCPv6 client reports at each transition.
type Lease6Status struct {
	State   LeaseState // init, selecting, requesting, bound, renewing, rebinding; init-reboot is a CONFIRM
	Lease   *Lease6    // valid, nil if there is none; never changed after the report
	Attempt int
	Message string
}

// Lease6Request says which link a lease is wanted for.
type Lease6Request struct {
	Link      Link
	Stateless bool // no addresses, only the rest (INFORMATION-REQUEST)
	Delegate  bool // a prefix is asked for, too
	Hostname  string
	Previous  *Lease6
	// Renew makes the client ask at once instead of when it is time. Nil never
	// does.
	Renew <-chan struct{}
	// Declined takes addresses of the lease that duplicate address detection
	// has found elsewhere: they leave the lease, and the server is told. Nil
	// has none.
	Declined <-chan netip.Addr
}

// DHCP6 obtains DHCPv6 leases.
type DHCP6 interface {
	// Run is like DHCP.Run.
	Run(ctx context.Context, request Lease6Request, report func(Lease6Status)) error
}

// LinkLocal4 finds a free link-local IPv4 address (RFC 3927) and defends it.
type LinkLocal4 interface {
	// Run reports an address when it is claimed and the zero Prefix when it
	// was lost, until ctx ends.
	Run(ctx context.Context, link Link, report func(netip.Prefix)) error
}

// LeaseStore keeps leases over a restart of the machine. A link's id is its
// permanent hardware address. Links that have it from others, as a VLAN has its
// parent's, have their name after it: MAC@NAME.
type LeaseStore interface {
	// Load returns the lease that is kept, nil if there is none that is still
	// good. It does not say when it began; its Duration is what is left of it,
	// 0 for ever.
	Load(id string) *Lease
	// Save keeps a lease; nil forgets it.
	Save(id string, lease *Lease) error
}

// leaseID is the id of a link in a LeaseStore.
func leaseID(l Link) string {
	if l.SharesMAC() {
		return l.MAC + "@" + l.Name
	}
	return cmp.Or(l.PermMAC, l.MAC)
}

// Runner runs the commands of a specification.
type Runner interface {
	// Run runs an argument vector to its end. Its output is logged.
	Run(ctx context.Context, args []string) error
}
