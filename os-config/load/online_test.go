package load

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// droplet is a metadata service of DigitalOcean's kind.
type droplet struct {
	id   atomic.Int64
	ill  atomic.Int64 // how many requests fail before one goes well; below 0 all
	user atomic.Pointer[string]
	url  string
}

func newDroplet(t *testing.T) *droplet {
	t.Helper()
	d := &droplet{}
	d.id.Store(1)
	d.say("#cloud-config\nhostname: user\n")
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	d.url = s.URL
	return d
}

func (d *droplet) say(user string) { d.user.Store(&user) }

func (d *droplet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if ill := d.ill.Load(); ill != 0 {
		d.ill.Add(-1)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	switch r.URL.Path {
	case "/metadata/v1.json":
		fmt.Fprintf(w, `{"droplet_id": %d, "hostname": "droplet", "vendor_data": "#cloud-config\nhostname: vendor\nlocale: C\n",
			"interfaces": {"public": [{"mac": "04:01:2a:0f:2a:01", "ipv4": {"ip_address": "192.0.2.%d", "netmask": "255.255.255.0", "gateway": "192.0.2.254"}}]}}`, d.id.Load(), d.id.Load())
	case "/metadata/v1/user-data":
		fmt.Fprint(w, *d.user.Load())
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// dmi is a /sys of one machine.
func dmi(serial string) fstest.MapFS {
	return fstest.MapFS{
		"class/dmi/id/sys_vendor":     {Data: []byte("DigitalOcean\n")},
		"class/dmi/id/product_serial": {Data: []byte(serial + "\n")},
	}
}

// machine is a Loader for a droplet at a service of ours.
func (d *droplet) machine(root, serial string) *Loader {
	return &Loader{
		Root: root, Sys: dmi(serial), KeepLastGood: true, Cmdline: "rancher.cloud_init.datasources=[digitalocean:" + d.url + "]",
		IMDS: imds.Options{Timeout: time.Second, Backoff: func(int) time.Duration { return time.Millisecond }},
	}
}

// boot is both passes; it returns the results of each.
func boot(t *testing.T, l *Loader, limit time.Duration) (first, second Result, failed error) {
	t.Helper()
	first = l.Load(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var probes []datasource.Probe
	l.Answer, probes, failed = l.Fetch(ctx, first)
	l.Asked = true
	second = l.Load(t.Context())
	second.Probed = append(second.Probed, probes...)
	return first, second, failed
}

func address(c osconfig.Config) string {
	a := c.Rancher.Network.Interfaces["mac=04:01:2a:0f:2a:01"].Addresses
	return strings.Join(a, " ")
}

func TestOnline(t *testing.T) {
	d := newDroplet(t)
	d.ill.Store(3)
	d.say("#cloud-config\nhostname: user\nwrite_files: [{path: /a, content: $public_ipv4}]\n")
	first, second, err := boot(t, d.machine(t.TempDir(), "1"), time.Minute)
	if err != nil || first.Config.Hostname != "" || len(first.Pending) != 1 || first.InstanceID != "" {
		t.Errorf("first pass: %v, %+v", err, first.Pending)
	}
	c := second.Config
	if c.Hostname != "user" || c.Locale != "C" || c.WriteFiles[0].Content != "192.0.2.1" || address(c) != "192.0.2.1/24" || second.InstanceID != "1" || second.Report.HasErrors() || len(second.Pending) > 0 {
		t.Errorf("second pass: %s%+v", second.Report, c)
	}
	want := []Source{
		{"vendor-data", d.url + "/metadata/v1.json#vendor_data", Used},
		{"metadata", d.url + "/metadata/v1.json", Used},
		{"user-data", d.url + "/metadata/v1/user-data", Used},
		{"cmdline", "cmdline", Used},
	}
	if diff := cmp.Diff(want, second.Sources); diff != "" {
		t.Error(diff)
	}
	p := second.Probed
	if len(p) != 1 || p[0].State != datasource.Chosen || p[0].Source != "digitalocean" || p[0].Took == 0 || !strings.Contains(p[0].Detail, "rancher.cloud_init.datasources") {
		t.Errorf("%+v", p)
	}
}

func TestOnlineNeverAnswers(t *testing.T) {
	d := newDroplet(t)
	d.ill.Store(-1)
	root := t.TempDir()
	write(t, root, UserFile, "write_files: [{path: /a, content: 'to $public_ipv4.'}]\n")
	first, second, err := boot(t, d.machine(root, "1"), 50*time.Millisecond)
	if a, b := first.Config.WriteFiles[0].Content, second.Config.WriteFiles[0].Content; a != "to $public_ipv4." || b != "to ." || !strings.Contains(second.Report.String(), "$public_ipv4 is empty") {
		t.Errorf("%q, %q\n%s", a, b, second.Report)
	}
	if err == nil || !strings.Contains(err.Error(), "digitalocean: ") || !strings.Contains(err.Error(), "500") {
		t.Errorf("%v", err)
	}
	if second.Config.Hostname != first.Config.Hostname || len(second.Config.Rancher.Network.Interfaces) != 1 || second.Probed[0].State != datasource.Failed {
		t.Errorf("%+v\n%+v", second.Config, second.Probed)
	}
}

func TestCachedAnswer(t *testing.T) {
	d, root := newDroplet(t), t.TempDir()
	if _, _, err := boot(t, d.machine(root, "1"), time.Minute); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(root, answerFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}

	// The service is away: what it said before serves from the first pass on.
	d.ill.Store(-1)
	first, second, failed := boot(t, d.machine(root, "1"), 20*time.Millisecond)
	for _, r := range []Result{first, second} {
		if failed == nil || address(r.Config) != "192.0.2.1/24" || r.Config.Hostname != "user" || r.InstanceID != "1" || r.Probed[0].State != datasource.Cached {
			t.Errorf("%v: %s%+v\n%+v", failed, r.Report, r.Config, r.Probed)
		}
	}

	// A copy of the disk in another machine does not take over its address.
	first, second, _ = boot(t, d.machine(root, "2"), 20*time.Millisecond)
	for _, r := range []Result{first, second} {
		if address(r.Config) != "" || r.Config.Hostname != "" || r.InstanceID != "" {
			t.Errorf("another machine: %+v", r.Config)
		}
	}
	d.ill.Store(0)
	d.id.Store(2)
	if _, second, _ = boot(t, d.machine(root, "2"), time.Minute); address(second.Config) != "192.0.2.2/24" || second.InstanceID != "2" {
		t.Errorf("its own: %+v", second.Config)
	}
	if first, _, _ = boot(t, d.machine(root, "2"), time.Minute); address(first.Config) != "192.0.2.2/24" {
		t.Errorf("the next boot: %+v", first.Config)
	}
}

// TestNewInstance: where the firmware does not tell machines apart, the
// service does; the old one's network and copies are gone.
func TestNewInstance(t *testing.T) {
	d, root := newDroplet(t), t.TempDir()
	if _, _, err := boot(t, d.machine(root, ""), time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, lastGood, "user-data.yml")); err != nil {
		t.Fatal(err)
	}
	d.id.Store(2)
	d.say("#cloud-config\nhostname: \"broken\nx\n")
	first, second, err := boot(t, d.machine(root, ""), time.Minute)
	if first.InstanceID != "1" || second.InstanceID != "2" || err != nil {
		t.Errorf("%q, %q, %v", first.InstanceID, second.InstanceID, err)
	}
	if address(second.Config) != "192.0.2.2/24" || second.Config.Hostname != "droplet" || !strings.Contains(second.Report.String(), "there is no good copy of it") {
		t.Errorf("%s%+v", second.Report, second.Config)
	}
}

func TestDamagedCache(t *testing.T) {
	d, root := newDroplet(t), t.TempDir()
	write(t, root, answerFile, "{\"Source\": \"digi")
	first, second, err := boot(t, d.machine(root, "1"), time.Minute)
	if err != nil || first.InstanceID != "" || second.InstanceID != "1" {
		t.Errorf("%v %q %q", err, first.InstanceID, second.InstanceID)
	}
}

// TestVolumeGone: user-data of a volume holds when the volume is taken out,
// until another source says something or the configuration wants none.
func TestVolumeGone(t *testing.T) {
	root := t.TempDir()
	l := &Loader{Root: root, KeepLastGood: true, Devices: cidata("instance-id: i-1\n", "#cloud-config\nhostname: volume\n")}
	if got := l.Load(t.Context()); got.Config.Hostname != "volume" || got.Datasource != "nocloud" {
		t.Errorf("%+v", got.Config)
	}
	l.Devices = &disks{}
	if got := l.Load(t.Context()); got.Config.Hostname != "volume" || got.InstanceID != "i-1" || got.Report.HasErrors() {
		t.Errorf("%s%+v", got.Report, got.Config)
	}
	l.Cmdline = "rancher.cloud_init.datasources=[none]"
	if got := l.Load(t.Context()); got.Config.Hostname != "" || got.InstanceID != "" {
		t.Errorf("%+v", got.Config)
	}
	d := newDroplet(t)
	_, second, err := boot(t, d.machine(root, ""), time.Minute)
	if second.Config.Hostname != "user" || err != nil {
		t.Errorf("%v %+v", err, second.Config)
	}
}

func TestIncludes(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			fmt.Fprintf(w, "#include\nhttp://%s/b\n", r.Host)
			return
		}
		fmt.Fprint(w, "#cloud-config\nhostname: included\n")
	}))
	defer s.Close()
	l := &Loader{Root: t.TempDir(), KeepLastGood: true, Devices: cidata("", "#include\n"+s.URL+"/a\n"), Included: map[string][]byte{}}
	got := l.Load(t.Context())
	if got.Report.HasErrors() || len(got.Report) == 0 || len(got.Includes) != 1 {
		t.Errorf("first pass: %s%v", got.Report, got.Includes)
	}
	for range 2 { // an include that includes
		texts, err := l.FetchIncludes(t.Context(), got)
		if err != nil {
			t.Fatal(err)
		}
		for url, text := range texts {
			l.Included[url] = text
		}
		got = l.Load(t.Context())
	}
	if got.Config.Hostname != "included" || len(got.Includes) > 0 || len(got.Report) > 0 {
		t.Errorf("%s%v %+v", got.Report, got.Includes, got.Config)
	}
	// At the next boot the copies serve until they can be read again.
	l.Included = nil
	if got = l.Load(t.Context()); got.Config.Hostname != "included" || len(got.Includes) != 2 {
		t.Errorf("%s%v %+v", got.Report, got.Includes, got.Config)
	}
}

