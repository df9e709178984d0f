package vmtest

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testJumbo sends frames of 9000 bytes that nobody may cut into pieces.
func testJumbo(t *testing.T, g *guest) {
	g.prints(t, [][2]string{
		{"cat /sys/class/net/jumbo0/mtu", "9000"},
		{"ping -c 3 -W 5 -M do -s 8972 10.31.0.1", " 0% packet loss"}, // and 28 bytes of headers
	})
	if r := g.try(t, "ping -c 1 -W 2 -M do -s 8973 10.31.0.1"); r.Code == 0 {
		t.Errorf("a packet of 9001 bytes passes a link of 9000:\n%s", r.Stdout)
	}
	if err := pingWhole(t.Context(), "10.31.0.2", 8972); err != nil {
		t.Errorf("from the lab: %v", err)
	}
	if err := pingWhole(t.Context(), "10.31.0.2", 8973); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("a packet of 9001 bytes from the lab: %v, want that it is too long", err)
	}
}

// pingWhole sends ICMP echoes (RFC 792) with so many bytes of data and "don't
// fragment", until one is answered in full or ten have not been.
func pingWhole(ctx context.Context, address string, size int) error {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
		})
		return errors.Join(failed, err)
	}}
	conn, err := config.ListenPacket(ctx, "ip4:icmp", "0.0.0.0")
	if err != nil {
		return err
	}
	defer conn.Close()
	const header, echo, reply = 8, 8, 0
	packet := make([]byte, header+size)
	packet[0] = echo
	binary.BigEndian.PutUint16(packet[4:], 0x7068) // identifier
	binary.BigEndian.PutUint16(packet[2:], ^sum16(packet))
	answer := make([]byte, 65536)
	for range 10 {
		if _, err := conn.WriteTo(packet, &net.IPAddr{IP: net.ParseIP(address)}); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(3 * time.Second)); err != nil {
			return err
		}
		for {
			n, from, err := conn.ReadFrom(answer)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return err
			}
			if from.String() == address && n == len(packet) && answer[0] == reply && binary.BigEndian.Uint16(answer[4:]) == 0x7068 {
				return nil
			}
		}
	}
	return os.ErrDeadlineExceeded
}

// sum16 is the sum of RFC 1071.
func sum16(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
