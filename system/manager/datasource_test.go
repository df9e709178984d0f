package manager

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/state"
	"github.com/pharos-os/pharos/system/supervise"
)

// service is a metadata service of DigitalOcean's kind.
type service struct {
	ill   atomic.Int64 // how many requests fail before one goes well; below 0 all
	url   string
	asked chan struct{} // gets a request when somebody waits for it
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{asked: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.asked <- struct{}{}:
		default:
		}
		switch {
		case s.ill.Load() != 0:
			s.ill.Add(-1)
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/metadata/v1.json":
			fmt.Fprint(w, `{"droplet_id": 7, "hostname": "droplet", "interfaces": {"public": [{"mac": "04:01:2a:0f:2a:01",
				"ipv4": {"ip_address": "192.0.2.7", "netmask": "255.255.255.0", "gateway": "192.0.2.1"}}]}}`)
		case r.URL.Path == "/metadata/v1/user-data":
			fmt.Fprintf(w, "#include\nhttp://%s/included\n", r.Host)
		case r.URL.Path == "/included":
			fmt.Fprint(w, "#cloud-config\nrancher: {docker: {debug: true}}\n")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *service) machine(root string) *Manager {
	m := &Manager{
		log: quiet(), root: root, cmdline: "rancher.cloud_init.datasources=[digitalocean:" + s.url + "]", sys: fstest.MapFS{},
		media: func() load.Devices { return nil },
		notes: map[string][]string{}, mounted: state.Mounted{Device: "/dev/vda4"},
		net: netconf.New(netconftest.NewKernel(), nil, nil, netconf.Options{}),
	}
	m.imds = newIMDS(imds.Options{Timeout: time.Second, Backoff: func(int) time.Duration { return time.Millisecond }}, m.upLinks)
	return m
}

// firstPass is what stepConfig loads.
func (m *Manager) firstPass(t *testing.T) load.Result {
	t.Helper()
	_, r := m.reload(t.Context())
	m.online.linkLocal = askLinkLocal(r)
	return r
}

func TestStepDatasource(t *testing.T) {
	s, root := newService(t), t.TempDir()
	s.ill.Store(3)
	m := s.machine(root)
	if r := m.firstPass(t); len(r.Pending) != 1 || !m.online.linkLocal || r.Config.Hostname != "" {
		t.Errorf("first pass: %+v", r.Pending)
	}
	if err := m.stepDatasource(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := m.loaded()
	if c := r.Config; c.Hostname != "droplet" || !c.Rancher.Docker.Debug || r.InstanceID != "7" || m.online.linkLocal {
		t.Errorf("second pass: %s%+v", r.Report, c)
	}
	if m.online.before == nil || m.online.before.Config.Hostname != "" {
		t.Error("nobody knows what to apply the difference to")
	}
	// Disks that show up late change nothing of it.
	if _, again := m.reload(t.Context()); again.Config.Hostname != "droplet" || len(again.Pending)+len(again.Includes) > 0 {
		t.Errorf("late: %+v", again.Pending)
	}

	// At the next boot the answer is there from the start, and the service may be away.
	s.ill.Store(-1)
	m = s.machine(root)
	if r := m.firstPass(t); r.Config.Hostname != "droplet" || r.InstanceID != "7" || !r.Config.Rancher.Docker.Debug {
		t.Errorf("next boot: %s%+v", r.Report, r.Config)
	}
	graph, err := supervise.NewGraph(quiet(), []supervise.Step{{Name: "units"}}) // which are never made
	if err != nil {
		t.Fatal(err)
	}
	m.graph = graph
	ctx, cancel := context.WithTimeout(t.Context(), fetchMargin+50*time.Millisecond)
	defer cancel()
	if err := m.stepDatasource(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("%v, %v", err, ctx.Err())
	}
	<-s.asked // beside the boot
	if _, err := m.takeAnswer(ctx); err == nil || m.online.linkLocal {
		t.Errorf("what it includes is away: %v", err)
	}
	if r := m.loaded(); r.Config.Hostname != "droplet" || r.Config.Rancher.Network.Interfaces["mac=04:01:2a:0f:2a:01"].Gateway != "192.0.2.1" {
		t.Errorf("the service is away: %+v", r.Config)
	}
}

func TestStepDatasourceNeverAnswers(t *testing.T) {
	s := newService(t)
	s.ill.Store(-1)
	m := s.machine(t.TempDir())
	m.firstPass(t)
	ctx, cancel := context.WithTimeout(t.Context(), fetchMargin+50*time.Millisecond)
	defer cancel()
	err := m.stepDatasource(ctx)
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "the boot went on without it: digitalocean: ") {
		t.Errorf("%v; the step's own deadline: %v", err, ctx.Err())
	}
	r := m.loaded()
	if !slices.ContainsFunc(r.Probed, func(p datasource.Probe) bool { return p.State == datasource.Failed && p.Took > 0 }) {
		t.Errorf("%+v", r.Probed)
	}
	sources, err := m.ConfigSources()
	if err != nil || len(sources.Probes) == 0 || sources.Probes[0].Name != "digitalocean" {
		t.Errorf("%+v, %v", sources, err)
	}
}

func TestNoDatasource(t *testing.T) {
	m := newService(t).machine(t.TempDir())
	m.cmdline = ""
	m.firstPass(t)
	if err := m.stepDatasource(t.Context()); err != nil || m.online.before != nil {
		t.Errorf("%v", err)
	}
	if err := m.stepApplyDatasource(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestUnitsOf: an answer that came before the units were made is in them.
func TestUnitsOf(t *testing.T) {
	m := &Manager{}
	one, two, three := osconfig.Config{Hostname: "1"}, osconfig.Config{Hostname: "2"}, osconfig.Config{Hostname: "3"}
	m.unitsOf(two, two) // addUnits
	if got := m.unitsOf(one, two); got.Hostname != "2" {
		t.Errorf("the units are %s", got.Hostname)
	}
	if got := m.unitsOf(one, three); got.Hostname != "2" {
		t.Errorf("the units are %s", got.Hostname)
	}
	if got := m.unitsOf(one, one); got.Hostname != "3" {
		t.Errorf("the units are %s", got.Hostname)
	}
}

func TestLinkDialer(t *testing.T) {
	refused := errors.New("refused")
	dial := func(ctx context.Context, _, _, link string) (net.Conn, error) {
		switch link {
		case "silent":
			<-ctx.Done()
			return nil, ctx.Err()
		case "refuses", "refuses2":
			return nil, refused
		}
		conn, far := net.Pipe()
		return conn, far.Close()
	}
	for _, tt := range []struct {
		links   string
		address string
		ok      bool
	}{
		{"silent refuses good", "169.254.169.254:80", true},
		{"refuses refuses2", "169.254.169.254:80", false},
		{"good", "169.254.169.254:80", true},
		{"refuses", "192.0.2.1:80", true}, // by the routing table
	} {
		conn, err := linkDialer{func() []string { return strings.Fields(tt.links) }, dial, time.Millisecond}.DialContext(t.Context(), "tcp", tt.address)
		if (err == nil) != tt.ok || (conn != nil) != tt.ok {
			t.Errorf("%v to %s: %v", tt.links, tt.address, err)
		}
		if !tt.ok && !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
	}
	// The right link comes up while the wrong one is silent.
	asked := 0
	later := linkDialer{func() []string { asked++; return []string{"silent", "good"}[:min(asked/3, 2)] }, dial, time.Millisecond}
	if conn, err := later.DialContext(t.Context(), "tcp", "169.254.169.254:80"); err != nil || conn == nil || asked < 6 {
		t.Errorf("%v after %d looks", err, asked)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	none := linkDialer{func() []string { return nil }, dial, time.Millisecond}
	if _, err := none.DialContext(ctx, "tcp", "169.254.169.254:80"); !errors.Is(err, errNoLink) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestEnterInstance(t *testing.T) {
	dir := t.TempDir()
	present := func() string {
		target, err := os.Readlink(filepath.Join(dir, "instance"))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, "instance")); err != nil || !info.IsDir() {
			t.Errorf("the link leads nowhere: %v", err)
		}
		return target
	}
	if err := os.MkdirAll(filepath.Join(dir, "instance/old"), 0o755); err != nil { // of an older version
		t.Fatal(err)
	}
	var got []string
	for _, id := range []string{"", "", "i-1", "", "i-2", "i-1", "../../etc", "..", strings.Repeat("x", 400)} {
		if err := enterInstance(dir, id); err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		got = append(got, present())
	}
	want := []string{"instances/iid-datasource-none", "instances/iid-datasource-none", "instances/i-1", "instances/i-1", "instances/i-2",
		"instances/i-1", "instances/.._.._etc", "instances/iid-datasource-none", "instances/" + strings.Repeat("x", 128)}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := os.RemoveAll(filepath.Join(dir, "instances")); err != nil { // a link that leads nowhere
		t.Fatal(err)
	}
	if err := enterInstance(dir, ""); err != nil {
		t.Error(err)
	}
	present()
}

func TestMediaOfVirtio(t *testing.T) {
	sysfs := t.TempDir()
	put := func(path, text string) {
		path = filepath.Join(sysfs, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if got := mediaDrivers(sysfs); len(got) > 0 {
		t.Errorf("an empty machine needs %v", got)
	}
	put("bus/acpi/devices/QEMU0002:00/hid", "QEMU0002")
	put("bus/virtio/devices/virtio0/device", "0x0001\n")
	put("bus/virtio/devices/virtio1/device", "0x0009\n")
	if d := cmp.Diff([]string{"qemu_fw_cfg", "9pnet_virtio", "9p"}, mediaDrivers(sysfs)); d != "" {
		t.Error(d)
	}
	put("bus/virtio/drivers/9pnet_virtio/virtio1/mount_tag", "config-2\x00")
	disks := func() ([]state.Disk, error) {
		return []state.Disk{{Path: "/dev/sr0", Label: "CIDATA", Type: "iso9660"}, {Path: "/dev/sr1", Label: "rd_rdfe_stable.1", Type: "udf"}}, nil
	}
	m := media{disks, sysfs, quiet()}
	for labels, want := range map[string]string{"config-2": "config-2 9p", "cidata": "/dev/sr0 iso9660", "rd_rdfe*": "/dev/sr1 udf", "rd_rdfe": "", "config": ""} {
		found, err := m.Labelled(t.Context(), labels)
		var got []string
		for _, d := range found {
			got = append(got, d.Path+" "+d.FSType)
		}
		if err != nil || strings.Join(got, ",") != want {
			t.Errorf("%s: %v, %v", labels, got, err)
		}
	}
}
