package vmtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lanternHash is crypt(3) of "lantern".
const lanternHash = "$6$TO/q9zVgBNG5Csfy$bGGXcmh8di2/yto5bW8ilftIek6mnMHcKCF5iygS7sJK6OHgAsR.//.RQMt5jBsoT2UdKcJ6CaeLxylS1j/en0"

// registryAddress is where the test's registry listens, by TLS.
const registryAddress = "10.9.0.1:5000"

// TestVMCloudConfig gives a machine what people write into a cloud-config:
// accounts, secrets, clocks, disks, authorities, units.
func TestVMCloudConfig(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	bridge(t, "lan", []string{"10.9.0.1/24"}, "tap-lan")
	authority := newAuthority(t, "10.9.0.1")
	registry(t, l, authority)
	data := l.path("data.img")
	if err := writeSparse(data, 64<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := l.tools.Run("mkfs.ext4", "-q", "-F", "-L", "treasure", data); err != nil {
		t.Fatal(err)
	}
	second, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	state := l.stateDisk(t, "state.img")
	spec := l.direct(l.files.SystemImg)
	spec.NICs, spec.Cards = 0, []Card{{Tap: "tap-lan", MAC: "52:54:00:1a:00:01"}}
	spec.Disks = append(spec.Disks, Disk{Path: state}, Disk{Path: data}, l.seed(t, "people", cloudConfigOfPeople(l.key.Authorized(), second.Authorized(), authority.pem)))
	t.Run("first boot", func(t *testing.T) {
		g := l.start(t, spec, false)
		g.loginAt(t, "10.9.0.2")
		// The image of web.service is not there yet: a slow machine calls that
		// degraded before it is ready.
		if s := g.settled(t); !slices.ContainsFunc(s.Reasons, func(r string) bool { return strings.Contains(r, "web.service") }) && len(s.Reasons) > 0 {
			t.Errorf("reasons %q", s.Reasons)
		}
		t.Run("accounts", func(t *testing.T) { testAccounts(t, g, second) })
		t.Run("password", func(t *testing.T) { testSerialLogin(t, g, "keeper", "lantern") })
		t.Run("settings", func(t *testing.T) { testSettings(t, g) })
		t.Run("disks", func(t *testing.T) { testDisks(t, g) })
		t.Run("authority", func(t *testing.T) { testAuthority(t, g) })
		t.Run("files", func(t *testing.T) { testFiles(t, g) })
		t.Run("units", func(t *testing.T) { testUnits(t, g) })
		t.Run("validate", func(t *testing.T) { testSameVerdict(t, g) })
		g.powerOff(t)
		if text := g.Console.Text(); strings.Contains(text, "still swaps") {
			t.Error("the swap file was in use to the end")
		}
		if err := CheckExt4(l.tools, state); err != nil {
			t.Error(err)
		}
	})
	t.Run("second boot", func(t *testing.T) {
		g := l.start(t, spec, false)
		g.loginAt(t, "10.9.0.2")
		g.ready(t, bootDeadline)
		testAccounts(t, g, second)
		testDisks(t, g)
		if out := g.run(t, "grep -c appended /home/rancher/kept"); out != "1" {
			t.Errorf("the file was appended to %s times in two boots", out)
		}
	})
}

func cloudConfigOfPeople(key, second, authority string) string {
	return `#cloud-config
hostname: harbour
fqdn: harbour.example.org
ssh_authorized_keys:
  - ` + key + `
groups:
  - crew: [keeper]
  - cargo
users:
  - default
  - name: keeper
    gecos: Keeper of the light
    groups: [docker, cargo]
    shell: /bin/bash
    uid: 2345
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    passwd: "` + lanternHash + `"
    lock_passwd: false
    ssh_authorized_keys:
      - ` + second + `
  - name: ghost
    system: true
    no_create_home: true
timezone: Europe/Berlin
ntp:
  servers: [10.9.0.1]
  pools: [pool.example.org]
swap:
  filename: /var/swapfile
  size: 64M
mounts:
  - [LABEL=treasure, /mnt/treasure]
ca_certs:
  trusted:
    - |
` + indent(authority, 6) + `
write_files:
  - path: /etc/motd
    content: "Fiat lux.\n"
  - path: /home/rancher/kept
    content: "first\n"
  - path: /home/rancher/kept
    content: "appended\n"
    append: true
  - path: /opt/vmtest/deferred
    content: "late\n"
    owner: keeper:crew
    defer: true
bootcmd:
  - mkdir -p /opt/vmtest && date +%s.%N > /opt/vmtest/bootcmd
runcmd:
  - [sh, -c, "date +%s.%N > /opt/vmtest/runcmd; test -e /opt/vmtest/deferred || touch /opt/vmtest/before-deferred"]
final_message: "harbour is open after $UPTIME s"
coreos:
  units:
    - name: web.service
      command: start
      content: |
        [Unit]
        Description=A container as a service
        After=docker.service
        Requires=docker.service
        [Service]
        ExecStartPre=-/usr/bin/docker rm -f unit-web
        ExecStartPre=/usr/bin/docker image inspect ` + PayloadImage + `
        ExecStart=/usr/bin/docker run --rm --name unit-web -p 8081:8080 ` + PayloadImage + `
        ExecStop=/usr/bin/docker stop -t 2 unit-web
        Restart=always
        RestartSec=2
    - name: tick.service
      content: |
        [Service]
        Type=oneshot
        ExecStart=/bin/sh -c "echo tick >> /opt/vmtest/ticks"
    - name: tick.timer
      command: start
      content: |
        [Timer]
        OnBootSec=1
        OnUnitActiveSec=3
    - name: masked.service
      mask: true
rancher:
  network:
    interfaces:
      eth0: {address: 10.9.0.2/24, gateway: 10.9.0.1}
`
}

func indent(text string, by int) string {
	pad := strings.Repeat(" ", by)
	return pad + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+pad)
}

