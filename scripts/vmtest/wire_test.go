package vmtest

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wire is what lies between two taps of the test's namespace. The kernels on
// which the tests run have no netem and no VLANs; a program that carries
// frames needs neither.
type wire struct {
	delay time.Duration // of each frame
	loss  float64       // part of the frames that is lost, 0 to 1
	vlan  uint16        // not 0: near is a trunk, far has the frames of this VLAN without their tags
}

// lay makes the taps and carries frames until the test ends.
func (w wire) lay(t *testing.T, near, far string) {
	t.Helper()
	a, b := openTap(t, near), openTap(t, far)
	go w.carry(a, b, w.untag, rand.New(rand.NewPCG(1, 1)))
	go w.carry(b, a, w.tag, rand.New(rand.NewPCG(2, 2)))
}

// queue is how many frames may be on their way; more are lost.
const queue = 4096

type inFlight struct {
	frame []byte
	due   time.Time
}

func (w wire) carry(from, to *os.File, change func([]byte) []byte, dice *rand.Rand) {
	flight := make(chan inFlight, queue)
	go func() {
		for f := range flight {
			<-time.After(time.Until(f.due))
			to.Write(f.frame) // a tap that is down refuses: lost
		}
	}()
	defer close(flight)
	buffer := make([]byte, 65536)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return // closed by the test's end
		}
		frame := change(buffer[:n])
		if frame == nil || dice.Float64() < w.loss {
			continue
		}
		select {
		case flight <- inFlight{append([]byte(nil), frame...), time.Now().Add(w.delay)}:
		default:
		}
	}
}

const (
	macs     = 12 // bytes of both addresses of a frame
	tagBytes = 4  // IEEE 802.1Q
	tagType  = 0x8100
)

// untag returns the frame without its tag, nil if it is not of the VLAN.
func (w wire) untag(frame []byte) []byte {
	if w.vlan == 0 {
		return frame
	}
	if len(frame) < macs+tagBytes || binary.BigEndian.Uint16(frame[macs:]) != tagType ||
		binary.BigEndian.Uint16(frame[macs+2:])&0xfff != w.vlan {
		return nil
	}
	return append(append([]byte(nil), frame[:macs]...), frame[macs+tagBytes:]...)
}

func (w wire) tag(frame []byte) []byte {
	if w.vlan == 0 || len(frame) < macs {
		return frame
	}
	out := append([]byte(nil), frame[:macs]...)
	out = binary.BigEndian.AppendUint16(out, tagType)
	out = binary.BigEndian.AppendUint16(out, w.vlan)
	return append(out, frame[macs:]...)
}

// openTap makes a tap that the test itself reads and writes.
func openTap(t *testing.T, name string) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatalf("tap %s: %v", name, err)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatalf("tap %s: %v", name, err)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		t.Fatalf("tap %s: %v", name, err)
	}
	file := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { file.Close() })
	return file
}

func TestWireTags(t *testing.T) {
	w := wire{vlan: 42}
	frame := []byte("ddddddssssss\x08\x00payload")
	tagged := w.tag(frame)
	if want := "ddddddssssss\x81\x00\x00\x2a\x08\x00payload"; string(tagged) != want {
		t.Errorf("tagged: %q, want %q", tagged, want)
	}
	if got := w.untag(tagged); string(got) != string(frame) {
		t.Errorf("without its tag again: %q, want %q", got, frame)
	}
	for name, other := range map[string][]byte{"untagged": frame, "of another VLAN": wire{vlan: 43}.tag(frame), "short": []byte("short")} {
		if got := w.untag(other); got != nil {
			t.Errorf("a frame that is %s passed: %q", name, got)
		}
	}
}
