// Package wifi tells a running wpa_supplicant which links join which network:
// it renders the configurations from rancher.network.wifi_networks and speaks
// with the program's global control socket. It refuses to start it (package
// services describes its unit) and to match links, which is netconf's
// business; addresses follow from the carrier, as they do for cables.
//
// Secrets are in files that only root reads, in RAM. No error has them.
package wifi

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// Dir is where the configurations and sockets are, by the same name in the
// unit's mount namespace: wpa_supplicant reads them and answers there.
const Dir = "/run/pharos/wifi"

// Socket is wpa_supplicant's global control socket.
const Socket = Dir + "/global"

// Driver is how wpa_supplicant drives links.
const Driver = "nl80211"

// ErrNotRunning says that nobody listens on the socket: the same has to be
// told again once the unit runs.
var ErrNotRunning = errors.New("wpa_supplicant does not run")

// Daemon is a wpa_supplicant that may be running.
type Daemon struct {
	dir, driver string
	wait        time.Duration // for an answer

	mu   sync.Mutex
	ears *control // hears events; nil: nobody does

	hearing  sync.WaitGroup
	stations stations
}

// New returns the one whose socket is "global" in a directory. They are Dir
// and Driver outside tests. Report is called when it changes why a link has
// not joined its network, a few words without secrets; empty is that nothing
// is known. It is called from any goroutine, for one link at a time.
func New(dir, driver string, report func(link, why string)) *Daemon {
	return &Daemon{dir: dir, driver: driver, wait: answerTime, stations: stations{report: report, byLink: map[string]station{}}}
}

// Close ends the reports. The program and its links stay as they are.
func (d *Daemon) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deaf()
}

// Set makes these links, by name, join these networks, and all others none.
// A link that joins the same network already keeps it. It is repeatable, and
// continues past what fails, but for an answer that does not come: errors are
// sentences about one link each.
func (d *Daemon) Set(links map[string]osconfig.WifiNetwork) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fmt.Errorf("wifi: %w", err)
	}
	c, err := dial(d.dir, "rosd", d.wait)
	if err != nil {
		return err
	}
	defer c.close()
	if err := d.listen(); err != nil {
		return fmt.Errorf("wifi: events: %w", err)
	}
	present, err := c.interfaces()
	if err != nil {
		return fmt.Errorf("wifi: %w", err)
	}
	var errs []error
	for _, name := range present {
		if _, wanted := links[name]; !wanted {
			errs = append(errs, d.forget(c, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(links)) {
		if err := d.join(c, name, links[name], slices.Contains(present, name)); err != nil {
			errs = append(errs, fmt.Errorf("wifi: link %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// join makes a link join a network. A file is written only for a link that the
// program does not have: of one that it has, the file is what it has read, also
// if a process before this one has told it.
func (d *Daemon) join(c *control, name string, w osconfig.WifiNetwork, present bool) error {
	text, err := Config(w)
	if err != nil {
		return err
	}
	path := d.path(name)
	if present {
		if read, err := os.ReadFile(path); err == nil && string(read) == text {
			return nil
		}
		if err := d.forget(c, name); err != nil {
			return err
		}
	}
	// It may be another program, that knows nothing of before.
	d.stations.forget(name)
	if err := atomicfile.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	if err := c.ask("INTERFACE_ADD " + name + "\t" + path + "\t" + d.driver); err != nil {
		return fmt.Errorf("wpa_supplicant does not take it (ros logs wifi says why): %w", err)
	}
	return nil
}

func (d *Daemon) forget(c *control, name string) error {
	if err := c.ask("INTERFACE_REMOVE " + name); err != nil {
		return fmt.Errorf("wifi: link %s is not given up: %w", name, err)
	}
	d.stations.forget(name)
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("wifi: %w", err)
	}
	return nil
}

func (d *Daemon) path(name string) string { return filepath.Join(d.dir, name+".conf") }
