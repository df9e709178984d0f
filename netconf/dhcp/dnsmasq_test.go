package dhcp_test

import (
	"bufio"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp"
	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/netconf/resolv"
	"github.com/pharos-os/pharos/netconf/rtnl"
	osconfig "github.com/pharos-os/pharos/os-config"
)

// server is a dnsmasq on one end of a cable.
type server struct {
	peer *netconftest.Peer
	link string
	dir  string
	cmd  *exec.Cmd
}

// newServer gives the peer's link an address; start starts dnsmasq.
func newServer(t *testing.T, peer *netconftest.Peer, link, address string) *server {
	t.Helper()
	peer.Run(t, "ip", "addr", "add", address, "dev", link)
	s := &server{peer: peer, link: link, dir: t.TempDir()}
	t.Cleanup(s.stop)
	return s
}

// start returns when dnsmasq has bound its DHCP socket.
func (s *server) start(t *testing.T, args ...string) {
	t.Helper()
	common := []string{"--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file=",
		"--bind-interfaces", "--log-facility=-", "--log-dhcp", "--no-ping", "--dhcp-authoritative",
		"--interface=" + s.link, "--except-interface=lo",
		"--dhcp-leasefile=" + filepath.Join(s.dir, "leases")}
	s.cmd = s.peer.Command("dnsmasq", append(common, args...)...)
	out, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "sockets bound exclusively") {
			go func() { // or its pipe fills up
				for lines.Scan() {
				}
			}()
			return
		}
	}
	t.Fatalf("dnsmasq ended: %v", s.cmd.Wait())
}

func (s *server) stop() {
	if s.cmd != nil {
		s.cmd.Process.Signal(syscall.SIGTERM)
		s.cmd.Wait()
		s.cmd = nil
	}
}

// forget ends dnsmasq and its memory of leases.
func (s *server) forget() {
	s.stop()
	os.Remove(filepath.Join(s.dir, "leases"))
}

// machine is everything that rosd has of the network, in a real namespace.
type machine struct {
	*netconf.Manager
	etc  string
	stop func()
}

func boot(t *testing.T, config osconfig.Network) *machine {
	t.Helper()
	kernel, err := rtnl.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	etc := filepath.Join(t.TempDir(), "etc")
	names := resolv.New(etc, func(string) error { return nil })
	m := &machine{etc: etc, Manager: netconf.New(kernel, dhcp.New(dhcp.Options{Log: log}), names, netconf.Options{Log: log})}
	spec, errs := netconf.FromConfig(config)
	if errs != nil {
		t.Fatal(errs)
	}
	m.Apply(spec)
	stop := netconftest.Go(t, m.Run)
	m.stop = sync.OnceFunc(func() {
		stop()
		kernel.Close()
	})
	t.Cleanup(m.stop)
	return m
}

// link returns one link's state and the channel that is closed when it changes.
func (m *machine) link(name string) (netconf.LinkState, <-chan struct{}) {
	s, changed := m.Watch()
	for _, l := range s.Links {
		if l.Name == name {
			return l, changed
		}
	}
	return netconf.LinkState{}, changed
}

// until waits for a link's state.
func (m *machine) until(t *testing.T, name, what string, holds func(netconf.LinkState) bool) netconf.LinkState {
	t.Helper()
	var l netconf.LinkState
	netconftest.Within(t, 20*time.Second, name+": "+what, func() (bool, <-chan struct{}) {
		var changed <-chan struct{}
		l, changed = m.link(name)
		return holds(l), changed
	})
	return l
}

func bound(l netconf.LinkState) bool {
	return l.Lease != nil && l.LeaseState == netconf.LeaseBound && l.Has(l.Lease.Address)
}

func dhcpOn(keys ...string) osconfig.Network {
	yes := true
	c := osconfig.Network{Interfaces: map[string]osconfig.Interface{}}
	for _, k := range keys {
		c.Interfaces[k] = osconfig.Interface{DHCP: &yes}
	}
	return c
}
