package units

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/os-config/coreunit"
)

const dockerSocket = "/run/docker.sock"

// ready waits until the engine answers or the network is up. Nothing tells
// either of them in here, so it asks, seldom enough to cost nothing.
func (r *Runner) ready(ctx context.Context, known coreunit.Known) error {
	is := func() bool { return r.routed() }
	if known.Docker {
		is = func() bool { return answers(ctx, r.path(dockerSocket)) }
	}
	for !is() {
		if !wait(ctx, 300*time.Millisecond) {
			return errStopped
		}
	}
	return nil
}

// answers asks the engine for its ping, which it answers once it can work.
func answers(ctx context.Context, socket string) bool {
	if _, err := os.Stat(socket); err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// routed says whether there is a default route, for IPv4 or IPv6; see
// proc(5) and the kernel's net/ipv6/route.c for the columns.
func (r *Runner) routed() bool {
	text, err := os.ReadFile(r.path("/proc/net/route"))
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 7 && f[1] == "00000000" && f[7] == "00000000" {
				return true
			}
		}
	}
	text, err = os.ReadFile(r.path("/proc/net/ipv6_route"))
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) == 10 && strings.Trim(f[0], "0") == "" && f[1] == "00" && f[9] != "lo" {
				return true
			}
		}
	}
	return false
}

// conditions returns the first condition that does not hold, "" when all do.
func (r *Runner) conditions(list []coreunit.Condition) string {
	triggers, triggered := "", false
	for _, c := range list {
		holds := r.holds(c) != c.Negate
		switch {
		case c.Trigger:
			triggers, triggered = c.Kind+"="+c.Path, triggered || holds
		case !holds:
			return c.Kind + "=" + c.Path
		}
	}
	if triggers != "" && !triggered {
		return triggers
	}
	return ""
}

func (r *Runner) holds(c coreunit.Condition) bool {
	path := r.path(c.Path)
	switch c.Kind {
	case "ConditionPathExistsGlob":
		found, err := filepath.Glob(path)
		return err == nil && len(found) > 0
	case "ConditionPathIsSymbolicLink":
		info, err := os.Lstat(path)
		return err == nil && info.Mode()&os.ModeSymlink != 0
	}
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	switch c.Kind {
	case "ConditionPathIsDirectory":
		return info.IsDir()
	case "ConditionFileNotEmpty":
		return info.Mode().IsRegular() && info.Size() > 0
	case "ConditionDirectoryNotEmpty":
		entries, err := os.ReadDir(path)
		return err == nil && len(entries) > 0
	case "ConditionFileIsExecutable":
		return info.Mode().IsRegular() && info.Mode()&0o111 != 0
	case "ConditionPathIsMountPoint":
		return mountPoint(path) && (r.o.Covered == nil || !r.o.Covered(c.Path))
	}
	return true // ConditionPathExists
}

// mountPoint compares a directory with the one above it.
func mountPoint(path string) bool {
	var here, above unix.Stat_t
	err := errors.Join(unix.Stat(path, &here), unix.Stat(filepath.Join(path, ".."), &above))
	return err == nil && (here.Dev != above.Dev || here.Ino == above.Ino)
}
