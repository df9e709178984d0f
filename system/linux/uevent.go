package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Uevent is one message of the kernel about a device, its fields by name:
// ACTION, DEVPATH, SUBSYSTEM, DEVNAME, MODALIAS, …
type Uevent map[string]string

// Uevents is a subscription to the kernel's device messages.
type Uevents struct{ socket *os.File }

// ListenUevents subscribes; what happens from now on is kept in the socket's
// buffer until Run reads it.
func ListenUevents() (*Uevents, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("uevent socket: %w", err)
	}
	// The buffer is memory only while messages wait in it.
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
	const kernelGroup = 1
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("uevent socket: %w", err)
	}
	return &Uevents{os.NewFile(uintptr(fd), "uevent")}, nil
}

// Run sends messages to out until ctx ends, then closes the subscription.
// Messages that the kernel had to drop (ENOBUFS) are reported as an event with
// no fields: the receiver looks at everything again.
func (u *Uevents) Run(ctx context.Context, out chan<- Uevent) error {
	stop := context.AfterFunc(ctx, func() { u.socket.Close() })
	defer stop()
	defer u.socket.Close()
	buf := make([]byte, 64<<10)
	for {
		event := Uevent{}
		n, err := u.socket.Read(buf)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ENOBUFS):
		case err != nil:
			return fmt.Errorf("uevents: %w", err)
		default:
			if event = parseUevent(buf[:n]); event == nil {
				continue
			}
		}
		select {
		case out <- event:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// parseUevent reads "action@path" and then KEY=VALUE, each ended by a NUL.
// Messages of udevd ("libudev") are none of the kernel's: nil.
func parseUevent(data []byte) Uevent {
	head, rest, ok := bytes.Cut(data, []byte{0})
	if !ok || !bytes.ContainsRune(head, '@') {
		return nil
	}
	event := Uevent{}
	for field := range strings.SplitSeq(string(rest), "\x00") {
		if key, value, ok := strings.Cut(field, "="); ok {
			event[key] = value
		}
	}
	return event
}
