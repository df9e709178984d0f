package logging

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestConsolePrintsOnEveryActiveTerminal(t *testing.T) {
	dir := t.TempDir()
	active := filepath.Join(dir, "active")
	if err := os.WriteFile(active, []byte("tty0 ttyS0 gone\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var readers []*bufio.Reader
	for _, name := range []string{"tty0", "ttyS0"} { // a FIFO is as good as a terminal here
		path := filepath.Join(dir, name)
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		readers = append(readers, bufio.NewReader(f))
	}
	c := NewConsole(active, dir)
	err := c.Milestone("ssh", 7.126, false)
	if err == nil || !strings.Contains(err.Error(), "console gone") {
		t.Errorf("error %v", err)
	}
	_ = c.Milestone("ready", 15, true)
	for i, r := range readers {
		for _, want := range []string{"pharos: reached ssh at 7.13s\r\n", "\r\n", "pharos: reached ready at 15.00s\r\n"} {
			if got, err := r.ReadString('\n'); got != want || err != nil {
				t.Errorf("terminal %d: %q, %v", i, got, err)
			}
		}
	}
}

func TestConsoleThatTakesNothing(t *testing.T) {
	dir := t.TempDir()
	active := filepath.Join(dir, "active")
	if err := os.WriteFile(active, []byte("tty0"), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tty0")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fill := make([]byte, 4096)
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Write(func(fd uintptr) bool {
		for {
			if _, err := unix.Write(int(fd), fill); err != nil {
				return true
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := NewConsole(active, dir).Print("x", false); !os.IsTimeout(unwrapAll(err)) {
		t.Errorf("error %v", err)
	}
}

// unwrapAll is the first error of joined ones, to the bottom.
func unwrapAll(err error) error {
	for {
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			err = e.Unwrap()[0]
		case interface{ Timeout() bool }:
			return err
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		default:
			return err
		}
	}
}
