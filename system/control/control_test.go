package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

const patience = 10 * time.Second

// fakeManager behaves like a manager with two services and ten log lines.
type fakeManager struct {
	mu       sync.Mutex
	services []api.Service
	shutdown []api.Shutdown
	query    api.LogQuery
	left     chan struct{} // one for each follower that has left
	asked    []string      // about the configuration, in order
}

func newFakeManager() *fakeManager {
	return &fakeManager{left: make(chan struct{}, 10), services: []api.Service{{Name: "udev", State: "running", PID: 7}, {Name: "ntp", State: "stopped"}}}
}

func (m *fakeManager) Status() api.Status {
	return api.Status{State: api.StateDegraded, Hostname: "pharos", Network: []api.Link{{Name: "eth0"}}}
}

func (m *fakeManager) Boot() api.Boot { return api.Boot{} }

func (m *fakeManager) Services() []api.Service {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.services
}

func (m *fakeManager) set(name, from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.services, func(s api.Service) bool { return s.Name == name })
	switch {
	case i < 0:
		return fmt.Errorf("there is no service %q: %w", name, errdefs.ErrNotFound)
	case from != "" && m.services[i].State != from:
		return fmt.Errorf("%s is %s: %w", name, m.services[i].State, errdefs.ErrFailedPrecondition)
	}
	m.services[i].State = to
	return nil
}

func (m *fakeManager) Start(_ context.Context, name string) error {
	return m.set(name, "stopped", "running")
}
func (m *fakeManager) Stop(_ context.Context, name string) error {
	return m.set(name, "running", "stopped")
}

func (m *fakeManager) Restart(ctx context.Context, name string) error {
	if name == "slow" {
		<-ctx.Done()
		return ctx.Err()
	}
	return m.set(name, "", "running")
}

func (m *fakeManager) Processes(name string) ([]api.Process, error) {
	if name != "udev" {
		return nil, fmt.Errorf("there is no service %q: %w", name, errdefs.ErrNotFound)
	}
	return []api.Process{{PID: 7, Command: "systemd-udevd", RSS: 1 << 20, State: "S"}}, nil
}

func (m *fakeManager) Logs(ctx context.Context, q api.LogQuery, fn func(api.LogLine) error) error {
	m.mu.Lock()
	m.query = q
	m.mu.Unlock()
	if q.Unit == "nope" {
		return fmt.Errorf("there is no log of %q: %w", q.Unit, errdefs.ErrNotFound)
	}
	for i := range 10 {
		if err := fn(api.LogLine{Time: time.Unix(int64(i), 0).UTC(), Unit: "udev", Text: fmt.Sprint("line ", i)}); err != nil {
			return err
		}
	}
	if q.Follow {
		<-ctx.Done()
		m.left <- struct{}{}
	}
	return nil
}

func (m *fakeManager) Config(key string, full, private bool) (string, error) {
	if key == "nope" {
		return "", fmt.Errorf("nothing is set at nope: %w", errdefs.ErrNotFound)
	}
	return fmt.Sprintf("key: %q\nfull: %v\nprivate: %v\n", key, full, private), nil
}

func (m *fakeManager) Shutdown(action string, force bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.shutdown) > 0 {
		return errors.New("it is on its way already")
	}
	m.shutdown = append(m.shutdown, api.Shutdown{Action: action, Force: force})
	return nil
}

// serve serves m on a socket until the test ends.
func serve(t *testing.T, m control.Backend) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "control.sock")
	l, err := control.Listen(socket, os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, l, m, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve does not end")
		}
	})
	return socket
}

