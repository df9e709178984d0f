package pid1

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/pharos-os/pharos/system/linux"
)

// Devices watches for the two kinds of device that PID 1 cares about.
type Devices struct {
	Log      *slog.Logger
	Sys      string          // /sys
	Dev      string          // /dev
	Button   chan<- struct{} // gets a token when a power button is pressed
	Watchdog chan<- struct{} // gets one when a watchdog device appears
}

// Run looks at the devices that are there and at those that come, until ctx
// ends.
func (d *Devices) Run(ctx context.Context) error {
	uevents, err := linux.ListenUevents()
	if err != nil {
		return err
	}
	events := make(chan linux.Uevent, 64)
	stopped := make(chan error, 1)
	go func() { stopped <- uevents.Run(ctx, events) }()
	d.scan(ctx)
	for {
		select {
		case err := <-stopped:
			return err
		case e := <-events:
			switch {
			case len(e) == 0:
				d.scan(ctx)
			case e["ACTION"] != "add":
			case e["SUBSYSTEM"] == "input" && strings.HasPrefix(e["DEVNAME"], "input/event"):
				d.input(ctx, filepath.Base(e["DEVNAME"]))
			case e["DEVNAME"] == "watchdog":
				notify(d.Watchdog)
			}
		}
	}
}

func (d *Devices) scan(ctx context.Context) {
	names, _ := filepath.Glob(filepath.Join(d.Sys, "class/input/event*")) // the pattern is well-formed
	for _, name := range names {
		d.input(ctx, filepath.Base(name))
	}
	notify(d.Watchdog)
}

// input starts to read the event device if it is a power button. Two readers
// of one device do no harm: a shutdown is asked for once.
func (d *Devices) input(ctx context.Context, event string) {
	name, err := os.ReadFile(filepath.Join(d.Sys, "class/input", event, "device/name"))
	if err != nil || strings.TrimSpace(string(name)) != "Power Button" {
		return
	}
	f, err := os.Open(filepath.Join(d.Dev, "input", event))
	if err != nil {
		d.Log.Warn("power button not opened", "device", event, "err", err)
		return
	}
	d.Log.Info("power button", "device", event)
	stop := context.AfterFunc(ctx, func() { f.Close() })
	go func() {
		defer stop()
		defer f.Close()
		defer func() {
			if r := recover(); r != nil {
				d.Log.Error("panic", "value", fmt.Sprint(r), "stack", string(debug.Stack()))
			}
		}()
		readButton(f, d.Button) // ends with the device
	}()
}

// readButton reads struct input_event, linux/input.h.
func readButton(r io.Reader, pressed chan<- struct{}) error {
	const (
		typeKey  = 1   // EV_KEY
		keyPower = 116 // KEY_POWER
		press    = 1
	)
	event := make([]byte, 24)
	for {
		if _, err := io.ReadFull(r, event); err != nil {
			return err
		}
		kind, code := binary.NativeEndian.Uint16(event[16:]), binary.NativeEndian.Uint16(event[18:])
		if kind == typeKey && code == keyPower && binary.NativeEndian.Uint32(event[20:]) == press {
			notify(pressed)
		}
	}
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting already
	}
}
