package vmtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// kvmProbeTime is how long the tiny guest may take. Emulation needs a third of
// a second for it. Where KVM is nested in something that emulates it, it takes
// eight or never ends: such a KVM is slower than none.
const kvmProbeTime = 3 * time.Second

// KVM reports whether /dev/kvm runs guests. The answer is kept in dir until the
// next boot of this machine, since a failing probe takes its whole time. Dir
// must be visible in the toolbox.
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
	works := probeKVM(ctx, tools, dir)
	answer := id + " fails\n"
	if works {
		answer = id + " works\n"
	}
	// An answer that cannot be kept is asked for again.
	_ = os.WriteFile(path, []byte(answer), 0o644)
	return works
}

// probeKVM tries: the device may exist and yet hang its guests. The guest is
// one sector that does nothing but end QEMU.
func probeKVM(ctx context.Context, tools Toolbox, dir string) bool {
	if _, err := os.Stat("/dev/kvm"); err != nil {
		return false
	}
	disk, err := os.CreateTemp(dir, "kvm-probe-*")
	if err != nil {
		return false
	}
	defer os.Remove(disk.Name())
	_, err = disk.Write(probeSector())
	if err := errors.Join(err, disk.Close()); err != nil {
		return false
	}
	cmd := tools.Command("qemu-system-x86_64",
		"-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "kvm", "-cpu", "host",
		"-display", "none", "-m", "64",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4",
		"-drive", "format=raw,if=none,id=d,file="+disk.Name(), "-device", "ide-hd,drive=d")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return false
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, kvmProbeTime)
	defer cancel()
	select {
	case err = <-ended:
	case <-ctx.Done():
		// Nothing to do if the group is gone by now: Wait tells.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		return false
	}
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == probeCode<<1|1
}

// probeCode is what the probe guest writes to the exit device; QEMU ends with
// twice that plus one.
const probeCode = 0x10

// probeSector is a disk with a boot sector: mov al,probeCode; out 0xf4,al; hlt; jmp $-1.
func probeSector() []byte {
	s := make([]byte, 1<<20) // a BIOS takes no disk of one sector
	copy(s, []byte{0xb0, probeCode, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd})
	s[510], s[511] = 0x55, 0xaa
	return s
}
