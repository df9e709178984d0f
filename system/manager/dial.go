package manager

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// linkDialer connects to a link-local address by all links at once and takes
// the first that gets there. A routing table knows one way to 169.254.0.0/16,
// and a machine whose second link is the public one would take the wrong one.
type linkDialer struct {
	links func() []string // names of those that can be used now
	dial  func(ctx context.Context, network, address, link string) (net.Conn, error)
	every time.Duration // how often it looks for further links
}

var errNoLink = errors.New("no link has an IPv4 address yet")

// attempt is one connection by one link.
type attempt struct {
	conn net.Conn
	err  error
}

// DialContext is net.Dialer's.
func (d linkDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !isLinkLocal(address) {
		return d.dial(ctx, network, address, "")
	}
	dialing, cancel := context.WithCancel(ctx)
	defer cancel()
	attempts := make(chan attempt)
	tried, running := map[string]bool{}, 0
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	failed := errNoLink
	for {
		for _, link := range d.links() {
			if !tried[link] {
				tried[link], running = true, running+1
				go func() {
					conn, err := d.dial(dialing, network, address, link)
					attempts <- attempt{conn, err}
				}()
			}
		}
		select {
		case a := <-attempts:
			running--
			if a.err == nil {
				go drain(attempts, running)
				return a.conn, nil
			}
			if failed = a.err; running == 0 {
				return nil, failed
			}
		case <-tick.C: // a link may have come up that is the right one
		case <-ctx.Done():
			go drain(attempts, running)
			return nil, fmt.Errorf("%w: %w", failed, ctx.Err())
		}
	}
}

// drain ends connections that came too late.
func drain(attempts <-chan attempt, n int) {
	for range n {
		if a := <-attempts; a.conn != nil {
			a.conn.Close() //nolint:errcheck // nothing was said on it
		}
	}
}

// dialBy connects by a link; "" leaves it to the routing table.
func dialBy(ctx context.Context, network, address, link string) (net.Conn, error) {
	var d net.Dialer
	if link != "" {
		d.Control = func(_, _ string, c syscall.RawConn) error {
			var bound error
			err := c.Control(func(fd uintptr) {
				bound = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, link)
			})
			return errors.Join(err, bound)
		}
	}
	return d.DialContext(ctx, network, address)
}

// newIMDS is how metadata services are asked: by every link at once. Which of
// several leads to the service is not known before it has said so.
func newIMDS(o imds.Options, links func() []string) imds.Options {
	d := linkDialer{links: links, dial: dialBy, every: 100 * time.Millisecond}
	o.HTTP = &http.Client{Transport: &http.Transport{
		DialContext: d.DialContext, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 10 * time.Second,
	}}
	return o
}

// upLinks are the links with an IPv4 address.
func (m *Manager) upLinks() []string {
	var names []string
	for _, l := range m.net.State().Links {
		has := slices.ContainsFunc(l.Addresses, func(a netconf.Address) bool { return a.Prefix.Addr().Is4() })
		if !l.Loopback && l.Carrier && has {
			names = append(names, l.Name)
		}
	}
	return names
}

// isLinkLocal says whether HOST:PORT is on the link itself.
func isLinkLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && strings.HasPrefix(host, "169.254.")
}
