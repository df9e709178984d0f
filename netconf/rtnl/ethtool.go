package rtnl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/safchain/ethtool"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf"
)

// Hardware implements netconf.Kernel. Offloads that are off for ever are left
// out, and so are rings that cannot be seen.
func (c *Conn) Hardware(id netconf.LinkID) (netconf.Hardware, error) {
	h, _, err := c.hardwareOf(id)
	return h, fail(id, "read offloads and rings", err)
}

func (c *Conn) hardwareOf(id netconf.LinkID) (h netconf.Hardware, name string, err error) {
	f, err := c.get(id) // ethtool goes by name, which may have changed
	if err != nil {
		return h, "", err
	}
	features, err := c.ethtool.FeaturesWithState(f.Name)
	if err != nil && !unsupported(err) {
		return h, f.Name, err
	}
	h.Offloads = make(map[string]bool)
	for feature, s := range features {
		if s.Active || s.Available && !s.NeverChanged {
			h.Offloads[feature] = s.Active
		}
	}
	ring, err := c.ethtool.GetRing(f.Name)
	if err != nil && !unsupported(err) {
		return h, f.Name, err
	}
	h.RingRX, h.RingTX = int(ring.RxPending), int(ring.TxPending)
	return h, f.Name, nil
}

func unsupported(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)
}

// SetHardware implements netconf.Kernel. It changes what differs only, and
// says what the driver has not changed.
func (c *Conn) SetHardware(id netconf.LinkID, want netconf.Hardware) error {
	have, name, err := c.hardwareOf(id)
	if err != nil {
		return fail(id, "read offloads and rings", err)
	}
	return errors.Join(fail(id, "set offloads", c.setOffloads(id, name, want, have)), fail(id, "set rings", c.setRings(name, want, have)))
}

func (c *Conn) setOffloads(id netconf.LinkID, name string, want, have netconf.Hardware) error {
	changes := make(map[string]bool)
	for offload, on := range want.Offloads {
		for _, feature := range have.Features(offload) {
			if have.Offloads[feature] != on {
				changes[feature] = on
			}
		}
	}
	if len(changes) > 0 {
		if err := c.ethtool.Change(name, changes); err != nil {
			return err
		}
		var err error
		if have, _, err = c.hardwareOf(id); err != nil {
			return err
		}
	}
	var fixed []string
	for _, offload := range slices.Sorted(maps.Keys(want.Offloads)) {
		if have.OffloadDiffers(offload, want.Offloads[offload]) {
			fixed = append(fixed, offload)
		}
	}
	if len(fixed) > 0 {
		return fmt.Errorf("the driver does not let %s be changed; ethtool -k %s shows what it does: %w",
			strings.Join(fixed, ", "), name, unix.EOPNOTSUPP)
	}
	return nil
}

func (c *Conn) setRings(name string, want, have netconf.Hardware) error {
	if (want.RingRX == 0 || want.RingRX == have.RingRX) && (want.RingTX == 0 || want.RingTX == have.RingTX) {
		return nil
	}
	ring, err := c.ethtool.GetRing(name)
	if err != nil {
		return fmt.Errorf("the driver has none that can be set: %w", err)
	}
	set := func(to *uint32, want int, most uint32, which string) error {
		if want > int(most) {
			return fmt.Errorf("%s %d is more than the %d that the driver has: %w", which, want, most, unix.EINVAL)
		}
		if want != 0 {
			*to = uint32(want)
		}
		return nil
	}
	if err := errors.Join(set(&ring.RxPending, want.RingRX, ring.RxMaxPending, "receive ring"),
		set(&ring.TxPending, want.RingTX, ring.TxMaxPending, "send ring")); err != nil {
		return err
	}
	_, err = c.ethtool.SetRing(name, ethtool.Ring(ring))
	return err
}
