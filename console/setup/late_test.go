package setup

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// ears is a server that notes what is posted and answers with one status
// after the other; the last one stays.
type ears struct {
	mu     sync.Mutex
	status []int
	heard  []url.Values
}

func (e *ears) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := r.ParseForm(); err == nil && r.Method == http.MethodPost {
		e.heard = append(e.heard, r.PostForm)
	}
	status := e.status[0]
	if len(e.status) > 1 {
		e.status = e.status[1:]
	}
	w.WriteHeader(status)
}

func TestPhoneHome(t *testing.T) {
	r := newRoom(t)
	e := &ears{status: []int{500, 200}}
	server := httptest.NewServer(e)
	defer server.Close()
	s := r.setup()
	if _, err := s.ensureKeys(""); err != nil {
		t.Fatal(err)
	}
	p := Plan{InstanceID: "i-1", Hostname: "box", FQDN: "box.example.org", PhoneHome: osconfig.PhoneHome{
		URL: server.URL + "/$INSTANCE_ID/", Post: []string{"hostname", "fqdn", "instance_id", "pub_key_rsa", "pub_key_ed25519"}, Tries: 3,
	}}
	s.late(t.Context(), p, false)
	if len(s.status.Problems) > 0 || len(e.heard) != 2 {
		t.Fatalf("problems %q after %d requests", s.status.Problems, len(e.heard))
	}
	got := e.heard[1]
	if !strings.HasPrefix(got.Get("pub_key_ed25519"), "ssh-ed25519 AAAA") {
		t.Errorf("key %q", got.Get("pub_key_ed25519"))
	}
	got.Del("pub_key_ed25519")
	if d := cmp.Diff(url.Values{"hostname": {"box"}, "fqdn": {"box.example.org"}, "instance_id": {"i-1"}, "pub_key_rsa": {"N/A"}}, got); d != "" {
		t.Error(d)
	}
	// Once for each instance.
	r.setup().late(t.Context(), p, false)
	p.InstanceID = ""
	r.setup().late(t.Context(), p, false)
	if len(e.heard) != 2 {
		t.Error("again for the same instance")
	}
	p.InstanceID = "i-2"
	p.PhoneHome.Post = []string{"all"}
	r.setup().late(t.Context(), p, false)
	if len(e.heard) != 3 || len(e.heard[2]) != 6 {
		t.Errorf("another instance: %v", e.heard)
	}
}

func TestPhoneHomeByProxy(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	defer proxy.Close()
	p := FromConfig(osconfig.Config{
		PhoneHome: osconfig.PhoneHome{URL: "http://home.example/$INSTANCE_ID", Tries: 1},
		Rancher:   osconfig.Rancher{Network: osconfig.Network{HTTPProxy: proxy.URL}},
	}, "box")
	p.InstanceID = "i-1"
	s := newRoom(t).setup()
	if err := s.phoneHome(t.Context(), p); err != nil || asked != "http://home.example/i-1" {
		t.Errorf("%v, the proxy was asked for %q", err, asked)
	}
}

func TestPhoneHomeNobodyThere(t *testing.T) {
	r := newRoom(t)
	e := &ears{status: []int{403}}
	server := httptest.NewServer(e)
	defer server.Close()
	s := r.setup()
	p := Plan{PhoneHome: osconfig.PhoneHome{URL: server.URL, Tries: 1}}
	s.late(t.Context(), p, false)
	if len(s.status.Problems) != 1 || !strings.HasPrefix(s.status.Problems[0], "phone_home: ") || s.wasDone(p, "config_phone_home") {
		t.Errorf("problems %q", s.status.Problems)
	}
}

func TestFinalMessage(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/proc/uptime", "12.34 5.6\n")
	r.write(t, "/etc/os-release", "NAME=Pharos\nVERSION_ID=\"1.2\"\n")
	s := r.setup()
	s.late(t.Context(), Plan{Datasource: "nocloud", FinalMessage: "up $UPTIME ${version} $DATASOURCE\nat {{timestamp}}."}, true)
	if got := r.read(t, "/dev/ttyS0"); !regexp.MustCompile(`^\r\nup 12.34 1.2 nocloud\r\nat \w{3}, \d.*\d\.\r\n$`).MatchString(got) {
		t.Errorf("console %q", got)
	}
	if exists(r.path("/dev/tty0")) {
		t.Error("a terminal was made")
	}
}

// TestLateWaits: nothing of it happens before the boot is done, and nothing at
// all when another plan comes first.
func TestLateWaits(t *testing.T) {
	r := newRoom(t)
	if err := os.Remove(r.path(bootFinished)); err != nil {
		t.Fatal(err)
	}
	p := Plan{FinalMessage: "done", PowerState: osconfig.PowerState{Mode: "poweroff"}}
	s := r.setup()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.late(ctx, p, true)
	})
	if got := r.read(t, "/dev/ttyS0"); got != "" || len(r.tools.called()) > 0 {
		t.Errorf("console %q", got)
	}
	// A boot that hangs is waited for no longer than five minutes.
	synctest.Test(t, func(t *testing.T) { s.late(context.Background(), p, true) })
	if d := cmp.Diff([]string{"poweroff"}, r.tools.called()); d != "" {
		t.Error(d)
	}
}

