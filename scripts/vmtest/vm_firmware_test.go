package vmtest

import (
	"os"
	"regexp"
	"slices"
	"testing"
	"time"
)

// TestVMSmallUEFI boots the ISO by UEFI with 512 MB to engine ready, and presses
// the power button.
func TestVMSmallUEFI(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.start(t, Spec{Firmware: UEFI, Memory: 512, ISO: l.files.ISO, NICs: 1}, false)
	g.milestone(t, 0, "engine")
	g.milestone(t, 0, "ready")
	ctx, cancel := Within(t.Context(), stepDeadline, "power button")
	defer cancel()
	if err := g.QMP.PowerButton(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("the power button took %.1f s", g.shutsDown(t, stepDeadline).Seconds())
}

// TestVMSmallBIOS boots the ISO by BIOS with 512 MB to engine ready, and
// presses Ctrl-Alt-Del, after which the machine wants to boot again.
func TestVMSmallBIOS(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.start(t, Spec{Memory: 512, ISO: l.files.ISO, NICs: 1, ExitOnReset: true,
		Disks: []Disk{l.seed(t, "small", l.cloudConfig(""))}}, false)
	g.milestone(t, 0, "engine")
	g.milestone(t, 0, "ready")
	g.login(t)
	t.Logf("memory:\n%s", g.run(t, "head -3 /proc/meminfo"))
	ctx, cancel := Within(t.Context(), stepDeadline, "Ctrl-Alt-Del")
	defer cancel()
	if err := g.QMP.CtrlAltDel(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("Ctrl-Alt-Del took %.1f s", g.shutsDown(t, stepDeadline).Seconds())
	e, err := g.QMP.WaitEvent(ctx, "SHUTDOWN")
	if err != nil || e.Data["reason"] != "guest-reset" {
		t.Errorf("the machine ended with %v (%v), want a reset by the guest", e.Data, err)
	}
}

// TestVMStick boots the ISO by BIOS, written to a disk as to a USB stick, to SSH.
func TestVMStick(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.start(t, Spec{Stick: l.files.ISO, NICs: 1, Memory: 1024}, false)
	g.milestone(t, 0, "ssh")
}

// TestVMPXE boots the initrd that holds the system image, without any disk.
func TestVMPXE(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if _, err := os.Stat(l.files.PXEInitrd); err != nil {
		t.Fatalf("make INITRD_WITH_SYSTEM=1 first: %v", err)
	}
	g := l.start(t, Spec{Kernel: l.files.Vmlinuz, Initrd: l.files.PXEInitrd,
		Append: l.files.Cmdline + " " + l.keyParam(), NICs: 1}, false)
	g.login(t)
	if s := g.settled(t); s.State != "ready" || s.Slot != "initrd" || s.Storage != "ram" {
		t.Errorf("status is %+v", s)
	}
}

// TestVMRecovery asks for the recovery console on the kernel command line.
func TestVMRecovery(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := l.start(t, l.direct(l.files.SystemImg, "rancher.recovery"), false)
	ctx, cancel := Within(t.Context(), bootDeadline, "recovery console")
	defer cancel()
	if _, err := g.Console.Wait(ctx, regexp.MustCompile(`(?i)recovery`)); err != nil {
		t.Fatal(err)
	}
	// The shell reads what is typed once it is there: ask until it answers.
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	answer := regexp.MustCompile(`answer-42`)
	for !answer.MatchString(g.Console.Text()) {
		if err := g.Console.Type("echo answer-$((40+2))\n"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no shell answers; last lines:\n%s", lastLines(g.Console.Text(), 10))
		}
	}
	if slices.ContainsFunc(Milestones(g.Console.Text()), func(m Milestone) bool { return m.Name == "manager" }) {
		t.Error("the manager was started")
	}
}

// TestVMWatchdog stops the manager, which then no longer vouches for itself: the
// watchdog resets the machine.
func TestVMWatchdog(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	spec := l.direct(l.files.SystemImg, l.keyParam())
	spec.Watchdog = true
	g := l.start(t, spec, false)
	g.login(t)
	g.settled(t)
	if g.try(t, "test -e /dev/watchdog0 || test -e /dev/watchdog").Code != 0 {
		t.Fatal("the kernel has no driver for the i6300esb loaded")
	}
	g.run(t, "sudo pkill -STOP -x rosd")
	ctx, cancel := Within(t.Context(), 5*time.Minute, "the watchdog's bite")
	defer cancel()
	began := time.Now()
	if _, err := g.QMP.WaitEvent(ctx, "WATCHDOG"); err != nil {
		t.Fatal(err)
	}
	t.Logf("the watchdog bit after %.0f s", time.Since(began).Seconds())
}
