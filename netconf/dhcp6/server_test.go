package dhcp6_test

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp6"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// dnsmasq runs a real server on srv0, the far end of eth0, which has
// 2001:db8::1. It returns when the server listens; stop ends it.
func dnsmasq(t *testing.T, peer *netconftest.Peer, dir string, args ...string) (stop func()) {
	t.Helper()
	common := []string{"--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file=",
		"--bind-interfaces", "--log-facility=-", "--log-dhcp", "--dhcp-authoritative", "--interface=srv0", "--except-interface=lo",
		"--dhcp-leasefile=" + filepath.Join(dir, "leases"), "--dhcp-duid=1,010203"}
	cmd := peer.Command("dnsmasq", append(common, args...)...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	t.Cleanup(stop)
	drain(t, cmd, out)
	return stop
}

// drain waits for the line that says that dnsmasq is ready.
func drain(t *testing.T, cmd *exec.Cmd, out interface{ Read([]byte) (int, error) }) {
	t.Helper()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		t.Log(lines.Text())
		if strings.Contains(lines.Text(), "sockets bound exclusively") || strings.Contains(lines.Text(), "DHCPv6, IP range") ||
			strings.Contains(lines.Text(), "DHCPv6 stateless on") {
			go func() { // or its pipe fills up
				for lines.Scan() {
				}
			}()
			return
		}
	}
	t.Fatalf("dnsmasq ended: %v", cmd.Wait())
}

// cable makes eth0, up, with its far end srv0 in another namespace.
func cable(t *testing.T) *netconftest.Peer {
	t.Helper()
	peer := netconftest.NewPeer(t)
	peer.Cable(t, "eth0", "srv0")
	netconftest.Run(t, "ip", "link", "set", "eth0", "up")
	return peer
}

// lessee is a client on eth0 with a real socket.
type lessee struct {
	reports  chan netconf.Lease6Status
	renew    chan struct{}
	declined chan netip.Addr
	stop     func()
}

func run(t *testing.T, request netconf.Lease6Request) *lessee {
	t.Helper()
	l := &lessee{reports: make(chan netconf.Lease6Status, 1000), renew: make(chan struct{}), declined: make(chan netip.Addr)}
	request.Link = netconftest.Link(t, "eth0")
	request.Renew, request.Declined = l.renew, l.declined
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	l.stop = netconftest.Go(t, func(ctx context.Context) error {
		return dhcp6.New(dhcp6.Options{Log: log}).Run(ctx, request, func(s netconf.Lease6Status) { l.reports <- s })
	})
	return l
}

// until waits for a report.
func (l *lessee) until(t *testing.T, what string, holds func(netconf.Lease6Status) bool) netconf.Lease6Status {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case s := <-l.reports:
			t.Logf("%s %d %q %+v", s.State, s.Attempt, s.Message, s.Lease)
			if holds(s) {
				return s
			}
		case <-deadline.C:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func isBound(s netconf.Lease6Status) bool { return s.State == netconf.LeaseBound && s.Lease != nil }

// delegating is a small server for what dnsmasq does not do: prefixes, and
// lifetimes of seconds. It is on eth0's other end in the same namespace; eth0
// has the hardware address that na and pd are made for.
type delegating struct {
	conn   *net.UDPConn
	mu     sync.Mutex
	answer answer
	log    []string
}

func newDelegating(t *testing.T, a answer) *delegating {
	t.Helper()
	netconftest.Run(t, "ip", "link", "add", "eth0", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "srv0")
	// The server answers at once, or the number of messages would be open.
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/srv0/accept_dad", []byte("0"), 0o644); err != nil {
		t.Fatal(err)
	}
	netconftest.Run(t, "ip", "link", "set", "srv0", "up")
	netconftest.Run(t, "ip", "link", "set", "eth0", "up")
	nic, err := net.InterfaceByName("srv0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenMulticastUDP("udp6", nic, &net.UDPAddr{IP: net.ParseIP("ff02::1:2"), Port: 547})
	if err != nil {
		t.Fatal(err)
	}
	s := &delegating{conn: conn, answer: a}
	t.Cleanup(func() { conn.Close() })
	go s.serve()
	return s
}

func (s *delegating) serve() {
	buffer := make([]byte, 2000)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		p, err := dhcpv6.MessageFromBytes(buffer[:n])
		if err != nil {
			continue
		}
		s.mu.Lock()
		s.log = append(s.log, p.MessageType.String())
		for _, b := range s.answer(p) {
			s.conn.WriteToUDPAddrPort(b, from)
		}
		s.mu.Unlock()
	}
}

func (s *delegating) set(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = a
}

// take returns what came since the last time.
func (s *delegating) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}