func TestReads(t *testing.T) {
	c := client.New(serve(t, newFakeManager()))
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Lists are never null, whatever the manager leaves out.
	want := api.Status{State: api.StateDegraded, Hostname: "pharos", Reasons: []string{}, Notes: []string{}, Waiting: []string{},
		Network: []api.Link{{Name: "eth0", Addresses: []string{}}}}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Error(diff)
	}
	boot, err := c.Boot(t.Context())
	if diff := cmp.Diff(api.Boot{Stages: []api.Stage{}, Milestones: []api.Milestone{}}, boot); diff != "" || err != nil {
		t.Error(diff, err)
	}
	ps, err := c.Processes(t.Context(), "udev")
	if diff := cmp.Diff([]api.Process{{PID: 7, Command: "systemd-udevd", RSS: 1 << 20, State: "S"}}, ps); diff != "" || err != nil {
		t.Error(diff, err)
	}
	text, err := c.Config(t.Context(), "a.b", true, false)
	if diff := cmp.Diff("key: \"a.b\"\nfull: true\nprivate: false\n", text); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestVerbs(t *testing.T) {
	m := newFakeManager()
	c := client.New(serve(t, m))
	for i, step := range []struct {
		do   func(context.Context, string) error
		name string
		err  string
	}{
		{c.Start, "ntp", ""},
		{c.Start, "ntp", "ntp is running"},
		{c.Stop, "ntp", ""},
		{c.Restart, "udev", ""},
		{c.Restart, "a/b ü", `there is no service "a/b ü"`},
		{c.Stop, "nope", `there is no service "nope"`},
	} {
		err := step.do(t.Context(), step.name)
		if got := fmt.Sprint(err); (err != nil) != (step.err != "") || step.err != "" && got != step.err {
			t.Errorf("step %d: %v, want %q", i, err, step.err)
		}
	}
	services, err := c.Services(t.Context())
	if err != nil || services[0].State != "running" || services[1].State != "stopped" {
		t.Errorf("%+v, %v", services, err)
	}
}

func TestShutdown(t *testing.T) {
	m := newFakeManager()
	c := client.New(serve(t, m))
	if err := c.Shutdown(t.Context(), api.Shutdown{Action: "sleep"}); err == nil {
		t.Error("sleep is taken")
	}
	if err := c.Shutdown(t.Context(), api.Shutdown{Action: "reboot", Force: true}); err != nil {
		t.Error(err)
	}
	if err := c.Shutdown(t.Context(), api.Shutdown{Action: "halt"}); err == nil || err.Error() != "it is on its way already" {
		t.Error(err)
	}
	if diff := cmp.Diff([]api.Shutdown{{Action: "reboot", Force: true}}, m.shutdown); diff != "" {
		t.Error(diff)
	}
}

func TestLogs(t *testing.T) {
	m := newFakeManager()
	c := client.New(serve(t, m))
	q := api.LogQuery{Unit: "udev", Lines: 3, Since: time.Date(2026, 11, 20, 1, 2, 3, 456, time.UTC)}
	var got []string
	err := c.Logs(t.Context(), q, func(l api.LogLine) error { got = append(got, l.Text); return nil })
	if err != nil || len(got) != 10 || got[9] != "line 9" {
		t.Errorf("%q, %v", got, err)
	}
	if diff := cmp.Diff(q, m.query); diff != "" {
		t.Error(diff)
	}
	err = c.Logs(t.Context(), api.LogQuery{Unit: "nope"}, nil)
	if err == nil || err.Error() != `there is no log of "nope"` {
		t.Error(err)
	}
}

func TestFollowedLogsArriveAtOnce(t *testing.T) {
	m := newFakeManager()
	c := client.New(serve(t, m))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n := 0
	err := c.Logs(ctx, api.LogQuery{Lines: -1, Follow: true}, func(api.LogLine) error {
		if n++; n == 10 {
			cancel() // the server still holds the stream open
		}
		return nil
	})
	if n != 10 || err != nil {
		t.Errorf("%d lines, %v", n, err)
	}
	select {
	case <-m.left:
	case <-time.After(patience):
		t.Error("the server does not see that the client has left")
	}
}

// The server's end does not wait for followers and slow verbs.
func TestServeEnds(t *testing.T) {
	c := client.New(serve(t, newFakeManager()))
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	begun := make(chan struct{}, 20)
	go func() {
		_ = c.Logs(ctx, api.LogQuery{Lines: -1, Follow: true}, func(api.LogLine) error { begun <- struct{}{}; return nil })
	}()
	go func() { _ = c.Restart(ctx, "slow") }()
	<-begun
}

