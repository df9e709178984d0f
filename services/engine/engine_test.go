package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/unit"
)

func TestDaemon(t *testing.T) {
	no := false
	cases := map[string]struct {
		engine osconfig.Engine
		want   map[string]any // against the defaults; nil is absent
		args   []string
	}{
		"defaults": {},
		"bridge and address": {
			engine: osconfig.Engine{Bridge: "br0", BIP: "172.18.42.1/16"},
			want:   map[string]any{"bridge": "br0", "bip": "172.18.42.1/16"},
		},
		"graph is data_root's old name": {
			engine: osconfig.Engine{Graph: "/mnt/docker/"},
			want:   map[string]any{"data-root": "/mnt/docker"},
		},
		"data_root wins over graph": {
			engine: osconfig.Engine{Graph: "/mnt/a", DataRoot: "/mnt/b"},
			want:   map[string]any{"data-root": "/mnt/b"},
		},
		"hosts": {
			engine: osconfig.Engine{Host: []string{"unix:///var/run/docker.sock", "tcp://0.0.0.0:2376"}},
			want:   map[string]any{"hosts": []string{"unix:///run/docker.sock", "tcp://0.0.0.0:2376"}},
		},
		"switched off": {
			engine: osconfig.Engine{LiveRestore: &no, UserlandProxy: &no},
			want:   map[string]any{"live-restore": false, "userland-proxy": false},
		},
		"registries": {
			engine: osconfig.Engine{InsecureRegistry: []string{"10.0.0.1:5000"}, RegistryMirror: []string{"http://10.0.0.2"}},
			want:   map[string]any{"insecure-registries": []string{"10.0.0.1:5000"}, "registry-mirrors": []string{"http://10.0.0.2"}},
		},
		"another log driver has no options of ours": {
			engine: osconfig.Engine{LogDriver: "syslog"},
			want:   map[string]any{"log-driver": "syslog", "log-opts": nil},
		},
		"log options": {
			engine: osconfig.Engine{LogDriver: "json-file", LogOpts: map[string]string{"max-size": "1m"}},
			want:   map[string]any{"log-opts": map[string]string{"max-size": "1m"}},
		},
		"RancherOS's storage driver is the default's predecessor": {
			engine: osconfig.Engine{StorageDriver: "overlay2"},
		},
		"storage driver, group, debug": {
			engine: osconfig.Engine{StorageDriver: "native", Group: "root", Debug: true},
			want:   map[string]any{"storage-driver": "native", "group": "root", "debug": true},
		},
		"extra arguments push out what they repeat": {
			engine: osconfig.Engine{
				ExtraArgs:        []string{"-H", "tcp://127.0.0.1:2375", "--insecure-registry", "b", "--log-driver=journald", "--dns=10.0.0.1", "-D"},
				InsecureRegistry: []string{"a"}, Debug: true,
			},
			want: map[string]any{"hosts": []string{"unix:///run/docker.sock", "tcp://127.0.0.1:2375"}, "log-driver": nil, "log-opts": nil},
			args: []string{"--insecure-registry", "b", "--log-driver=journald", "--dns=10.0.0.1", "-D"},
		},
		"a swarm": {
			engine: osconfig.Engine{
				LiveRestore: new(true), ExtraArgs: []string{"--live-restore", "--firewall-backend", "nftables", "--firewall-backend=nftables", "--dns=10.0.0.1"},
				Swarm: osconfig.Swarm{Init: true, Labels: map[string]string{"zone": "1", "disk": "ssd"}},
			},
			want: map[string]any{"live-restore": false, "firewall-backend": "iptables", "labels": []string{"disk=ssd", "zone=1"}},
			args: []string{"--dns=10.0.0.1"},
		},
		"labels of a swarm and of flags": {
			engine: osconfig.Engine{
				ExtraArgs: []string{"--label=rack=1", "--label", "zone=b"},
				Swarm:     osconfig.Swarm{Init: true, Labels: map[string]string{"zone": "a", "disk": "ssd"}},
			},
			want: map[string]any{"live-restore": false, "firewall-backend": "iptables", "labels": []string{"disk=ssd", "rack=1", "zone=b"}},
		},
		"labels of flags": {
			engine: osconfig.Engine{ExtraArgs: []string{"--label=rack=1"}},
			want:   map[string]any{"labels": []string{"rack=1"}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			want := map[string]any{
				"hosts": []string{"unix:///run/docker.sock"}, "containerd": "/run/containerd/containerd.sock",
				"exec-root": "/run/docker", "pidfile": "/run/docker.pid", "data-root": "/var/lib/docker",
				"exec-opts": []string{"native.cgroupdriver=cgroupfs"}, "cgroup-parent": "/containers",
				"firewall-backend": "nftables", "group": "docker", "live-restore": true,
				"log-driver": "json-file", "log-opts": map[string]string{"max-size": "25m", "max-file": "2"},
			}
			maps.Copy(want, c.want)
			maps.DeleteFunc(want, func(_ string, v any) bool { return v == nil })
			got, args := Daemon(c.engine, c.engine.Swarm.On())
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.args, args); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestUnit(t *testing.T) {
	u := Unit(Options{
		Engine:      osconfig.Engine{DataRoot: "/data/docker", ConfigFile: "/opt/daemon.json", Environment: []string{"A=b"}, ExtraArgs: []string{"--dns=1.2.3.4"}},
		Network:     osconfig.Network{HTTPProxy: "http://p:1"},
		Environment: map[string]string{"NO_PROXY": "10.0.0.0/8", "OTHER": "x"},
		StopTimeout: 20 * time.Second, Root: "/view", RootPeers: "/peers",
	})
	if u.Root != "/view" {
		t.Errorf("root %q", u.Root)
	}
	if d := cmp.Diff([]string{"GOGC=200", "SSL_CERT_FILE=/run/pharos/etc/ca-certificates.crt", "HTTP_PROXY=http://p:1", "http_proxy=http://p:1", "NO_PROXY=10.0.0.0/8", "no_proxy=10.0.0.0/8", "A=b"}, u.Env); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"--stop-timeout=20s", "--go=/run/pharos/engine/go", "--renewal=/run/pharos/engine/renewal.json", "--config-file=/opt/daemon.json", "--", "--dns=1.2.3.4"}, u.Args[2:]); d != "" {
		t.Error(d)
	}
	var config map[string]any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(u.Args[1], "--config=")), &config); err != nil || config["data-root"] != "/data/docker" {
		t.Errorf("configuration %v, %v", config, err)
	}
	at := slices.IndexFunc(u.Mounts, func(m unit.Mount) bool { return m.Target == "/run" })
	if d := cmp.Diff([]string{"/run/pharos", "/run/udev"}, u.Mounts[at].Except); d != "" || !slices.Contains(u.Mounts[at].Options, "bind") {
		t.Errorf("the machine's own mounts below /run: %s", d)
	}
	if u.Ready.Since != Go {
		t.Error("the time in which the engine waits for files counts against its readiness")
	}
	if u.StopTimeout <= 20*time.Second {
		t.Errorf("stop timeout %v leaves nothing for the daemons", u.StopTimeout)
	}
	if slices.Contains(u.Capabilities, "CAP_SYS_BOOT") || u.HostPID {
		t.Error("the engine reaches beyond the user world")
	}
	if !slices.Contains(u.Capabilities, "CAP_SYS_MODULE") {
		t.Error("--cap-add SYS_MODULE would be refused")
	}
	if h := Unit(Options{Engine: osconfig.Engine{PID: "host"}}); !slices.Contains(h.Capabilities, "CAP_SYS_BOOT") || !h.HostPID {
		t.Error("pid: host does not give the old behaviour")
	}
}

