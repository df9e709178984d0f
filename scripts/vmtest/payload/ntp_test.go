package main

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

func TestNTPAnswer(t *testing.T) {
	request := bytes.Repeat([]byte{7}, 48)
	now := time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.UTC)
	a := ntpAnswer(request, now)
	if len(a) != 48 || a[0] != 0x24 || a[1] != 1 || !bytes.Equal(a[24:32], request[40:48]) {
		t.Errorf("answer % x", a)
	}
	if s, f := binary.BigEndian.Uint32(a[40:]), binary.BigEndian.Uint32(a[44:]); s != 3976311845 || f != 1<<31 {
		t.Errorf("transmit time %d.%d", s, f)
	}
}