// raw sends a request as it is.
func raw(t *testing.T, socket, method, path, body string) (int, string) {
	t.Helper()
	hc := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://pharos"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestEveryErrorIsASentence(t *testing.T) {
	socket := serve(t, newFakeManager())
	for _, tc := range []struct {
		method, path, body string
		code               int
		text               string
	}{
		{"GET", "/", "", 404, "this manager has no GET /"},
		{"DELETE", "/v1/status", "", 404, "this manager has no DELETE /v1/status"},
		{"POST", "/v1/services/udev/explode", "", 404, "this manager has no POST /v1/services/udev/explode"},
		{"GET", "/v1/services/nope/processes", "", 404, `there is no service "nope"`},
		{"POST", "/v1/services/udev/start", "", 409, "udev is running"},
		{"GET", "/v1/logs?lines=x", "", 400, `lines="x" is not a number`},
		{"GET", "/v1/logs?since=yesterday", "", 400, `since="yesterday" is not an RFC 3339 time`},
		{"GET", "/v1/logs?follow=perhaps", "", 400, `follow="perhaps" is not 0 or 1`},
		{"GET", "/v1/config?key=nope", "", 404, "nothing is set at nope"},
		{"GET", "/v1/config/origin?key=nope", "", 404, "nothing is set at nope"},
		{"POST", "/v1/config/edit", `{"verb":"frob"}`, 400, `"frob" is no change of a configuration`},
		{"POST", "/v1/config/edit", `{"verb":"set"}`, 400, "set needs a key"},
		{"POST", "/v1/config/edit", `{"verb":"set","key":"nope"}`, 400, "refused"},
		{"POST", "/v1/config/apply", `{"try":1e300}`, 400, "1e+300 seconds is no time for a trial"},
		{"GET", "/v1/config/apply", "", 404, "this manager has no GET /v1/config/apply"},
		{"POST", "/v1/config/confirm", "", 409, "nothing is on trial"},
		{"POST", "/v1/shutdown", "", 400, "request body: EOF"},
		{"POST", "/v1/shutdown", `{"action":"reboot"} {}`, 400, "request body: more than one value"},
		{"POST", "/v1/shutdown", `{"acton":"reboot"}`, 400, `request body: json: unknown field "acton"`},
		{"POST", "/v1/shutdown", `{"action":"` + strings.Repeat("x", 5<<20) + `"}`, 413, "http: request body too large"},
	} {
		code, text := raw(t, socket, tc.method, tc.path, tc.body)
		var e api.Error
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Errorf("%s %s: %q: %v", tc.method, tc.path, text, err)
		}
		if code != tc.code || e.Error != tc.text {
			t.Errorf("%s %s: %d %q, want %d %q", tc.method, tc.path, code, e.Error, tc.code, tc.text)
		}
	}
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	for range 3 {
		l, err := control.Listen(path, os.Getgid())
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != os.ModeSocket|0o660 {
			t.Fatalf("%v, %v", info, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.New(path).Status(t.Context()); !errors.Is(err, client.ErrAway) {
		t.Errorf("a dead socket: %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	_, err := client.New(path).Status(t.Context())
	want := "the manager does not answer at " + path + ": are you on Pharos? There is no such socket here"
	if !errors.Is(err, client.ErrAway) || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// TestCutAnswer has a manager that ends while it answers.
func TestCutAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"state": "rea`)
	})}
	go server.Serve(l)
	defer server.Close()
	c := client.New(path)
	_, status := c.Status(t.Context())
	_, config := c.Config(t.Context(), "", false, false)
	logs := c.Logs(t.Context(), api.LogQuery{}, func(api.LogLine) error { return nil })
	for what, err := range map[string]error{"status": status, "config": config, "logs": logs} {
		const want = "the manager does not answer any more: it ended in the middle of its answer"
		if !errors.Is(err, client.ErrAway) || err.Error() != want {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
}
