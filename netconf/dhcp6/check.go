package dhcp6

import (
	"bytes"
	"fmt"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

// Different flaws of servers' answers that are logged in a time, each once.
const (
	maxWarned  = 16
	warnedAnew = time.Hour
)

// check returns a message if it is an answer to this exchange (RFC 8415,
// section 16).
func (m *machine) check(b []byte, x exchange) *message {
	r, err := parse(b, m.iaid)
	if err != nil {
		m.warn("not a message: "+err.Error(), nil)
		return nil
	}
	switch {
	case r.kind == dhcpv6.MessageTypeAdvertise && x.kind != dhcpv6.MessageTypeSolicit:
		return nil // too late; that is no fault
	case r.kind != dhcpv6.MessageTypeReply && r.kind != dhcpv6.MessageTypeAdvertise:
		m.warn("a message of a kind that nobody asked for", r)
	case r.xid != m.xid:
		m.warn("another transaction", r)
	case !bytes.Equal(r.client, m.duid):
		m.warn("for another client", r)
	case r.server == nil:
		m.warn("from nobody: no server identifier", r)
	case x.server != nil && !bytes.Equal(r.server, x.server):
		m.warn("from another server than was asked", r)
	default:
		for _, f := range r.flaws {
			m.warn(f, r)
		}
		if !m.request.Delegate {
			r.prefixes = association{}
		}
		if r.longestSolicit > 0 {
			m.longestSolicit = r.longestSolicit
		}
		if r.longestInform > 0 {
			m.longestInform = r.longestInform
		}
		return r
	}
	return nil
}

// warn logs what is wrong with an answer, once in an hour: a server that floods
// costs no more.
func (m *machine) warn(flaw string, r *message) {
	if time.Since(m.warnedSince) >= warnedAnew {
		clear(m.warned)
		m.warnedSince = time.Now()
	}
	if m.warned[flaw] || len(m.warned) == maxWarned {
		return
	}
	m.warned[flaw] = true
	var server []byte
	if r != nil {
		server = r.server
	}
	m.log.Warn("flaw in a DHCPv6 answer", "flaw", flaw, "server", fmt.Sprintf("%x", server))
}

// note keeps what went wrong for the next report.
func (m *machine) note(text string) {
	m.heard, m.message = true, text
}
