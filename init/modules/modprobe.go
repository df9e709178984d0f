package modules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/linux"
)

// Helper tells the kernel which program to run, in the root of PID 1, when it
// wants a module itself: program -q -- NAME.
func Helper(program string) error {
	if err := os.WriteFile("/proc/sys/kernel/modprobe", []byte(program), 0o644); err != nil {
		return fmt.Errorf("module helper: %w", err)
	}
	return nil
}

// IsHelperCall reports whether a command line is the kernel's call of the
// helper, and for which module.
func IsHelperCall(args []string) (name string, ok bool) {
	if len(args) == 4 && args[1] == "-q" && args[2] == "--" {
		return args[3], true
	}
	return "", false
}

// Dir is where the running kernel's modules are.
func Dir() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("kernel release: %w", err)
	}
	return filepath.Join("/lib/modules", unix.ByteSliceToString(u.Release[:])), nil
}

// OpenRunning is Open for the running kernel.
func OpenRunning(insert func(file, params string) error) (*Loader, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	return Open(dir, insert)
}

// Modprobe is the helper: it loads one module or alias. The kernel asks for
// many names that nothing provides; those are no error.
func Modprobe(name string) error {
	loader, err := OpenRunning(linux.FinitModule)
	if err != nil {
		return err
	}
	if err := loader.Load(name, ""); err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	return nil
}
