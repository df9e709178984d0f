package firewall_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf/firewall"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// The far ends of cables run this test binary as a helper: it dials what
// dialList names and prints what answered, serves on serveAt, or sends an ICMP
// echo request.
const (
	dialList = "PHAROS_FIREWALL_DIAL"
	serveAt  = "PHAROS_FIREWALL_SERVE"
)

var pingTo = flag.String("ping", "", "address that the helper sends an echo request to")

const (
	// patience is how long a silently dropped packet is waited for.
	patience = 700 * time.Millisecond
	// patientTries is how often an answer that has to come is asked for again:
	// a busy machine loses packets, and neighbours are looked for once a second.
	patientTries = 15
)

func TestHelper(t *testing.T) {
	switch {
	case *pingTo != "":
		if err := ping(*pingTo); err != nil {
			t.Fatal(err)
		}
	case os.Getenv(serveAt) != "":
		serve(t, "tcp", os.Getenv(serveAt))
		fmt.Println("serving")
		select {} // ends with the peer that it runs in
	case os.Getenv(dialList) != "":
		type answer struct{ Target, Got string }
		answers := make(chan answer)
		targets := strings.Fields(os.Getenv(dialList))
		for _, target := range targets {
			go func() {
				if patient, ok := strings.CutPrefix(target, "+"); ok {
					answers <- answer{patient, askPatiently(patient)}
				} else {
					answers <- answer{target, ask(target)}
				}
			}()
		}
		got := map[string]string{}
		for range targets {
			a := <-answers
			got[a.Target] = a.Got
		}
		if err := json.NewEncoder(os.Stdout).Encode(got); err != nil {
			t.Fatal(err)
		}
	}
}

// ping sends an echo request and waits for the answer.
func ping(address string) error {
	// The identifier makes it a flow of its own: another's answers are let in.
	id := uint16(os.Getpid()&0x3fff + 1)
	sum := ^(0x0800 + id) // RFC 792; of ICMPv6 the kernel makes it
	network, message := "ip4:icmp", []byte{8, 0, byte(sum >> 8), byte(sum), byte(id >> 8), byte(id), 0, 0}
	if strings.Contains(address, ":") {
		network, message[0] = "ip6:ipv6-icmp", 128
	}
	to, err := net.ResolveIPAddr("ip", address)
	if err != nil {
		return err
	}
	c, err := net.DialIP(network, nil, to)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		return err
	}
	if _, err := c.Write(message); err != nil {
		return err
	}
	answer := make([]byte, 1500)
	for {
		n, _, err := c.ReadFromIP(answer) // without the IP header, unlike Read
		if err != nil {
			return err
		}
		if n > 0 && (answer[0] == 0 || answer[0] == 129) { // echo reply, not a neighbour's word
			return nil
		}
	}
}

// askPatiently asks until there is an answer.
func askPatiently(target string) string {
	got := ask(target)
	for try := 0; got != "answer" && try < patientTries; try++ {
		got = ask(target)
	}
	return got
}

// ask sends to NETWORK!ADDRESS, from PORT with <PORT behind it, and says
// whether there was an answer.
func ask(target string) string {
	network, address, _ := strings.Cut(target, "!")
	address, port, bound := strings.Cut(address, "<")
	d := net.Dialer{Timeout: patience}
	if bound {
		n, err := strconv.Atoi(port)
		if err != nil {
			return err.Error()
		}
		d.LocalAddr = &net.UDPAddr{Port: n}
		d.Control = func(_, _ string, c syscall.RawConn) (failed error) {
			err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
			return errors.Join(err, failed)
		}
	}
	c, err := d.Dial(network, address)
	if err != nil {
		return "silent"
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err.Error()
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		return err.Error()
	}
	if _, err := c.Read(make([]byte, 5)); err != nil {
		return "silent"
	}
	return "answer"
}

// serve answers everything that comes.
func serve(t *testing.T, network, address string) {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			buf := make([]byte, 64)
			for {
				n, from, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				_, _ = c.WriteTo(buf[:n], from)
			}
		}()
		return
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("hello"))
			c.Close()
		}
	}()
}

// answerFrom makes the peer answer TCP connections.
func answerFrom(t *testing.T, peer *netconftest.Peer, address string) {
	t.Helper()
	server := peer.Command(os.Args[0], "-test.run=^TestHelper$")
	server.Env = append(os.Environ(), serveAt+"="+address)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	if _, err := out.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
}

// check asks all targets from the peer's side and compares the answers.
func check(t *testing.T, what string, peer *netconftest.Peer, want map[string]string) {
	t.Helper()
	var targets []string
	for target, answer := range want {
		if answer == "answer" {
			target = "+" + target // it has to come: patiently
		}
		targets = append(targets, target)
	}
	cmd := peer.Command(os.Args[0], "-test.run=^TestHelper$")
	cmd.Env = append(os.Environ(), dialList+"="+strings.Join(targets, " "))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("dial: %v\n%s", err, out)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	var got map[string]string
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("dial: %v\n%s", err, out)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// cable connects the test's namespace with the peer's: 10.N.0.1 and fd00:N::1
// here, .2 there.
func cable(t *testing.T, peer *netconftest.Peer, name string, n int) {
	t.Helper()
	peer.Cable(t, name, "far"+name)
	netconftest.Run(t, "ip", "link", "set", name, "up")
	netconftest.Run(t, "ip", "addr", "add", fmt.Sprintf("10.%d.0.1/24", n), "dev", name)
	netconftest.Run(t, "ip", "addr", "add", fmt.Sprintf("fd00:%d::1/64", n), "dev", name, "nodad")
	peer.Run(t, "ip", "addr", "add", fmt.Sprintf("10.%d.0.2/24", n), "dev", "far"+name)
	peer.Run(t, "ip", "addr", "add", fmt.Sprintf("fd00:%d::2/64", n), "dev", "far"+name, "nodad")
	// A link takes a moment to carry its first neighbour solicitation; the
	// next comes a second later. Rules are what silence has to come from.
	for try := 0; ; try++ {
		out, err := peer.Command(os.Args[0], "-test.run=^TestHelper$", "-ping="+fmt.Sprintf("fd00:%d::1", n)).CombinedOutput()
		if err == nil {
			return
		}
		if try == 20 {
			t.Fatalf("no IPv6 between the namespaces: %s", out)
		}
	}
}

func apply(t *testing.T, spec firewall.Spec) {
	t.Helper()
	if err := firewall.Apply(spec); err != nil {
		t.Fatal(err)
	}
	if left, err := firewall.Plan(spec); err != nil || left != nil {
		t.Fatalf("after Apply, Plan still says %q, %v", left, err)
	}
}

// generation is every rule by the number that the kernel gave it.
func generation(t *testing.T) string {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	for _, c := range chains {
		fmt.Fprintf(&s, "%s/%s;", c.Table.Name, c.Name)
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			fmt.Fprintf(&s, " %d", r.Handle) // never used twice
		}
	}
	return s.String()
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
