package logging

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// consoleTimeout bounds how long a line may take: 9600 baud are about 1 kB/s,
// and a terminal that is stopped (Ctrl-S) never takes it.
const consoleTimeout = time.Second

// Console prints lines for people on every terminal that the kernel uses as
// its console.
type Console struct {
	active, dev string
}

// NewConsole prints on the terminals that the file active names
// ("/sys/class/tty/console/active": "tty0 ttyS0"), which are in dev.
func NewConsole(active, dev string) *Console { return &Console{active: active, dev: dev} }

// Milestone prints that the machine has reached name, at seconds after the
// kernel started. The form is fixed by contract.
func (c *Console) Milestone(name string, at float64, getty bool) error {
	return c.Print(fmt.Sprintf("pharos: reached %s at %.2fs", name, at), getty)
}

// Print prints one line. With getty there may be a prompt on the terminal:
// the line begins on a fresh one.
func (c *Console) Print(line string, getty bool) error {
	names, err := os.ReadFile(c.active)
	if err != nil {
		return fmt.Errorf("active consoles: %w", err)
	}
	text := line + "\r\n"
	if getty {
		text = "\r\n" + text
	}
	var errs []error
	for _, name := range strings.Fields(string(names)) {
		if err := writeTerminal(filepath.Join(c.dev, name), text); err != nil {
			errs = append(errs, fmt.Errorf("console %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// writeTerminal never makes the terminal this process's own (O_NOCTTY) and
// never waits for a carrier (O_NONBLOCK).
func writeTerminal(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	// A terminal that cannot be waited for takes what it takes.
	if err := f.SetWriteDeadline(time.Now().Add(consoleTimeout)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return errors.Join(err, f.Close())
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
