package dhcp_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"

	"github.com/pharos-os/pharos/netconf/netconftest"
)

// serve is set in the environment of the process that is a DHCP server on the
// link that it names; dnsmasq has no leases under two minutes.
const serve = "PHAROS_TEST_DHCP_SERVER"

func TestMain(m *testing.M) {
	link := os.Getenv(serve)
	if link == "" {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, shortServer(link))
	os.Exit(1)
}

// behaviour is what a server does. It comes as a line of JSON.
type behaviour struct {
	Server string // its identifier
	Give   string // the address; empty: says nothing
	Lease  int    // seconds
	Refuse bool   // what is asked for and is not Give
}

// shortServer serves until its standard input ends. It prints "ok" for each
// behaviour that it has taken and a line for each message.
func shortServer(link string) error {
	var mu sync.Mutex
	var now behaviour
	s, err := server4.NewServer(link, &net.UDPAddr{IP: net.IPv4zero, Port: 67}, func(conn net.PacketConn, peer net.Addr, p *dhcpv4.DHCPv4) {
		mu.Lock()
		defer mu.Unlock()
		how := "unicast"
		if peer.(*net.UDPAddr).IP.Equal(net.IPv4bcast) { // how the library writes 0.0.0.0, so that answers arrive
			how = "broadcast"
		}
		fmt.Println(p.MessageType(), p.RequestedIPAddress(), how)
		r := now.answer(p)
		if r == nil {
			return
		}
		if _, err := conn.WriteTo(r.ToBytes(), peer); err != nil {
			fmt.Println("send:", err)
		}
	})
	if err != nil {
		return err
	}
	go func() {
		defer s.Close()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			mu.Lock()
			err := json.Unmarshal(lines.Bytes(), &now)
			mu.Unlock()
			fmt.Println("ok", err)
		}
	}()
	return s.Serve()
}

func (b behaviour) answer(p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	if b.Give == "" || p.MessageType() == dhcpv4.MessageTypeDecline {
		return nil
	}
	give, self := net.ParseIP(b.Give).To4(), net.ParseIP(b.Server).To4()
	modify := []dhcpv4.Modifier{
		dhcpv4.WithYourIP(give), dhcpv4.WithNetmask([]byte{255, 255, 255, 0}),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(self)), dhcpv4.WithLeaseTime(uint32(b.Lease)),
	}
	asked := p.RequestedIPAddress()
	if asked == nil {
		asked = p.ClientIPAddr
	}
	switch {
	case p.MessageType() == dhcpv4.MessageTypeDiscover:
		return reply(p, dhcpv4.MessageTypeOffer, modify...)
	case p.MessageType() == dhcpv4.MessageTypeRequest && asked.Equal(give):
		return reply(p, dhcpv4.MessageTypeAck, modify...)
	case b.Refuse:
		return reply(p, dhcpv4.MessageTypeNak, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(self)), dhcpv4.WithYourIP(net.IPv4zero.To4()))
	}
	return nil
}

// short is such a server in the peer's namespace.
type short struct {
	cmd   *exec.Cmd
	send  *json.Encoder
	lines chan string
}

func startShort(t *testing.T, peer *netconftest.Peer, link string, address netip.Prefix) *short {
	t.Helper()
	peer.Run(t, "ip", "addr", "add", address.String(), "dev", link)
	s := &short{cmd: peer.Command(os.Args[0]), lines: make(chan string, 1000)}
	s.cmd.Env = append(os.Environ(), serve+"="+link)
	s.cmd.Stderr = os.Stderr
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	s.send = json.NewEncoder(in)
	go func() {
		defer close(s.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.lines <- lines.Text()
		}
	}()
	return s
}

// behave returns when the server does as it is told. What it has heard until
// then comes back.
func (s *short) behave(t *testing.T, b behaviour) []string {
	t.Helper()
	if err := s.send.Encode(b); err != nil {
		t.Fatal(err)
	}
	return s.until(t, "ok ")
}

// until reads what the server has heard, to the first line that begins so.
func (s *short) until(t *testing.T, prefix string) (heard []string) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for {
		select {
		case line, open := <-s.lines:
			if !open {
				t.Fatal("the server has ended")
			}
			heard = append(heard, line)
			if strings.HasPrefix(line, prefix) {
				return slices.Clip(heard)
			}
		case <-limit.C:
			t.Fatalf("the server has not heard %q, but %q", prefix, heard)
		}
	}
}