func testAccounts(t *testing.T, g *guest, second Key) {
	tests := []struct{ name, command, want string }{
		{"account", "getent passwd keeper", "keeper:x:2345:2345:Keeper of the light:/home/keeper:/bin/bash"},
		{"groups", "id -Gn keeper | tr ' ' '\n' | sort | tr '\n' ' '", "cargo crew docker keeper "},
		{"home", "stat -c %U /home/keeper", "keeper"},
		{"system account", "test $(id -u ghost) -lt 1000 && test ! -e /home/ghost && echo yes", "yes"},
		{"name", "hostname -f", "harbour.example.org"},
	}
	for _, tt := range tests {
		if got := g.try(t, tt.command); strings.TrimSpace(got.Stdout) != strings.TrimSpace(tt.want) {
			t.Errorf("%s: %s prints %q (%s), want %q", tt.name, tt.command, got.Stdout, got.Stderr, tt.want)
		}
	}
	ctx, cancel := Within(t.Context(), stepDeadline, "login of keeper")
	defer cancel()
	keeper, err := DialSSHAt(ctx, "10.9.0.2:22", "keeper", second)
	if err != nil {
		t.Fatal(err)
	}
	defer keeper.Close()
	res, err := keeper.Run(ctx, "id -un; sudo -n id -un; docker ps -q >/dev/null && echo docker")
	if err != nil || res.Stdout != "keeper\nroot\ndocker\n" {
		t.Errorf("keeper's session prints %q (%s), %v", res.Stdout, res.Stderr, err)
	}
	if res, err := keeper.Login(ctx, "exit 7\n"); err != nil || res.Code != 7 || !strings.Contains(res.Stdout, "Fiat lux.") {
		t.Errorf("keeper's login shows %q, code %d, %v; want the message of the day and code 7", res.Stdout, res.Code, err)
	}
	short, cancel := Within(t.Context(), 5*time.Second, "login with another's key")
	defer cancel()
	if s, err := DialSSHAt(short, "10.9.0.2:22", "keeper", g.lab.key); err == nil {
		s.Close()
		t.Error("rancher's key lets in as keeper")
	}
}

