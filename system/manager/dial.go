package manager

import (
	"context"
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// linkDialer connects to a link-local address by several links at once and
// takes the first that gets there. A routing table knows one way to
// 169.254.0.0/16, and a machine whose second link is the public one would
// take the wrong one.
type linkDialer struct {
	links func() []string // names of those that can be used now
	dial  func(ctx context.Context, network, address, link string) (net.Conn, error)
}

// DialContext is net.Dialer's.
func (d linkDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	links := []string{""}
	if isLinkLocal(address) {
		if links = d.links(); len(links) < 2 {
			links = []string{""} // the routing table's only choice
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type attempt struct {
		conn net.Conn
		err  error
	}
	attempts := make(chan attempt, len(links))
	for _, link := range links {
		go func() {
			conn, err := d.dial(ctx, network, address, link)
			attempts <- attempt{conn, err}
		}()
	}
	var failed error
	for i := range links {
		a := <-attempts
		if a.err != nil {
			failed = errors.Join(failed, a.err)
			continue
		}
		cancel()
		go func() { // the others are on their way still
			for range len(links) - i - 1 {
				if late := <-attempts; late.conn != nil {
					late.conn.Close() //nolint:errcheck // nothing was said on it
				}
			}
		}()
		return a.conn, nil
	}
	return nil, failed
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