// The engine has the machine's debugfs, tracefs and bpf, whatever the kernel's
// command line leaves of them, and neither its control groups nor securityfs.
func TestKernelFileSystems(t *testing.T) {
	u := Unit(Options{})
	var got []string
	for _, m := range u.Mounts {
		if strings.HasPrefix(m.Source, "/sys") {
			got = append(got, m.Source+" "+m.Target+" "+strings.Join(m.Options, ","))
		}
	}
	if d := cmp.Diff([]string{"/sys/kernel /sys/kernel rw,rslave", "/sys/fs/bpf /sys/fs/bpf rw,rslave"}, got); d != "" {
		t.Error(d)
	}
	if !slices.Contains(u.Without, "/sys/kernel/security") {
		t.Error("dockerd sees AppArmor, whose profile it cannot load")
	}
}

// What containers mount in a machine's directory is seen on the machine, but
// not where dockerd mounts their roots.
func TestMountsShared(t *testing.T) {
	for root, want := range map[string]string{
		"/var/lib/docker":  "/home /media /mnt /opt /root /srv /usr/local",
		"/mnt/disk/docker": "/home /media /opt /root /srv /usr/local",
		"/srv":             "/home /media /mnt /opt /root /usr/local",
		"/mnt2/docker":     "/home /media /mnt /opt /root /srv /usr/local",
	} {
		var shared []string
		for _, m := range Unit(Options{DataRoot: root}).Mounts {
			if slices.Contains(m.Options, "rshared") && m.Target != "/var/lib/kubelet" {
				shared = append(shared, m.Target)
			}
		}
		slices.Sort(shared)
		if got := strings.Join(shared, " "); got != want {
			t.Errorf("data root %s: shared are %s, want %s", root, got, want)
		}
	}
}