// TestAzureDVD: custom data is on the DVD of the first boot alone.
func TestAzureDVD(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"compute": {"vmId": "v-1", "name": "vm"}, "network": {"interface": []}}`)
	}))
	defer s.Close()
	ovf, err := os.ReadFile("../datasource/azure/testdata/ovf-env.xml")
	if err != nil {
		t.Fatal(err)
	}
	dvd := &disks{labels: map[string]string{"/dev/sr0": "rd_rdfe_stable.1"}, volumes: map[string]fstest.MapFS{"/dev/sr0": {"ovf-env.xml": {Data: ovf}}}}
	l := &Loader{Root: t.TempDir(), KeepLastGood: true, Cmdline: "rancher.cloud_init.datasources=[azure:" + s.URL + "]", Devices: dvd,
		IMDS: imds.Options{Timeout: time.Second, Backoff: func(int) time.Duration { return time.Millisecond }}}
	_, first, err := boot(t, l, time.Minute)
	if err != nil || len(l.Answer.Result.UserData) == 0 || first.InstanceID != "v-1" || dvd.mounted != 0 {
		t.Errorf("%v %+v", err, first.Sources)
	}
	l.Devices, l.Answer, l.Asked = &disks{}, nil, false
	if _, _, err := boot(t, l, time.Minute); err != nil || len(l.Answer.Result.UserData) == 0 {
		t.Errorf("without the DVD: %v", err)
	}
	s.Close()
	l.Devices, l.Answer, l.Asked = dvd, nil, false
	if _, _, err := boot(t, l, 30*time.Millisecond); err != nil || l.Answer.Result.Hostname == "" {
		t.Errorf("the DVD alone: %v", err)
	}
}

func TestUnknownSource(t *testing.T) {
	l := &Loader{Root: t.TempDir(), Cmdline: "rancher.cloud_init.datasources=[ec3]"}
	r := l.Load(t.Context())
	if len(r.Pending) == 0 {
		return // the validator has refused it already
	}
	if _, _, err := l.Fetch(t.Context(), r); err == nil || !strings.Contains(err.Error(), `there is no datasource "ec3"`) {
		t.Errorf("%v", err)
	}
}
