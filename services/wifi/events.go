package wifi

import (
	"net"
	"strings"
	"sync"
	"time"
)

// station is what is known of a link that has not joined its network.
type station struct {
	why     string // in a few words; empty: nothing
	resting bool   // the program leaves the network alone for a moment, and then tries again
}

// after is the station after one of the program's events
// (src/common/wpa_ctrl.h).
func (s station) after(event string) station {
	name, rest, _ := strings.Cut(event, " ")
	switch name {
	case "CTRL-EVENT-CONNECTED":
		return station{}
	case "CTRL-EVENT-SSID-TEMP-DISABLED":
		// The reason stands last, behind the network's name.
		switch rest[strings.LastIndexByte(rest, '=')+1:] {
		case "WRONG_KEY":
			return station{"its access point refuses the key", true}
		case "AUTH_FAILED":
			return station{"its access point refuses who asks", true}
		}
		return station{"its access point does not let in", true}
	case "CTRL-EVENT-SSID-REENABLED":
		s.resting = false
	case "CTRL-EVENT-NETWORK-NOT-FOUND":
		if !s.resting { // a network that it leaves alone is not found either
			return station{why: "not in range"}
		}
	}
	return s
}

// stations are those of all links.
type stations struct {
	report func(link, why string)

	mu     sync.Mutex
	byLink map[string]station
}

// put is the one way to change one, so that each change is reported.
func (s *stations) put(link string, next func(station) station) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.byLink[link]
	now := next(before)
	if s.byLink[link] = now; now == (station{}) {
		delete(s.byLink, link)
	}
	if now.why != before.why {
		s.report(link, now.why)
	}
}

// forget drops what was known of a link: it is about another network, or
// about none.
func (s *stations) forget(link string) { s.put(link, func(station) station { return station{} }) }

// hear takes events until conn is closed.
func (s *stations) hear(conn net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		s.take(string(buf[:n]))
	}
}

// take takes an event, "IFNAME=LINK <LEVEL>TEXT". Anything else is none.
func (s *stations) take(message string) {
	link, text, ok := strings.Cut(message, " <")
	link, ours := strings.CutPrefix(link, "IFNAME=")
	if _, event, leveled := strings.Cut(text, ">"); ok && ours && leveled {
		s.put(link, func(b station) station { return b.after(event) })
	}
}

// listen hears the program's events from now on, unless that is so already.
func (d *Daemon) listen() error {
	if d.ears != nil {
		if d.ears.ping() == nil {
			return nil
		}
		d.deaf() // it was another one's
	}
	c, err := dial(d.dir, "events", d.wait)
	if err != nil {
		return err
	}
	err = c.ask("ATTACH")
	if err == nil {
		err = c.conn.SetDeadline(time.Time{})
	}
	if err != nil {
		c.close()
		return err
	}
	d.ears = c
	d.hearing.Go(func() { d.stations.hear(c.conn) })
	return nil
}

// deaf ends listening.
func (d *Daemon) deaf() {
	if d.ears == nil {
		return
	}
	d.ears.close()
	d.hearing.Wait()
	d.ears = nil
}