// testSerialLogin logs in at the serial console with a password.
func testSerialLogin(t *testing.T, g *guest, name, password string) {
	ctx, cancel := Within(t.Context(), stepDeadline, "login at the serial console")
	defer cancel()
	dialog := []struct{ want, answer string }{
		{`login: ?$`, name}, {`Password: ?$`, password}, {name + `@harbour\S*[$#] ?`, "echo i-am-$(id -un)-$((40+2))"}, {`i-am-` + name + `-42`, "exit"},
	}
	mark := g.Console.Mark()
	if err := g.Console.Type("\n"); err != nil {
		t.Fatal(err)
	}
	for _, d := range dialog {
		if _, err := g.Console.WaitFrom(ctx, mark, regexp.MustCompile(d.want)); err != nil {
			t.Fatalf("waiting for %q: %v", d.want, err)
		}
		mark = g.Console.Mark()
		if err := g.Console.Type(d.answer + "\n"); err != nil {
			t.Fatal(err)
		}
	}
}

func testSettings(t *testing.T, g *guest) {
	if out := g.run(t, "date +%Z"); out != "CET" && out != "CEST" {
		t.Errorf("time zone %s, want Berlin's", out)
	}
	ntp := "sudo nsenter -t " + itoa(g.services(t)["ntp"].PID) + " -m -- "
	if out := g.run(t, ntp+"chronyc -n sources -a"); !strings.Contains(out, "10.9.0.1") {
		t.Errorf("chrony's sources:\n%s", out)
	}
	ctx, cancel := Within(t.Context(), stepDeadline, "the final message")
	defer cancel()
	if _, err := g.Console.Wait(ctx, regexp.MustCompile(`harbour is open after [0-9.]+ s`)); err != nil {
		t.Error(err)
	}
	if out := g.run(t, "hostname"); out != "harbour" {
		t.Errorf("host name %q", out)
	}
}

func testDisks(t *testing.T, g *guest) {
	if out := g.run(t, "cat /proc/swaps; stat -c '%a %s' /var/swapfile 2>/dev/null || sudo stat -c '%a %s' /var/swapfile"); !strings.Contains(out, "swapfile") || !strings.Contains(out, "600 67108864") {
		t.Errorf("swap:\n%s", out)
	}
	if out := g.run(t, "findmnt -no FSTYPE,LABEL /mnt/treasure"); strings.Join(strings.Fields(out), " ") != "ext4 treasure" {
		t.Errorf("mount of LABEL=treasure: %s", out)
	}
	g.run(t, "sudo touch /mnt/treasure/from-console")
}

// testAuthority pulls by the engine and fetches by curl what only the test's
// own authority vouches for.
func testAuthority(t *testing.T, g *guest) {
	if out := g.run(t, "curl -sS https://"+registryAddress+"/v2/"); out != "{}" {
		t.Errorf("curl prints %q", out)
	}
	g.loadPayload(t)
	image := registryAddress + "/vmtest/payload:1"
	g.run(t, "docker tag "+PayloadImage+" "+image+" && docker push -q "+image+" && docker rmi "+image)
	g.run(t, "docker pull -q "+image)
	// The container sees what the console has mounted.
	if out := g.run(t, "docker run --rm -v /mnt/treasure:/data -d --name looks "+image+" && docker exec looks /payload exists /data/from-console; docker rm -f looks >/dev/null"); !strings.Contains(out, "exists") {
		t.Errorf("the container does not see the mount: %s", out)
	}
}

func testFiles(t *testing.T, g *guest) {
	if out := g.run(t, "cat /home/rancher/kept"); out != "first\nappended" {
		t.Errorf("appended file is %q", out)
	}
	if out := g.run(t, "cat /opt/vmtest/deferred; stat -c %U:%G /opt/vmtest/deferred; ls /opt/vmtest/before-deferred"); out != "late\nkeeper:crew\n/opt/vmtest/before-deferred" {
		t.Errorf("deferred file is %q", out)
	}
	if out := g.run(t, "sort -c /opt/vmtest/bootcmd /opt/vmtest/runcmd 2>&1; cat /opt/vmtest/bootcmd /opt/vmtest/runcmd | sort -c && echo in order"); !strings.Contains(out, "in order") {
		t.Errorf("bootcmd ran after runcmd: %s", out)
	}
}

