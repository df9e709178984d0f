package vmtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// KVM reports whether /dev/kvm runs guests. The answer is kept in dir until the
// next boot of this machine, since a failing probe takes its whole time.
func KVM(ctx context.Context, tools Toolbox, dir string) bool {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return false
	}
	path := filepath.Join(dir, "kvm")
	id := strings.TrimSpace(string(boot))
	if text, err := os.ReadFile(path); err == nil {
		if answer, ok := strings.CutPrefix(string(text), id+" "); ok {
			return answer == "works\n"
		}
	}
	works := probeKVM(ctx, tools)
	answer := id + " fails\n"
	if works {
		answer = id + " works\n"
	}
	// An answer that cannot be kept is asked for again.
	_ = os.WriteFile(path, []byte(answer), 0o644)
	return works
}

// probeKVM runs scripts/kvm-works, which stands beside scripts/toolbox: the
// device may exist and yet hang its guests, or be slower than emulation.
func probeKVM(ctx context.Context, tools Toolbox) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return exec.CommandContext(ctx, filepath.Join(filepath.Dir(string(tools)), "kvm-works")).Run() == nil
}
