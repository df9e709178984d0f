package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (write it with -update):\n%s", path, diff)
	}
}

// noon is when every test takes place.
func noon() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// fakeManager is a manager of a machine that has booted.
type fakeManager struct {
	status   api.Status
	boot     api.Boot
	asked    []string // verbs, in order
	shutdown []api.Shutdown
	holds    bool // a followed log goes on
	config   fakeConfig
	network  fakeNetwork
	swarm    api.Swarm
	binds    api.Binds
}

func newFakeManager() *fakeManager {
	return &fakeManager{
		status: api.Status{
			State: api.StateReady, Version: "0.2.0", Slot: "iso", Hostname: "pharos", Kernel: "6.12.48+deb13-cloud-amd64",
			Engine: api.Engine{Name: "docker", Version: "29.1.3", Ready: true}, Storage: "ram", Uptime: 754.31,
			Network: []api.Link{
				{Name: "eth0", MAC: "52:54:00:12:34:56", Up: true, State: api.LinkUp, Addresses: []string{"10.0.2.15/24", "fec0::5054:ff:fe12:3456/64"}, Gateway: "10.0.2.2", Source: "dhcp"},
				{Name: "eth1", MAC: "52:54:00:12:34:57", State: api.LinkDown, Source: "none"},
				{Name: "wlan0", MAC: "52:54:00:12:34:58", Up: true, State: api.LinkNoCarrier, Source: "none"},
			},
		},
		boot: aBoot(),
	}
}

// aBoot has the shape of a boot in software emulation.
func aBoot() api.Boot {
	return api.Boot{
		Stages: []api.Stage{
			{Name: "mounts", Lane: "init", Start: 1.92, End: 1.95},
			{Name: "modules", Lane: "init", Start: 1.95, End: 2.21, After: []string{"mounts"}},
			{Name: "system image", Lane: "init", Start: 2.05, End: 2.38, After: []string{"modules"}},
			{Name: "verity", Lane: "init", Start: 2.38, End: 2.44, After: []string{"system image"}},
			{Name: "offline config", Lane: "manager", Start: 2.61, End: 2.68},
			{Name: "state", Lane: "manager", Start: 2.68, End: 3.02, After: []string{"offline config"}},
			{Name: "sysctls and modules", Lane: "manager", Start: 2.70, End: 2.93},
			{Name: "containerd", Lane: "manager", Start: 2.66, End: 4.21},
			{Name: "online config", Lane: "manager", Start: 4.02, End: 4.10, Error: "no datasource answers at label cidata: the disk /dev/vdb is no file system that is known"},
			{Name: "eth0", Lane: "network", Start: 2.72, End: 3.98},
			{Name: "eth1", Lane: "network", Start: 2.72, Deadline: 32.72},
			{Name: "udev", Lane: "unit", Start: 4.22, End: 5.40, After: []string{"containerd"}},
			{Name: "udev-settled", Lane: "unit", Start: 5.40, End: 6.25, After: []string{"udev"}},
			{Name: "console", Lane: "unit", Start: 4.30, End: 7.44, After: []string{"containerd"}},
			{Name: "syslog", Lane: "unit", Start: 5.42, End: 7.02},
			{Name: "ntp", Lane: "unit", Start: 7.03, End: 7.91, After: []string{"eth0", "syslog"}},
			{Name: "docker", Lane: "unit", Start: 4.31, End: 13.37, After: []string{"containerd", "state"}, Deadline: 94.31},
		},
		Milestones: []api.Milestone{
			{Name: "manager", At: 2.60}, {Name: "network", At: 3.98}, {Name: "containerd", At: 4.21},
			{Name: "console", At: 7.44}, {Name: "ssh", At: 7.45}, {Name: "engine", At: 13.37}, {Name: "ready", At: 13.41},
		},
	}
}

func (m *fakeManager) Status() api.Status { return m.status }
func (m *fakeManager) Boot() api.Boot     { return m.boot }

