package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endLiveRestore tells the running dockerd to take its containers along when
// it stops. With live-restore it would leave them running; stopped one by one
// through its API they would count as stopped by hand, and
// "--restart unless-stopped" would not bring them back at the next boot.
func (e *engine) endLiveRestore(ctx context.Context) error {
	e.config["live-restore"] = false
	if err := e.writeConfig(); err != nil {
		return err
	}
	e.mu.Lock()
	dockerd := e.dockerd
	e.mu.Unlock()
	if dockerd == nil {
		return errors.New("dockerd never ran")
	}
	ctx, cancel := context.WithTimeout(ctx, min(reloadTimeout, e.StopTimeout/4))
	defer cancel()
	events, err := e.subscribe(ctx, "reload")
	if err != nil {
		return err
	}
	defer events.Body.Close()
	if err := dockerd.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	var event struct{ Action string }
	if err := json.NewDecoder(events.Body).Decode(&event); err != nil {
		return fmt.Errorf("answer of dockerd to the reload: %w", err)
	}
	return nil
}

// subscribe opens dockerd's stream of one event.
func (e *engine) subscribe(ctx context.Context, event string) (*http.Response, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", e.dockerSocket())
		},
	}}
	target := "http://docker/events?filters=" + url.QueryEscape(`{"event":["`+event+`"]}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("events of dockerd: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("events of dockerd: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("events of dockerd: %s", answer.Status)
	}
	return answer, nil
}

// killReserve is how long before the deadline whatever still runs is killed.
const killReserve = 2 * time.Second

// endContainers ends what dockerd left running, which is nothing unless it
// was dead or hung: SIGTERM to all, SIGKILL when ctx is nearly over. It
// returns an error if it had to kill.
func (e *engine) endContainers(ctx context.Context) error {
	group := filepath.Join(e.Cgroup, containersGroup)
	if !populated(group) {
		return nil
	}
	signalAll(group, unix.SIGTERM)
	grace := ctx
	if at, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		grace, cancel = context.WithDeadline(ctx, at.Add(-killReserve))
		defer cancel()
	}
	if emptied(grace, group) {
		return nil
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.kill"), []byte("1"), 0o644); err != nil {
		signalAll(group, unix.SIGKILL)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), killReserve)
	defer cancel()
	emptied(last, group)
	return context.DeadlineExceeded
}

// populated reads cgroup.events, see the kernel's admin-guide/cgroup-v2.
func populated(group string) bool {
	events, err := os.ReadFile(filepath.Join(group, "cgroup.events"))
	return err == nil && strings.Contains(string(events), "populated 1")
}

// emptied waits until nothing runs in group; false when ctx ended first.
func emptied(ctx context.Context, group string) bool {
	// The file's changes could be polled for; at the end of everything a
	// look each 50 ms costs nothing and cannot miss one.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for populated(group) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// signalAll signals every process of group and of the groups below.
func signalAll(group string, sig syscall.Signal) {
	filepath.WalkDir(group, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		procs, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return nil
		}
		for field := range strings.FieldsSeq(string(procs)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
				unix.Kill(pid, sig)
			}
		}
		return nil
	})
}
