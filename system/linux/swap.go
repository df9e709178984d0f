package linux

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Swapoff ends swapping to a file or device, swapoff(2), which x/sys does not
// have.
func Swapoff(path string) error {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return fmt.Errorf("swapoff %q: %w", path, err)
	}
	err = retry(func() error {
		if _, _, errno := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(p)), 0, 0); errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("swapoff %s: %w", path, err)
	}
	return nil
}
