package vmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

// status asks `ros status --json`; its exit code must be 0 exactly when ready.
func (g *guest) status(t *testing.T) api.Status {
	t.Helper()
	res := g.try(t, "ros status --json")
	var s api.Status
	if err := json.Unmarshal([]byte(res.Stdout), &s); err != nil {
		t.Fatalf("ros status --json: %v: code %d\n%s%s", err, res.Code, res.Stdout, res.Stderr)
	}
	if ready := s.State == api.StateReady; ready != (res.Code == 0) {
		t.Errorf("ros status: state %q with exit code %d", s.State, res.Code)
	}
	return s
}

// settled waits until the machine no longer boots and returns its status.
func (g *guest) settled(t *testing.T) api.Status {
	t.Helper()
	g.eventually(t, bootDeadline, "ros status --json", func(r Result) bool {
		var s api.Status
		return json.Unmarshal([]byte(r.Stdout), &s) == nil && s.State != api.StateBooting
	})
	t.Logf("stages:\n%s", g.try(t, "ros boot").Stdout)
	return g.status(t)
}

// ready waits for state ready.
func (g *guest) ready(t *testing.T, within time.Duration) {
	t.Helper()
	g.eventually(t, within, "ros status --json", func(r Result) bool {
		var s api.Status
		return json.Unmarshal([]byte(r.Stdout), &s) == nil && s.State == api.StateReady && s.Engine.Ready
	})
}

// services asks `ros service list --json`.
func (g *guest) services(t *testing.T) map[string]api.Service {
	t.Helper()
	var list []api.Service
	if err := json.Unmarshal([]byte(g.run(t, "ros service list --json")), &list); err != nil {
		t.Fatalf("ros service list --json: %v", err)
	}
	byName := map[string]api.Service{}
	for _, s := range list {
		byName[s.Name] = s
	}
	return byName
}

// feed runs a command that must succeed with something on its standard input.
func (g *guest) feed(t *testing.T, command string, data []byte) {
	t.Helper()
	ctx, cancel := Within(t.Context(), stepDeadline, command)
	defer cancel()
	r, err := g.ssh.RunInput(ctx, command, bytes.NewReader(data))
	if err != nil || r.Code != 0 {
		t.Fatalf("%s: %v: code %d\n%s%s", command, err, r.Code, r.Stdout, r.Stderr)
	}
}

// loadPayload gives the guest's engine the image of the payload.
func (g *guest) loadPayload(t *testing.T) {
	t.Helper()
	image, err := BuildPayloadImage(g.lab.files.Root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g.feed(t, "docker load", image)
}

// serve starts a payload container under name, with options, on port 8080.
func (g *guest) serve(t *testing.T, name, options string) {
	t.Helper()
	g.run(t, fmt.Sprintf("docker run -d --name %s %s -p 8080:8080 %s", name, options, PayloadImage))
}

// startedAt is when a user container was started, and as which process.
func (g *guest) startedAt(t *testing.T, name string) string {
	t.Helper()
	return g.run(t, "docker inspect -f '{{.State.StartedAt}} {{.State.Pid}} {{.RestartCount}}' "+name)
}

// page fetches the payload's page through the host's forward.
func (g *guest) page(ctx context.Context, patience time.Duration) (string, error) {
	port, err := g.HostPort(8080)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && !strings.HasPrefix(string(body), "payload ") {
		err = fmt.Errorf("unexpected page %q", body)
	}
	return string(body), err
}

// poller asks for the payload's page ten times a second and notes the longest
// time without an answer and every different page.
type poller struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	last  time.Time
	worst time.Duration
	pages []string
}

func (g *guest) poll(t *testing.T) *poller {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &poller{cancel: cancel, last: time.Now()}
	p.done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			// Requests overlap: one that hangs must not hide those that would work.
			p.done.Go(func() { p.note(g.page(ctx, 10*time.Second)) })
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() { cancel(); p.done.Wait() })
	return p
}

func (p *poller) note(page string, err error) {
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.worst = max(p.worst, now.Sub(p.last))
	p.last = now
	if !slices.Contains(p.pages, page) {
		p.pages = append(p.pages, page)
	}
}

// take returns the longest time without an answer since the last take, and how
// many different pages there were at all.
func (p *poller) take() (worst time.Duration, pages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	worst = max(p.worst, time.Since(p.last))
	p.worst = 0
	return worst, len(p.pages)
}
