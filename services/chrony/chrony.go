// Package chrony tells chronyd its time servers: those of the configuration
// if there are any, else those that DHCP servers name, else a public pool. It
// writes them into a file that chronyd reads at its start, and asks a running
// one to read it again. It refuses to start or stop chronyd; package services
// describes its unit.
package chrony

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/atomicfile"
)

const (
	// Run is the machine's directory that is chronyd's /run. It has the same
	// name in chronyd's mount namespace too: its answers go to paths.
	Run = "/run/pharos/ntp"
	// SourceDir has the files that chronyd takes servers from (sourcedir in
	// images/ntp).
	SourceDir = "/run/pharos/chrony"
	// Pool is asked when nobody names a time server. Debian lets its
	// derivatives use it.
	Pool = "2.debian.pool.ntp.org"
)

// Socket is chronyd's command socket. chronyd makes the directory that it is
// in itself, with the owner and mode that it insists on.
const Socket = Run + "/chrony/chronyd.sock"

// Daemon is a chronyd that may be running.
type Daemon struct {
	socket, sources string

	mu    sync.Mutex
	stale bool // a running one has not read what is in the file
}

// New returns the machine's. Socket and sources are Socket and SourceDir
// outside tests. What a running one has read is not known: the process before
// this one may have ended between the file and the order to read it.
func New(socket, sources string) *Daemon {
	return &Daemon{socket: socket, sources: sources, stale: true}
}

// Told tells whether there are time servers for chronyd already, of this
// process or one before it.
func (d *Daemon) Told() bool {
	_, err := os.Stat(d.path())
	return err == nil
}

func (d *Daemon) path() string { return filepath.Join(d.sources, "pharos.sources") }

// Set makes these the time servers, from now on and after a restart of
// chronyd. Leases are what DHCPv4 (option 42) and DHCPv6 (option 56) told, in
// order. The same servers again cost nothing. It may be called at any time,
// whether chronyd runs or not; it may take 5 s, and an error leaves the next
// call to try again.
func (d *Daemon) Set(c osconfig.NTP, leases []netip.Addr) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	path, text := d.path(), Sources(c, leases)
	if old, err := os.ReadFile(path); err != nil || string(old) != text {
		if err := os.MkdirAll(d.sources, 0o755); err != nil {
			return fmt.Errorf("time servers: %w", err)
		}
		if err := atomicfile.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("time servers: %w", err)
		}
		d.stale = true
	}
	if !d.stale {
		return nil
	}
	// chronyd opens its socket before it reads the file: one that does not
	// listen yet will see what is there now.
	if err := reload(d.socket, answerTime); err != nil && !errors.Is(err, errNotRunning) {
		return fmt.Errorf("time servers: chronyd: %w", err)
	}
	d.stale = false
	return nil
}

// Sources renders the file: chrony.conf(5), sourcedir.
func Sources(c osconfig.NTP, leases []netip.Addr) string {
	var b strings.Builder
	add := func(kind string, names []string) {
		for _, name := range names {
			line := kind + " " + name + " iburst\n"
			if name != "" && !strings.ContainsAny(name, " \t\r\n#!;%") && !strings.Contains(b.String(), line) {
				b.WriteString(line)
			}
		}
	}
	add("server", c.Servers)
	add("pool", c.Pools)
	if b.Len() == 0 {
		for _, a := range leases {
			if a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() {
				add("server", []string{a.String()})
			}
		}
	}
	if b.Len() == 0 {
		add("pool", []string{Pool})
	}
	return b.String()
}
