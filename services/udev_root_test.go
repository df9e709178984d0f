package services

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeUdevd passes the kernel's events on as udevd does, with libudev's
// header (systemd's src/libsystemd/sd-device/device-monitor.c). While it has
// one it keeps run/queue.
func fakeUdevd(ctx context.Context, t *testing.T, run string) {
	t.Helper()
	open := func(groups uint32) int {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
		}
		if err == nil {
			err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20000})
		}
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	kernel, out := open(1), open(0)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer unix.Close(kernel)
		defer unix.Close(out)
		buf := make([]byte, 64<<10)
		for ctx.Err() == nil {
			n, err := unix.Read(kernel, buf)
			if err != nil {
				continue
			}
			os.WriteFile(filepath.Join(run, "queue"), nil, 0o644)
			_, properties, _ := bytes.Cut(buf[:n], []byte{0})
			header := append([]byte("libudev\x00\xfe\xed\xca\xfe"), make([]byte, 28)...)
			binary.NativeEndian.PutUint32(header[12:], 40)
			binary.NativeEndian.PutUint32(header[16:], 40)
			binary.NativeEndian.PutUint32(header[20:], uint32(len(properties)))
			unix.Sendto(out, append(header, properties...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 2})
			os.Remove(filepath.Join(run, "queue"))
		}
	}()
	t.Cleanup(func() { <-ended })
}

func TestRootUdevSettled(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: uevents")
	}
	run := t.TempDir()
	c := UdevSettled{Run: run}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := c.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without udevd: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	fakeUdevd(ctx, t, run)
	long, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := c.Wait(long); err != nil {
		t.Error(err)
	}
	stop()
}
