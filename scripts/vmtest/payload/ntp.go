package main

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"time"
)

// ntpAhead is how far the clock of the time server is ahead: nobody gets there
// by chance.
const ntpAhead = 1000 * time.Second

// ntp is a time server (RFC 5905, the parts that a client looks at) of stratum
// 1 on the loopback interface whose clock is ntpAhead. It returns when ctx ends.
func ntp(ctx context.Context, log *slog.Logger) error {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:123")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	buf := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if n < 48 {
			continue
		}
		if _, err := conn.WriteTo(ntpAnswer(buf[:48], time.Now().Add(ntpAhead)), from); err != nil {
			log.Info("answer", "error", err)
		}
	}
}

// ntpAnswer is the reply to a client's 48 bytes at the time now.
func ntpAnswer(request []byte, now time.Time) []byte {
	const (
		noLeapVersion4Server = 0<<6 | 4<<3 | 4
		since1900            = 2208988800 // seconds from NTP's epoch to Unix's
	)
	a := make([]byte, 48)
	a[0], a[1], a[2], a[3] = noLeapVersion4Server, 1, request[2], 0xec // stratum 1; precision 2^-20 s
	copy(a[12:16], "GPS\x00")
	stamp := func(at int) {
		binary.BigEndian.PutUint32(a[at:], uint32(now.Unix()+since1900))
		binary.BigEndian.PutUint32(a[at+4:], uint32(uint64(now.Nanosecond())<<32/1e9))
	}
	stamp(16)                      // reference
	copy(a[24:32], request[40:48]) // originate: the client's transmit time
	stamp(32)                      // receive
	stamp(40)                      // transmit
	return a
}
