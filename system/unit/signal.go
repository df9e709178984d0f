package unit

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rtmin is SIGRTMIN as glibc counts: the kernel's 32 and 33 are its own
// (signal(7)).
const rtmin = 34

// Signal is the number of a signal by name: SIGTERM, SIGRTMIN+3.
func Signal(name string) (unix.Signal, error) {
	if n, ok := strings.CutPrefix(name, "SIGRTMIN"); ok {
		if n == "" {
			return rtmin, nil
		}
		if i, err := strconv.Atoi(n); err == nil && n[0] == '+' && i >= 0 && rtmin+i <= 64 {
			return unix.Signal(rtmin + i), nil
		}
	} else if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("unknown signal %q", name)
}
