package manager

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/control/api"
)

// Where people see at a login that something is wrong: login shells print the
// one, agetty(8) the other, above the login prompt and again when it changes.
const (
	motdFile  = runDir + "/etc/motd"
	issueFile = "/run/issue.d/50-pharos.issue"
)

// bannerReasons is how many reasons a banner has room for.
const bannerReasons = 8

// writeBanner brings both files up to date; last is what they say. It returns
// what they say now.
func (m *Manager) writeBanner(last string) string {
	text := bannerText(m.state())
	if text == last {
		return last
	}
	err := errors.Join(
		os.MkdirAll(filepath.Dir(issueFile), 0o755),
		atomicfile.WriteFile(motdFile, []byte(text), 0o644),
		// A backslash begins a field there.
		atomicfile.WriteFile(issueFile, []byte(strings.ReplaceAll(text, `\`, `\\`)), 0o644),
	)
	if err != nil {
		m.log.Warn("cannot write the login banner", "error", err)
	}
	return text
}

// bannerText is empty while nothing is wrong.
func bannerText(s api.Status) string {
	if s.State != api.StateDegraded && s.State != api.StateFailed {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "This machine is %s:\n", s.State)
	for i, r := range s.Reasons {
		if i == bannerReasons {
			fmt.Fprintf(&b, "  and %d more\n", len(s.Reasons)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", printable(r))
	}
	b.WriteString("`ros status` says how it is now.\n\n")
	return b.String()
}

// printable keeps texts from outside from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