// A machine whose dockerd is in a swarm starts it as the swarm needs it, with
// and without the key.
func TestUnitInSwarm(t *testing.T) {
	for name, o := range map[string]Options{
		"by configuration": {Engine: osconfig.Engine{Swarm: osconfig.Swarm{Init: true}}},
		"by state":         {InSwarm: true},
	} {
		t.Run(name, func(t *testing.T) {
			u := Unit(o)
			if !slices.Contains(u.Requires, "network") || !slices.Contains(u.Args, "--fixed=live-restore") || !slices.Contains(u.Args, "--fixed=firewall-backend") ||
				!strings.Contains(u.Args[1], `"firewall-backend":"iptables"`) || !strings.Contains(u.Args[1], `"live-restore":false`) {
				t.Errorf("requires %v, arguments %v", u.Requires, u.Args)
			}
		})
	}
	if u := Unit(Options{}); slices.Contains(u.Requires, "network") || slices.ContainsFunc(u.Args, func(a string) bool { return strings.HasPrefix(a, "--fixed") }) {
		t.Errorf("without a swarm: requires %v, arguments %v", u.Requires, u.Args)
	}
}

// A data root given as a flag is that of containerd, too, and the user's file
// does not contradict it: dockerd refuses to start otherwise.
func TestDataRootFlag(t *testing.T) {
	for _, flag := range [][]string{{"--data-root=/c"}, {"--data-root", "/c"}} {
		u := Unit(Options{Engine: osconfig.Engine{ConfigFile: "/opt/daemon.json", ExtraArgs: append(flag, "--debug")}})
		if !strings.Contains(u.Args[1], `"data-root":"/c"`) || !slices.Contains(u.Args, "--fixed=data-root") || slices.Contains(u.Args, flag[0]) || !slices.Contains(u.Args, "--debug") {
			t.Errorf("%q: arguments %q", flag, u.Args)
		}
	}
}

// Process 1 makes the API socket, so it has to know the group that a flag names.
func TestGroupFlag(t *testing.T) {
	for _, flag := range [][]string{{"--group=ops"}, {"--group", "ops"}, {"-G", "ops"}, {"-G=ops"}, {"-Gops"}, {"--group=first", "-G", "ops"}} {
		u := Unit(Options{Engine: osconfig.Engine{Group: "wheel", ConfigFile: "/opt/daemon.json", ExtraArgs: append(flag, "--debug")}})
		if !strings.Contains(u.Args[1], `"group":"ops"`) || !slices.Contains(u.Args, "--fixed=group") {
			t.Errorf("%q: arguments %q", flag, u.Args)
		}
		if d := cmp.Diff([]string{"--debug"}, u.Args[slices.Index(u.Args, "--")+1:]); d != "" {
			t.Errorf("%q: dockerd's arguments: %s", flag, d)
		}
	}
}

