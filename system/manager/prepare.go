package manager

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/state"
)

// etcFiles is the generated /etc of the host. Nobody logs in there: it is for
// programs that look up root, a group or localhost.
func etcFiles() map[string]string {
	return map[string]string{
		"passwd":        "root:x:0:0:root:/root:/usr/sbin/nologin\nrancher:x:1100:1100:rancher:/home/rancher:/usr/sbin/nologin\n",
		"group":         "root:x:0:\nsudo:x:27:rancher\nrancher:x:1100:\npharos:x:1101:rancher\ndocker:x:1102:rancher\n",
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
	}
}

// runDirs are made below /run before any unit can want them.
func runDirs() map[string]os.FileMode {
	return map[string]os.FileMode{
		"/run/lock": 0o755, runDir + "/etc": 0o755, runDir + "/syslog": 0o755,
		runDir + "/units": 0o711, runDir + "/console": 0o755, engine.GoDir: 0o755,
	}
}

func (m *Manager) stepEtc(context.Context) error {
	for path, perm := range runDirs() {
		if err := os.MkdirAll(path, perm); err != nil {
			return err
		}
	}
	for name, text := range etcFiles() {
		if err := atomicfile.WriteFile(filepath.Join("/etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(imageBundle), 0o755); err != nil {
		return err
	}
	for link, target := range map[string]string{
		imageBundle:        filepath.Join(consoleTree(), imageBundle), // the machine has none of its own
		"/etc/hosts":       "../run/pharos/etc/hosts",
		"/etc/resolv.conf": "../run/pharos/etc/resolv.conf",
		"/etc/hostname":    "../run/pharos/etc/hostname",
		"/etc/os-release":  "../usr/lib/os-release",
		"/dev/log":         "/run/pharos/syslog/log",
	} {
		if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("link: %w", err)
		}
	}
	// dockerd looks localhost up at its start: without hosts it waits for DNS.
	// A manager that starts anew finds the names that it had given.
	if _, err := os.Stat(runDir + "/etc/hosts"); err == nil {
		return nil
	}
	return m.names.Write(netconf.Names{Hostname: netconf.DefaultHostname})
}

// stateWait is how long an installed machine looks for its state disk.
const stateWait = 15 * time.Second

func (m *Manager) disks() ([]state.Disk, error) { return state.Disks("/sys", "/dev") }

// stepState uses only the kernel command line's rancher.state: the rest of
// the configuration stands on the file system that is looked for.
func (m *Manager) stepState(ctx context.Context) error {
	spec := m.offlineConfig(ctx).Rancher.State
	mounted, err := state.Mount(ctx, state.Options{
		Spec: spec, Expected: m.boot.Slot == "A" || m.boot.Slot == "B", Fsck: "/usr/sbin/e2fsck",
		Image: consoleTree(), Disks: m.disks, Wait: stateWait, Log: m.log,
	})
	m.mu.Lock()
	m.mounted = mounted
	m.mu.Unlock()
	m.noteState(mounted.Trouble)
	return err
}

// stateEvery is how often the state file system is looked at: it may fill, or
// its disk may fail, months after the boot.
const stateEvery = time.Minute

// watchState keeps what is said about the state file system up to date.
func (m *Manager) watchState(ctx context.Context) error {
	tick := time.NewTicker(stateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		m.mu.Lock()
		mounted := m.mounted
		m.mu.Unlock()
		m.noteState(mounted.Trouble)
	}
}

// noteState asks what is wrong with the state file system and notes it, or
// that it is over.
func (m *Manager) noteState(trouble func() error) {
	m.mu.Lock()
	there, before := m.mounted.Device != "", m.notes["state file system"]
	m.mu.Unlock()
	if !there {
		return
	}
	var wrong []string
	if err := trouble(); err != nil {
		wrong = strings.Split(err.Error(), "\n")
	}
	if len(wrong) > 0 && len(before) == 0 {
		m.log.Warn("the state file system has a problem", "problem", wrong[0])
	}
	m.note("state file system", wrong...)
}

func (m *Manager) loadModules(specs []string) error {
	l, err := m.modules()
	if err != nil {
		return err
	}
	var errs []error
	for _, spec := range specs {
		name, params, _ := strings.Cut(strings.TrimSpace(spec), " ")
		if err := l.Load(name, params); err != nil {
			errs = append(errs, fmt.Errorf("kernel module %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// stepDrivers loads the drivers of network cards, and of nothing else: udev
// does all of them, but later, and what it does now the engine would wait for.
func (m *Manager) stepDrivers(context.Context) error {
	l, err := m.modules()
	if err != nil {
		return err
	}
	for _, bus := range networkBuses() {
		for _, a := range modules.Modaliases("/sys", bus) {
			if !isNetworkCard(bus, a) {
				continue
			}
			if err := l.Load(a, ""); err != nil && !errors.Is(err, modules.ErrUnknown) {
				m.log.Warn("cannot load a driver", "modalias", a, "error", err)
			}
		}
	}
	return nil
}

// networkBuses are where network cards sit, most likely first.
func networkBuses() []string { return []string{"virtio", "pci", "vmbus", "xen", "usb"} }

// isNetworkCard tells from a modalias. PCI names the base class (02), virtio
// the device type (1); the other buses do not say and have few devices.
func isNetworkCard(bus, modalias string) bool {
	switch bus {
	case "virtio":
		return strings.HasPrefix(modalias, "virtio:d00000001v")
	case "pci":
		return strings.Contains(modalias, "bc02sc")
	}
	return true
}

// applySysctl writes kernel parameters, one layer after the other; keys have
// dots or slashes.
func applySysctl(layers ...map[string]string) error { return setSysctl("/proc/sys", layers...) }

func setSysctl(proc string, layers ...map[string]string) error {
	var errs []error
	for _, values := range layers {
		for key, value := range values {
			if err := writeFile(filepath.Join(proc, osconfig.SysctlPath(key)), value); err != nil {
				errs = append(errs, fmt.Errorf("sysctl %s: %w", key, err))
			}
		}
	}
	return errors.Join(errs...)
}

// baseSysctl is set on every machine, before the configuration's values.
func baseSysctl(ram int64) map[string]string {
	values := map[string]string{
		"kernel.panic": "10",
		// What containers need; docs/docker.md has a reason for each. The limits
		// of inotify count by user, and the root of all containers is one user.
		"fs.inotify.max_user_instances": "8192",
		"fs.inotify.max_user_watches":   "1048576", // the most that the kernel itself would choose
		"vm.max_map_count":              "1048576",
		"net.core.rmem_max":             "7500000",
		"net.core.wmem_max":             "7500000",
		// What root does in directories that others may write to; see the
		// kernel's admin-guide/sysctl/fs. Its own default is 0.
		"fs.protected_hardlinks": "1",
		"fs.protected_symlinks":  "1",
		// Without it the kernel takes the other addresses of a network away
		// together with the first one (Documentation/networking/ip-sysctl).
		"net.ipv4.conf.all.promote_secondaries": "1",
		// ping for everybody, as Debian has it.
		"net.ipv4.ping_group_range": "0 2147483647",
		// The kernel's own formula, which its huge page daemon overrides with
		// 44 MB, whatever the size of the machine (mm/khugepaged.c).
		"vm.min_free_kbytes": strconv.Itoa(minFreeKiB(ram)),
	}
	// Of several ways out one whose cable was pulled does not count. The kernel
	// would go on to send there. It may have been told to have no IPv6.
	for _, family := range []string{"net/ipv4", "net/ipv6"} {
		if _, err := os.Stat(filepath.Join("/proc/sys", family, "conf/all")); err == nil {
			values[family+"/conf/all/ignore_routes_with_linkdown"] = "1"
		}
	}
	return values
}

// minFreeKiB is mm/page_alloc.c's: 4 × the root of the memory in KiB, but not
// less than 8 MiB, for bursts of network packets.
func minFreeKiB(ram int64) int {
	return max(int(4*math.Sqrt(float64(ram>>10))), 8<<10)
}

// raiseFileLimit lets units ask for more open files than the kernel's 4096.
func raiseFileLimit() error {
	const files = 1 << 20
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: files}); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	return nil
}

// hurryRCU makes the kernel spend interrupts on short grace periods, which
// mounts and cgroups wait for: on from stage 1 to ready, and at the shutdown.
func hurryRCU(on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	return writeFile("/sys/kernel/rcu_expedited", value)
}
