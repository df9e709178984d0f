package swarm

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestEstablished(t *testing.T) {
	const tables = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00500A:C350 0100500A:0949 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 20 4 0 10 -1
   1: 0B00500A:C351 0200500A:0949 02 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 20 4 0 10 -1
   2: 0000000000000000FFFF00000B00500A:C352 0000000000000000FFFF00000300500A:0949 01 00000000:00000000 00:00000000
   3: 000080FE00000000000000000B000000:C352 000000FD000000000000000005000000:0949 01 00000000:00000000 00:00000000
   4: broken
`
	for address, want := range map[string]bool{
		"10.80.0.1:2377": true, "10.80.0.1:2378": false, "10.80.0.2:2377": false, "10.80.0.3:2377": true, "[fd00::5]:2377": true,
	} {
		if got := established(strings.NewReader(tables), []netip.AddrPort{netip.MustParseAddrPort(address)}); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestConnected(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	if connected([]string{address, "manager.lan:2377"}) {
		t.Error("connected before")
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if !connected([]string{address}) {
		t.Error("not connected")
	}
}
