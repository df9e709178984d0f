package vmtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf/netconftest"
)

// daemon is a server of the lab. What it says is kept.
type daemon struct {
	name string
	cmd  *exec.Cmd
	said netconftest.Output
	end  sync.Once
}

func (d *daemon) text() string { return d.said.String() }

// daemonise starts cmd, which runs until stop or the test's end.
func daemonise(t *testing.T, cmd *exec.Cmd) *daemon {
	t.Helper()
	d := &daemon{name: filepath.Base(cmd.Args[0]), cmd: cmd}
	cmd.Stdout, cmd.Stderr = &d.said, &d.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(cmd.Args, " "), lastLines(d.text(), 40))
		}
	})
	return d
}

// stop ends the server and what it has started.
func (d *daemon) stop() {
	d.end.Do(func() {
		syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
		d.cmd.Wait() // its end is ours
	})
}

// says waits until the server has said text at least n times.
func (d *daemon) says(t *testing.T, within time.Duration, n int, text string) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for strings.Count(d.text(), text) < n {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not say %q %d times within %v:\n%s", d.name, text, n, within, lastLines(d.text(), 40))
		}
	}
}

// dnsmasq serves DHCP on a bridge that has an address. Its leases are in a
// file that a later one on the same bridge finds, unless the name differs.
func (l lab) dnsmasq(t *testing.T, bridge, name string, args ...string) *daemon {
	t.Helper()
	d := daemonise(t, exec.Command("dnsmasq", append([]string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file=",
		"--bind-interfaces", "--log-facility=-", "--log-dhcp", "--no-ping", "--dhcp-authoritative",
		"--interface=" + bridge, "--except-interface=lo", "--dhcp-leasefile=" + l.path(name+".leases"),
	}, args...)...))
	d.says(t, stepDeadline, 1, "sockets bound exclusively")
	return d
}

// radvd advertises on a bridge.
func (l lab) radvd(t *testing.T, bridge, prefix, rest string) *daemon {
	t.Helper()
	conf := l.path("radvd-" + bridge + ".conf")
	text := fmt.Sprintf("interface %s {\n AdvSendAdvert on;\n MinRtrAdvInterval 3;\n MaxRtrAdvInterval 10;\n AdvDefaultLifetime 60;\n prefix %s { AdvOnLink on; AdvAutonomous on; };\n%s\n};\n", bridge, prefix, rest)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return daemonise(t, l.tools.Command("radvd", "--nodaemon", "--logmethod=stderr", "--debug=1", "--config="+conf, "--pidfile="+l.path("radvd-"+bridge+".pid")))
}

// nginx serves a directory at an address, at most rate bytes a second to each
// connection; 0 is as fast as it goes.
func (l lab) nginx(t *testing.T, address, dir string, rate int) {
	t.Helper()
	work := l.path("nginx-" + strings.ReplaceAll(address, ":", "-"))
	if err := os.MkdirAll(work, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events {}
http {
 access_log off; default_type application/octet-stream;
 client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
 server { listen %[2]s; root %[3]s; limit_rate %[4]d; }
}
`, work, address, dir, rate)
	if err := os.WriteFile(work+"/nginx.conf", []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	d := daemonise(t, l.tools.Command("nginx", "-e", "stderr", "-p", work, "-c", work+"/nginx.conf"))
	deadline := time.Now().Add(stepDeadline)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx: %v\n%s", err, d.text())
		}
	}
}

// ganesha serves a directory by NFS 4 on every address, as /export. It keeps no
// state: clients of an earlier one need not claim anything back.
func (l lab) ganesha(t *testing.T, dir string) *daemon {
	t.Helper()
	conf, work := l.path("ganesha.conf"), l.path("ganesha")
	if err := os.MkdirAll(work, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`NFS_CORE_PARAM { Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; allow_set_io_flusher_fail = true; }
NFSv4 { Graceless = true; Only_Numeric_Owners = true; RecoveryRoot = %s; }
EXPORT { Export_Id = 1; Path = %s; Pseudo = /export; Access_Type = RW; Squash = None; SecType = sys; FSAL { Name = VFS; } }
LOG { Default_Log_Level = EVENT; }
`, work, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := daemonise(t, l.tools.Command("ganesha.nfsd", "-F", "-L", "STDERR", "-f", conf, "-p", work+"/pid"))
	d.says(t, stepDeadline, 1, "NFS SERVER INITIALIZED")
	return d
}