// testUnits has a unit that runs a container, and a timer.
func testUnits(t *testing.T, g *guest) {
	// The image is there now: the unit's next try succeeds.
	g.eventuallyPrints(t, bootDeadline, "docker ps --format '{{.Names}} {{.Status}}'", "unit-web Up")
	before := g.startedAt(t, "unit-web")
	g.run(t, "docker kill unit-web")
	g.eventually(t, stepDeadline, "docker inspect -f '{{.State.StartedAt}} {{.State.Pid}} {{.RestartCount}}' unit-web", func(r Result) bool {
		return r.Code == 0 && strings.TrimSpace(r.Stdout) != before
	})
	ticks := func() int { return g.number(t, "wc -l < /opt/vmtest/ticks") }
	n := ticks()
	g.eventually(t, stepDeadline, "wc -l < /opt/vmtest/ticks", func(r Result) bool {
		return strings.TrimSpace(r.Stdout) != fmt.Sprint(n)
	})
	t.Logf("the timer fired %d times", ticks())
	g.ready(t, bootDeadline)
}

// testSameVerdict compares `ros config validate` here and there.
func testSameVerdict(t *testing.T, g *guest) {
	for _, text := range []string{
		"#cloud-config\nhostname: fine\n",
		"#cloud-config\nhostnam: x\nusers: [{nam: y}]\nrancher: {network: {interfaces: {eth0: {address: 10.0.0.1}}}}\n",
		"#cloud-config\ncoreos:\n  units:\n    - name: a.service\n      content: |\n        [Service]\n        ExecStrt=/bin/true\n",
		"a: [\n", "",
	} {
		ctx, cancel := Within(t.Context(), stepDeadline, "ros config validate")
		there, err := g.ssh.RunInput(ctx, "ros config validate", strings.NewReader(text))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(g.lab.files.Root+"/build/ros", "config", "validate")
		cmd.Stdin = strings.NewReader(text)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if cmd.ProcessState.ExitCode() != there.Code || out.String() != there.Stdout || errs.String() != there.Stderr {
			t.Errorf("%q: here code %d\n%s%sthere code %d\n%s%s", text, cmd.ProcessState.ExitCode(), out.String(), errs.String(), there.Code, there.Stdout, there.Stderr)
		}
	}
}

// authority is a certification authority of the test's own with one server.
type authority struct{ pem, server, key string }

func newAuthority(t *testing.T, address string) authority {
	t.Helper()
	makeKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	// Wide, for guests whose clock is off.
	from, to := time.Now().Add(-10*365*24*time.Hour), time.Now().Add(10*365*24*time.Hour)
	root, key := makeKey(), makeKey()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vmtest"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: address}, NotBefore: from, NotAfter: to,
		IPAddresses: []net.IP{net.ParseIP(address)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	sign := func(what *x509.Certificate, public *ecdsa.PublicKey) string {
		der, err := x509.CreateCertificate(rand.Reader, what, ca, public, root)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return authority{
		pem: sign(ca, &root.PublicKey), server: sign(server, &key.PublicKey),
		key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
}

// registry runs Debian's docker-registry until the test ends.
func registry(t *testing.T, l lab, a authority) {
	t.Helper()
	for name, text := range map[string]string{
		"server.pem": a.server, "server.key": a.key,
		"registry.yml": "version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: " + l.path("registry") + "}}\n" +
			"http: {addr: '" + registryAddress + "', tls: {certificate: " + l.path("server.pem") + ", key: " + l.path("server.key") + "}}\n",
	} {
		if err := os.WriteFile(l.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	cmd := l.tools.Command("docker-registry", "serve", l.path("registry.yml"))
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait() // its end is ours
		if t.Failed() {
			t.Logf("registry: %s", log.String())
		}
	})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(a.pem))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 5 * time.Second}
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		resp, err := client.Get("https://" + registryAddress + "/v2/")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("registry: %v\n%s", err, log.String())
		}
	}
}
