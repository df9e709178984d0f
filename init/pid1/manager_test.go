package pid1

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/linux"
)

func TestParseMessage(t *testing.T) {
	for _, c := range []struct {
		line string
		want Message
		ok   bool
	}{
		{"alive", Message{Alive: true}, true},
		{"done poweroff", Message{Done: linux.Poweroff}, true},
		{"done halt\r", Message{Done: linux.Halt}, true},
		{"deadline 30", Message{Deadline: 30 * time.Second}, true},
		{"deadline 99999", Message{Deadline: longestShutdown}, true},
		{"deadline 70 halt", Message{Deadline: 70 * time.Second, Action: linux.Halt}, true},
		{"deadline 70 soon", Message{}, false},
		{"deadline -1", Message{}, false},
		{"deadline", Message{}, false},
		{"done", Message{}, false},
		{"done party", Message{}, false},
		{"", Message{}, false},
		{"shutdown poweroff", Message{}, false},
	} {
		got, err := ParseMessage(c.line)
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != c.ok {
			t.Errorf("%q: err %v %s", c.line, err, diff)
		}
	}
}

func TestTail(t *testing.T) {
	var quiet, panicked tail
	for i := range 50 {
		quiet.add(fmt.Sprint(i))
		panicked.add(fmt.Sprint(i))
	}
	panicked.add("panic: boom")
	for range 50 {
		panicked.add("goroutine")
	}
	if got := quiet.lines(); len(got) != tailLines || got[0] != "30" || got[19] != "49" {
		t.Errorf("last lines: %q", got)
	}
	if got := panicked.lines(); len(got) != tailLines || got[0] != "panic: boom" {
		t.Errorf("lines of a panic: %q", got)
	}
}

func TestCopyOutput(t *testing.T) {
	var log bytes.Buffer
	copyOutput(newPipe(t, "one\n"+strings.Repeat("x", 5000)+"\nlast"), &log, "rosd", &tail{})
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if lines[0] != "<6>rosd: one" || lines[len(lines)-1] != "<6>rosd: last" {
		t.Errorf("log = %q … %q", lines[0], lines[len(lines)-1])
	}
	for _, l := range lines {
		if len(l) > 1000 {
			t.Errorf("record of %d bytes", len(l))
		}
	}
}

func TestReadButton(t *testing.T) {
	var stream bytes.Buffer
	event := func(kind, code uint16, value uint32) {
		b := make([]byte, 24)
		binary.NativeEndian.PutUint16(b[16:], kind)
		binary.NativeEndian.PutUint16(b[18:], code)
		binary.NativeEndian.PutUint32(b[20:], value)
		stream.Write(b)
	}
	pressed := make(chan struct{}, 1)
	event(1, 30, 1)  // another key
	event(1, 116, 0) // power released
	event(0, 0, 0)
	if err := readButton(&stream, pressed); err != io.EOF || len(pressed) != 0 {
		t.Errorf("err %v, %d presses of none", err, len(pressed))
	}
	event(1, 116, 1)
	event(1, 116, 1)
	readButton(&stream, pressed)
	if len(pressed) != 1 {
		t.Error("press not seen")
	}
}