func TestDataRoot(t *testing.T) {
	for want, e := range map[string]osconfig.Engine{
		"/var/lib/docker": {DataRoot: "relative"},
		"/a":              {Graph: "/a/"},
		"/b":              {Graph: "/a", DataRoot: "/b"},
		"/c":              {DataRoot: "/b", ExtraArgs: []string{"--debug", "--data-root=/c"}},
		"/d":              {DataRoot: "/b", ExtraArgs: []string{"--data-root", "/d"}},
	} {
		if got := DataRoot(e, nil); got != want {
			t.Errorf("%+v: %s, want %s", e, got, want)
		}
	}
	// The user's file wins over the configuration, a flag over both.
	flag := osconfig.Engine{DataRoot: "/b", ExtraArgs: []string{"--data-root=/c"}}
	for text, want := range map[string]string{
		`{"data-root": "/e/"}`: "/e", "\ufeff{\"data-root\":\"/e\"}": "/e", `{"data-root": "relative"}`: "/b", `{"data-root": 7}`: "/b", `{`: "/b", `{}`: "/b",
	} {
		if got := DataRoot(osconfig.Engine{DataRoot: "/b"}, []byte(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if got := DataRoot(flag, []byte(text)); got != "/c" {
			t.Errorf("%s and a flag: %s", text, got)
		}
	}
}

// The supervisor has to stay small: process 1 of the user world links nothing
// that the engine's description needs.
func TestSupervisorImports(t *testing.T) {
	allowed := regexp.MustCompile(`^(golang\.org/x/sys/unix|github\.com/pharos-os/pharos/system/keep|[a-z/0-9]+)$`)
	line := regexp.MustCompile(`(?m)^(?:import )?\t?"([^"]+)"$`)
	for _, dir := range []string{"supervisor", "../../system/keep"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			text, err := os.ReadFile(dir + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range line.FindAllStringSubmatch(string(text), -1) {
				if !allowed.MatchString(m[1]) {
					t.Errorf("%s/%s imports %s", dir, e.Name(), m[1])
				}
			}
		}
	}
}

func TestTLS(t *testing.T) {
	cert, key := serverCert(t)
	whole := osconfig.Engine{TLS: true, ServerCert: cert, ServerKey: key, CACert: cert, Host: []string{"10.0.0.1:2376"}}
	files, err := TLSFiles(whole)
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v", slices.Sorted(maps.Keys(files)), err)
	}
	u := Unit(Options{Engine: whole})
	m := u.Mounts[len(u.Mounts)-1]
	if m.Target != "/etc/docker/tls" || files[m.Source+"/server-key.pem"] != key {
		t.Errorf("the engine has %+v", m)
	}
	if strings.Contains(strings.Join(append(u.Args, u.Env...), " "), "PRIVATE KEY") {
		t.Error("the key is on the command line")
	}
	config, args := Daemon(whole, false)
	if config["tlsverify"] != true || config["tlskey"] != "/etc/docker/tls/server-key.pem" || len(args) != 0 {
		t.Errorf("configuration %v, arguments %v", config, args)
	}
	if d := cmp.Diff([]string{"unix:///run/docker.sock", "10.0.0.1:2376"}, config["hosts"]); d != "" {
		t.Error(d)
	}

	// Without certificates nobody gets in by TCP.
	config, _ = Daemon(osconfig.Engine{TLS: true, Host: []string{"tcp://0.0.0.0:2376"}, ServerCert: cert}, false)
	if d := cmp.Diff([]string{"unix:///run/docker.sock"}, config["hosts"]); d != "" {
		t.Error(d)
	}
	if _, err := TLSFiles(osconfig.Engine{TLS: true, ServerCert: cert, ServerKey: "no key", CACert: cert}); err == nil {
		t.Error("a key that is none passes")
	}

	// RancherOS's own arguments.
	whole.Host, whole.TLSArgs = nil, []string{"--tlsverify", "--tlscacert=/etc/docker/tls/ca.pem", "-H=0.0.0.0:2376"}
	config, args = Daemon(whole, false)
	if d := cmp.Diff([]string{"unix:///run/docker.sock", "0.0.0.0:2376"}, config["hosts"]); d != "" {
		t.Error(d)
	}
	if config["tlsverify"] != nil || config["tlscacert"] != nil || len(args) != 2 {
		t.Errorf("said twice: %v, %v", config, args)
	}
}

func serverCert(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}