func TestPowerState(t *testing.T) {
	run := func(r *room, p Plan) *setup {
		s := r.setup()
		synctest.Test(t, func(*testing.T) { s.late(context.Background(), p, false) })
		return s
	}
	r := newRoom(t)
	p := Plan{InstanceID: "i-1", PowerState: osconfig.PowerState{Mode: "reboot", Delay: "+2", Message: "bye", Condition: osconfig.Command{Shell: "true"}}}
	run(r, p)
	if d := cmp.Diff([]string{"reboot"}, r.tools.called()); d != "" {
		t.Error(d)
	}
	if got := r.read(t, "/dev/ttyS0"); got != "\r\nbye\r\n" {
		t.Errorf("console %q", got)
	}
	run(r, p)
	if calls := r.tools.called(); len(calls) > 0 {
		t.Errorf("at the next boot again: %q", calls)
	}
	p.InstanceID, p.PowerState.Condition.Shell = "i-2", "false"
	run(r, p)
	if calls := r.tools.called(); len(calls) > 0 {
		t.Errorf("although the condition does not hold: %q", calls)
	}
	p.PowerState.Condition, p.PowerState.Delay = osconfig.Command{}, "soon"
	if s := run(r, p); len(s.status.Problems) != 1 || s.status.Problems[0] != `power_state: delay "soon" is neither now nor minutes` {
		t.Errorf("problems %q", s.status.Problems)
	}
}

// TestRunAll is a console with all of it, then with other autologins and
// without its user.
func TestRunAll(t *testing.T) {
	r := newRoom(t)
	r.tools.devices = map[string]string{"LABEL=data": "/dev/vdb1"}
	p := Plan{
		SSH:          SSH{Enabled: true, Port: 22},
		Accounts:     Accounts{Users: []osconfig.User{{Name: "keeper"}}, Password: "lantern"},
		BootHooks:    []osconfig.File{{Path: "/var/lib/cloud/hook", Content: "#!/bin/sh\necho hook >> " + r.path("/order") + "\n"}},
		BootCommands: []osconfig.Command{{Shell: "echo bootcmd >> " + r.path("/order")}},
		Commands:     []osconfig.Command{{Shell: "cat " + r.path("/etc/early") + " >> " + r.path("/order") + "; test ! -e " + r.path("/etc/late")}},
		Files: []osconfig.File{
			{Path: "/etc/late", Content: "late\n", Owner: "keeper", Defer: true}, {Path: "/etc/early", Content: "runcmd\n"},
		},
		Scripts:      []osconfig.File{{Path: "/var/lib/cloud/script", Content: "#!/bin/sh\ncat " + r.path("/etc/late") + " >> " + r.path("/order") + "\n"}},
		Mounts:       []osconfig.Mount{{Device: "LABEL=data", Point: "/mnt/data"}},
		Swap:         osconfig.Swap{Size: "64K"},
		FinalMessage: "done", Autologin: []string{"ttyS0"},
	}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	done := r.start(t)
	defer done()
	st := r.await(t, func(st Status) bool { return st.Done })
	if len(st.Problems) > 0 || len(st.Notes) > 0 || !st.Files {
		t.Errorf("status %+v", st)
	}
	r.awaitText(t, "/order", "hook\nbootcmd\nruncmd\nlate\n")
	r.awaitText(t, "/dev/ttyS0", "\r\ndone\r\n")
	want := []string{"chpasswd -c YESCRYPT", "mount /dev/vdb1 /mnt/data", "mkswap /var/swapfile.new", "swapon /var/swapfile"}
	if d := cmp.Diff(want, r.tools.called()); d != "" {
		t.Error(d)
	}
	r.awaitStarted(t, []string{
		"sleeper --autologin rancher --local-line --keep-baud 115200,57600,38400,9600 ttyS0 vt220",
		"sleeper --noclear tty1 linux", "sleeper sshd",
	})

	p.Autologin, p.Users, p.FinalMessage = []string{"tty1"}, nil, "done again"
	p.Files = nil
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	r.hangUp(t)
	r.awaitText(t, "/dev/ttyS0", "\r\ndone\r\n\r\ndone again\r\n")
	r.awaitText(t, "/order", "hook\nbootcmd\nruncmd\nlate\n")
	r.awaitStarted(t, []string{
		"sleeper --autologin rancher --local-line --keep-baud 115200,57600,38400,9600 ttyS0 vt220",
		"sleeper --autologin rancher --noclear tty1 linux",
		"sleeper --local-line --keep-baud 115200,57600,38400,9600 ttyS0 vt220",
		"sleeper --noclear tty1 linux", "sleeper sshd",
	})
	st = r.await(t, func(st Status) bool { return len(st.Notes) > 0 })
	if d := cmp.Diff([]string{"user keeper is not in the configuration any more: locked; its home stays"}, st.Notes); d != "" {
		t.Error(d)
	}
	if calls := r.tools.called(); len(calls) > 0 {
		t.Errorf("once more: %q", calls)
	}
}

// hangUp sends what the manager sends when the plan is another one.
func (r *room) hangUp(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// start runs a console until the function is called.
func (r *room) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, r.options(), r.setup().log) }()
	return func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the console does not end")
		}
	}
}
