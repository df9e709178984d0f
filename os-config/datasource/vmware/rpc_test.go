package vmware

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// machine is the hypervisor's side of the protocol: one channel at a time.
type machine struct {
	values map[string]string
	broken int // this many channels are lost while the reply is read

	open    bool
	size    int
	command []byte
	reply   []byte
	opened  int
}

const (
	channelID = 3 << 16
	cookieSI  = 0x1111_2222
	cookieDI  = 0x3333_4444
)

func (m *machine) call(r *registers) error {
	kind := r.CX & 0xffff_0000
	good := r.AX == magic && r.CX&0xffff == message && r.DX&0xffff == portNumber
	if kind != open {
		good = good && m.open && r.DX&0xffff_0000 == channelID && r.SI == cookieSI && r.DI == cookieDI
	}
	r.CX = 0
	if !good {
		return nil
	}
	status := uint32(statusWell)
	switch kind {
	case open:
		good = r.BX == rpci|cookie && !m.open
		*m = machine{values: m.values, broken: m.broken, open: true, opened: m.opened + 1}
		r.DX, r.SI, r.DI = channelID|portNumber, cookieSI, cookieDI
	case sendSize:
		m.size = int(r.BX)
		m.run()
	case sendData:
		m.command = binary.LittleEndian.AppendUint32(m.command, r.BX)
		m.run()
	case receiveSize:
		if m.reply != nil {
			status |= statusReply
			r.BX, r.DX = uint32(len(m.reply)), sendSize|portNumber
		}
	case receiveData:
		if m.broken > 0 {
			m.broken--
			good = false
		}
		var four [4]byte
		m.reply = m.reply[copy(four[:], m.reply):]
		r.BX, r.DX = binary.LittleEndian.Uint32(four[:]), sendData|portNumber
	case receiveStatus:
		good = r.BX == statusWell && len(m.reply) == 0
	case closeChannel:
		m.open = false
	}
	if good {
		r.CX = status << 16
	}
	return nil
}

// run carries out a command that has arrived whole.
func (m *machine) run() {
	if len(m.command) < m.size {
		return
	}
	key, ok := strings.CutPrefix(string(m.command[:m.size]), "info-get guestinfo.")
	value, set := m.values[key]
	switch {
	case !ok:
		m.reply = []byte("0 Unknown command")
	case !set:
		m.reply = []byte("0 No value found")
	default:
		m.reply = []byte("1 " + value)
	}
}

func TestRPC(t *testing.T) {
	long := strings.Repeat("0123456789abcde", 10_000)
	m := &machine{values: map[string]string{"hostname": "web-1", "userdata": long, "empty": ""}, broken: 2}
	for key, want := range map[string]string{"hostname": "web-1", "userdata": long, "empty": "", "unset": ""} {
		got, err := guestinfo(m.call, key)
		if err != nil || got != want {
			t.Errorf("%s: %d bytes, %v", key, len(got), err)
		}
		if m.open {
			t.Errorf("%s: the channel stays open", key)
		}
	}
	m.broken = 1000
	if _, err := guestinfo(m.call, "hostname"); !errors.Is(err, errRefused) {
		t.Errorf("%v", err)
	}
	if m.open || m.opened < 7 {
		t.Errorf("open: %t, opened %d times", m.open, m.opened)
	}
}

func TestRPCBounds(t *testing.T) {
	calls := 0
	endless := func(r *registers) error {
		calls++
		r.BX, r.CX, r.DX = 0xffff_ffff, (statusWell|statusReply)<<16, sendSize
		return nil
	}
	if _, err := guestinfo(endless, "x"); err == nil || calls > 100 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestBackdoorElsewhere: where there is no VMware, the instruction is not
// tried; where it faults all the same, that is an error.
func TestBackdoorElsewhere(t *testing.T) {
	if onVMware() {
		t.Skip("needs a machine that is no guest of VMware")
	}
	if _, err := New(imds.Options{}).Fetch(t.Context()); !errors.Is(err, datasource.ErrNotFound) {
		t.Errorf("%v", err)
	}
	const version = 10 // harmless where some hypervisor does answer
	r := registers{AX: magic, BX: ^uint32(magic), CX: version, DX: portNumber}
	if err := backdoor(&r); !errors.Is(err, errFault) && r.BX != magic {
		t.Errorf("%v, %x", err, r)
	}
}
