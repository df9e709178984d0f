package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/pharos-os/pharos/system/unit"
)

// Check asks a probe once. It is bounded by ctx and by two seconds.
func Check(ctx context.Context, p unit.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	switch {
	case p.HTTP != "":
		return checkHTTP(ctx, p.Socket, p.HTTP)
	case p.Socket != "":
		return checkDial(ctx, "unix", p.Socket, "")
	case p.TCP != "":
		return checkDial(ctx, "tcp", p.TCP, p.Banner)
	case p.File != "":
		_, err := os.Stat(p.File)
		return err
	}
	return nil
}

func checkDial(ctx context.Context, network, address, banner string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if banner == "" {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetReadDeadline(deadline); err != nil {
			return fmt.Errorf("read deadline on %s: %w", address, err)
		}
	}
	got := make([]byte, len(banner))
	if _, err := io.ReadFull(conn, got); err != nil {
		return fmt.Errorf("banner of %s: %w", address, err)
	}
	if string(got) != banner {
		return fmt.Errorf("banner of %s: got %q, want %q", address, got, banner)
	}
	return nil
}

func checkHTTP(ctx context.Context, socket, path string) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://unit"+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s on %s: status %s", path, socket, resp.Status)
	}
	return nil
}

// probeEvery is the pace of a readiness check. A socket that accepts, a banner
// and an HTTP answer have no event to wait for; a connect costs microseconds.
const probeEvery = 100 * time.Millisecond

// defaultReadyTimeout bounds a start whose probe names no timeout.
const defaultReadyTimeout = 60 * time.Second

var errNotReady = errors.New("not ready in time")

// awaitReady asks check until it answers nil; the last answer is in the error.
func awaitReady(ctx context.Context, p unit.Probe, check func(context.Context, unit.Probe) error) error {
	if p.IsZero() {
		return nil
	}
	timeout := p.Timeout
	if timeout == 0 {
		timeout = defaultReadyTimeout
	}
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var deadline <-chan time.Time
	for {
		if deadline == nil && since(p) {
			timer := time.NewTimer(timeout)
			defer timer.Stop()
			deadline = timer.C
		}
		err := check(ctx, p)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return fmt.Errorf("%w (%s): %w", errNotReady, timeout, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// since reports whether a probe's timeout counts.
func since(p unit.Probe) bool {
	if p.Since == "" {
		return true
	}
	_, err := os.Stat(p.Since)
	return !errors.Is(err, fs.ErrNotExist) // what cannot be looked at is not waited for
}