func (m *fakeManager) Services() []api.Service {
	ago := func(d time.Duration) time.Time { return noon().Add(-d) }
	return []api.Service{
		{Name: "udev", Image: "udev", State: "running", Since: ago(12 * time.Minute), PID: 311, Memory: 7 << 20, Message: "ready after 1.18s", Capabilities: []string{"CAP_MKNOD"}},
		{Name: "syslog", Image: "syslog", State: "running", Since: ago(90 * time.Second), PID: 402, Restarts: 1, Memory: 3<<20 + 512<<10, Message: "ready after 1.60s"},
		{Name: "ntp", Image: "ntp", State: "crash-looping", Since: ago(4 * time.Second), Restarts: 17, Message: "exit code 1, the 17th time; next start in 60s: chronyd could not open /etc/chrony/chrony.conf"},
		{Name: "console", Image: "console", State: "running", Since: ago(12 * time.Minute), PID: 500, Memory: 19 << 20},
		{Name: "docker", Image: "docker", State: "waiting", Message: "waits for state"},
	}
}

func (m *fakeManager) verb(verb, name string) error {
	if !slices.ContainsFunc(m.Services(), func(s api.Service) bool { return s.Name == name }) {
		return fmt.Errorf("there is no service %q: %w", name, errdefs.ErrNotFound)
	}
	m.asked = append(m.asked, verb+" "+name)
	return nil
}

func (m *fakeManager) Start(_ context.Context, name string) error   { return m.verb("start", name) }
func (m *fakeManager) Stop(_ context.Context, name string) error    { return m.verb("stop", name) }
func (m *fakeManager) Restart(_ context.Context, name string) error { return m.verb("restart", name) }

func (m *fakeManager) Processes(name string) ([]api.Process, error) {
	switch name {
	case "udev":
		return []api.Process{{PID: 311, Command: "/usr/lib/systemd/systemd-udevd", RSS: 6 << 20, State: "S"}}, nil
	case "syslog":
		return []api.Process{{PID: 402, Command: "rsyslogd -n", RSS: 3 << 20, State: "S"}}, nil
	case "console":
		return []api.Process{
			{PID: 500, Command: "ros-console", RSS: 11 << 20, State: "S"},
			{PID: 531, Command: "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", RSS: 8 << 20, State: "S"},
		}, nil
	}
	return nil, fmt.Errorf("there is no service %q: %w", name, errdefs.ErrNotFound)
}

func (m *fakeManager) Logs(ctx context.Context, q api.LogQuery, fn func(api.LogLine) error) error {
	m.asked = append(m.asked, fmt.Sprintf("logs %q %d %v %v", q.Unit, q.Lines, q.Follow, !q.Since.IsZero() && q.Since.Before(noon())))
	for i, l := range []api.LogLine{
		{Unit: "kernel", Text: "Linux version 6.12"},
		{Unit: "system", Text: "manager: reached ssh at=7.45s"},
		{Unit: "docker", Text: `API listen on "/run/docker.sock"`},
	} {
		if q.Unit == "" || q.Unit == l.Unit {
			if i > 0 {
				l.Time = noon().Add(time.Duration(i-10) * time.Minute)
			}
			if err := fn(l); err != nil {
				return err
			}
		}
	}
	if q.Follow && m.holds {
		<-ctx.Done()
	}
	return nil
}

func (m *fakeManager) Config(key string, full, private bool) (string, error) {
	m.asked = append(m.asked, fmt.Sprintf("config %q %v %v", key, full, private))
	if key == "hostname" {
		return "pharos\n", nil
	}
	return "hostname: pharos\nrancher:\n  ssh:\n    port: 22\n", nil
}

func (m *fakeManager) Shutdown(action string, force bool) error {
	m.shutdown = append(m.shutdown, api.Shutdown{Action: action, Force: force})
	return nil
}

// screen is a terminal whose output a test reads, of a machine that m manages.
func screen(t *testing.T, m control.Backend) (*terminal, *bytes.Buffer) {
	t.Helper()
	term, out, _ := screenAt(t, m)
	return term, out
}

// screenAt is screen and the manager's socket.
func screenAt(t *testing.T, m control.Backend) (*terminal, *bytes.Buffer, string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "control.sock")
	if m != nil {
		l, err := control.Listen(socket, os.Getgid())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- control.Serve(ctx, l, m, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	var out bytes.Buffer
	return &terminal{in: &bytes.Buffer{}, out: &out, err: io.Discard, now: noon, zone: time.UTC, manager: client.New(socket)}, &out, socket
}
