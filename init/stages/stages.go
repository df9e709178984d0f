// Package stages owns the order of things: stage 1 in the initramfs, stage 2 as
// PID 1 of the running system, and the recovery console when either fails. It
// refuses to know how any of it is done.
package stages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/pharos-os/pharos/init/boot"
	"github.com/pharos-os/pharos/init/kmsg"
	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/init/pid1"
	"github.com/pharos-os/pharos/init/recovery"
	"github.com/pharos-os/pharos/init/rootfs"
	"github.com/pharos-os/pharos/system/linux"
)

const searchPath = "PATH=/usr/sbin:/usr/bin"

// Run is the whole life of the machine. It must be PID 1's, and does not
// return.
func Run(ctx context.Context) {
	stage2(ctx, stage1(ctx))
}

// machine is what both stages work with.
type machine struct {
	kmsg   io.Writer
	log    *slog.Logger
	reaper *pid1.Reaper
	final  *pid1.Final
	rescue *recovery.Console
}

func newMachine(ctx context.Context) *machine {
	m := &machine{kmsg: os.Stderr, reaper: pid1.NewReaper()}
	if w, err := kmsg.Open(); err == nil {
		m.kmsg = w
	}
	m.log = kmsg.NewLogger(m.kmsg, "init")
	go guard(m.log, "reaper", func() error { m.reaper.Run(ctx); return nil })
	m.final = &pid1.Final{Log: m.log, Reaper: m.reaper, Watchdog: &pid1.Watchdog{Path: "/dev/watchdog", Log: m.log}}
	m.rescue = &recovery.Console{Log: m.log, Starter: m.reaper, Busybox: []string{"/bin/busybox", "/usr/lib/pharos/recovery/busybox"}, Links: "/run/pharos/recovery"}
	return m
}

// guard turns a panic into an error and logs what f ends with.
func guard(log *slog.Logger, name string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: panic: %v", name, r)
			log.Error("panic", "in", name, "value", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	if err = f(); err != nil {
		log.Error(name, "err", err)
	}
	return err
}

// stage1 runs in the initramfs. It returns with the system image as its root,
// or not at all. The same process goes on as stage 2: the program in the image
// is the same one, and starting it again would cost a third of the time that
// PID 1 takes.
func stage1(ctx context.Context) *machine {
	fatal, tolerable := rootfs.Apply(rootfs.Initramfs())
	m := newMachine(ctx)
	if tolerable != nil {
		m.log.Warn("initramfs", "err", tolerable)
	}
	var options boot.Options
	err := guard(m.log, "stage 1", func() error {
		if fatal != nil {
			return fatal
		}
		if err := modules.Helper("/init"); err != nil {
			m.log.Warn("no module helper", "err", err)
		}
		line, err := os.ReadFile("/proc/cmdline")
		if err != nil {
			return err
		}
		options, err = boot.ParseCmdline(string(line))
		if err == nil {
			err = boot.Run(ctx, m.log, options)
		}
		if err != nil {
			return err
		}
		if options.Recovery {
			m.rescue.Run(ctx, recovery.Problem{
				Title: "Opened because the kernel command line says rancher.recovery.",
				Do:    []string{"The system image is mounted, read-only, at " + rootfs.Sysroot + ". Nothing of it runs yet."},
				Then:  "The boot goes on",
			})
		}
		return rootfs.Switch()
	})
	if err == nil {
		return m
	}
	countdown := recovery.Countdown
	if options.Recovery { // somebody is there
		countdown = 0
	}
	m.rescue.Run(ctx, recovery.Problem{
		Title: "The system could not be started.",
		Where: "stage 1, in the initrd",
		Err:   err,
		Do: []string{
			"Restart and choose another entry of the boot menu, if there is one.",
			"Look at the kernel's messages (dmesg) and at the disks (cat /proc/partitions; ls /sys/class/block).",
			"Compare pharos.roothash and pharos.hashoffset in /proc/cmdline with the release's manifest.json.",
		},
		Countdown: countdown,
		Then:      "The machine restarts",
	})
	m.final.End(linux.Reboot)
	return nil // never
}

// stage2 is PID 1 of the running system.
func stage2(ctx context.Context, m *machine) {
	guard(m.log, "stage 2", func() error {
		started := linux.SinceBoot()
		fatal, tolerable := rootfs.Apply(rootfs.System())
		// A machine without one of these is worse off; one without PID 1 is off.
		return errors.Join(
			fatal, tolerable,
			rootfs.Delegate(rootfs.Cgroup), rootfs.Delegate(rootfs.Cgroup+"/system"),
			modules.Helper("/usr/sbin/init"),
			linux.CatchCtrlAltDel(),
			syscall.Sethostname([]byte("pharos")),
			boot.AddStage("system mounts", started),
		)
	})
	// What stage 1 needed is given back when the rush of the boot is over.
	time.AfterFunc(20*time.Second, debug.FreeOSMemory)
	m.final.End(newPID1(ctx, m).Run(ctx))
}

func newPID1(ctx context.Context, m *machine) *pid1.PID1 {
	signals, button, watchdog := pid1.Notify(), make(chan struct{}, 1), make(chan struct{}, 1)
	devices := &pid1.Devices{Log: m.log, Sys: "/sys", Dev: "/dev", Button: button, Watchdog: watchdog}
	go guard(m.log, "devices", func() error { return devices.Run(ctx) })
	manager := &pid1.Launcher{
		Path: "/usr/bin/rosd", Cgroup: rootfs.Cgroup + "/system/rosd",
		Kmsg: m.kmsg, Reaper: m.reaper, Env: []string{searchPath, "HOME=/", "TERM=linux"},
	}
	return &pid1.PID1{
		Log: m.log, Start: manager.Start, Signals: signals, Button: button,
		Watchdog: m.final.Watchdog, Appeared: watchdog, Crashed: m.crashed(ctx),
	}
}

// crashed returns what is done when the manager has died: its last words go to
// the console, and a crash loop opens the recovery console beside the
// containers, which go on.
func (m *machine) crashed(ctx context.Context) func(string, []string, bool) {
	return func(reason string, lastWords []string, loop bool) {
		go guard(m.log, "crash report", func() error {
			if console, err := os.OpenFile("/dev/console", os.O_WRONLY|syscall.O_NOCTTY, 0); err == nil {
				defer console.Close()
				fmt.Fprintf(console, "\r\ninit: the manager ended: %s\r\n%s\r\n", reason, strings.Join(lastWords, "\r\n"))
			}
			if !loop {
				return nil
			}
			m.rescue.Run(ctx, recovery.Problem{
				Title:    "The manager (rosd) dies again and again. Containers keep running.",
				Where:    "PID 1",
				Err:      fmt.Errorf("%s: %s", reason, strings.Join(lastWords, " ")),
				Do:       []string{"PID 1 goes on restarting it; see dmesg. 'kill -INT 1' restarts the machine, 'kill -TERM 1' powers it off."},
				OnlyFree: true,
			})
			return nil
		})
	}
}
