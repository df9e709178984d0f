package vmtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/system/control/api"
)

// toolsImage has busybox and kmod.
const toolsImage = "tools:test"

// The machine has two networks of a lab on which it is not a router, and one
// whose router it follows. One kernel parameter is not Pharos's own.
const devicesInterfaces = `
      inner: {match: "mac=52:54:00:1e:00:00", set_name: inner0, addresses: [10.81.0.2/24, "fd81::2/64"]}
      outer: {match: "mac=52:54:00:1e:00:01", set_name: outer0, addresses: [10.82.0.2/24, "fd82::2/64"]}
      routed: {match: "mac=52:54:00:1e:00:02", set_name: routed0, optional: true}
  sysctl: {vm.max_map_count: "300000"}
`

// TestVMDevices: what a container needs of the kernel. Device nodes, devices
// that come later, modules, limits, and IPv6 networks.
func TestVMDevices(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	bridge(t, "br-inner", []string{"10.81.0.1/24", "fd81::1/64"}, "t-inner")
	bridge(t, "br-outer", []string{"10.82.0.1/24", "fd82::1/64"}, "t-outer")
	bridge(t, "br-routed", []string{"fd83::1/64"}, "t-routed")
	hosts := [2]*netconftest.Peer{lanHost(t, "br-inner", "a", "fd81::5/64", "fd81::2"), lanHost(t, "br-outer", "b", "fd82::5/64", "fd82::2")}
	l.radvd(t, "br-routed", "fd83::/64", "")
	spec := l.networked(t, devicesInterfaces, "",
		Card{Tap: "t-inner", MAC: cardMAC(0)}, Card{Tap: "t-outer", MAC: cardMAC(1)}, Card{Tap: "t-routed", MAC: cardMAC(2)})
	spec.Extra = []string{"-device", "pcie-root-port,id=hotport,chassis=1"}
	g := l.start(t, spec, false)
	g.login(t)
	g.ready(t, bootDeadline)
	g.logSteps(t, "devices", "firewall", "modules", "forwarding")
	g.loadTools(t)
	g.loadPayload(t)

	t.Run("nodes", func(t *testing.T) { testNodes(t, g) })
	t.Run("hot plug", func(t *testing.T) { testHotPlug(t, g) })
	t.Run("modules", func(t *testing.T) { testModules(t, g) })
	t.Run("limits", func(t *testing.T) { testLimits(t, g) })
	t.Run("IPv6 networks", func(t *testing.T) { testIPv6Networks(t, g, hosts) })
	g.ready(t, stepDeadline)
	g.asConfigured(t)
}

// lanHost is another machine on a network of the lab, with a default route.
func lanHost(t *testing.T, bridge, name, address, gateway string) *netconftest.Peer {
	t.Helper()
	host := netconftest.NewPeer(t)
	host.Cable(t, "to-"+name, "eth0")
	ip(t, "link set to-"+name+" master "+bridge+" up")
	host.Run(t, "ip", "addr", "add", address, "dev", "eth0", "nodad")
	host.Run(t, "ip", "route", "add", "default", "via", gateway)
	return host
}

// logSteps prints how long steps of the boot took.
func (g *guest) logSteps(t *testing.T, names ...string) {
	t.Helper()
	var b api.Boot
	if err := json.Unmarshal([]byte(g.run(t, "ros boot --json")), &b); err != nil {
		t.Fatal(err)
	}
	for _, s := range b.Stages {
		if slices.Contains(names, s.Name) {
			t.Logf("step %s: %.2f s to %.2f s: %.3f s %s", s.Name, s.Start, s.End, s.End-s.Start, s.Error)
		}
	}
}

// loadTools gives the guest's engine the image of the tools.
func (g *guest) loadTools(t *testing.T) {
	t.Helper()
	image, err := ToolboxImage(g.lab.tools, toolsImage, []string{"/usr/bin/busybox", "/usr/sbin/modprobe", "/usr/sbin/insmod"}, []string{"/usr/bin/busybox", "sleep", "infinity"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := Within(t.Context(), stepDeadline, "docker load")
	defer cancel()
	if r, err := g.ssh.RunInput(ctx, "docker load", bytes.NewReader(image)); err != nil || r.Code != 0 {
		t.Fatalf("docker load: %v: code %d\n%s%s", err, r.Code, r.Stdout, r.Stderr)
	}
}

// inContainer is the command that runs a line of shell in a container.
func inContainer(options, script string) string {
	return fmt.Sprintf("docker run --rm %s %s busybox sh -c '%s'", options, toolsImage, script)
}

// testNodes: each node of modules.devname is there, with the mode that udev
// gives it, and loads its module when a container opens it.
func testNodes(t *testing.T, g *guest) {
	g.hasAllNodes(t)
	want := `crw-rw-rw- root root /dev/fuse
crw-rw---- root disk /dev/loop-control
crw-rw-rw- root root /dev/net/tun
crw------- root root /dev/uhid
crw-rw-rw- root root /dev/vfio/vfio
crw-rw---- root kvm /dev/vhost-net
crw-rw---- root kvm /dev/vhost-vsock`
	got := g.run(t, "stat -c '%A %U %G %n' /dev/fuse /dev/loop-control /dev/net/tun /dev/uhid /dev/vfio/vfio /dev/vhost-net /dev/vhost-vsock")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	modules := map[string]string{"net/tun": "tun", "uhid": "uhid", "vfio/vfio": "vfio", "vhost-net": "vhost_net", "vhost-vsock": "vhost_vsock", "cuse": "cuse"}
	var options, script string
	for node, module := range modules {
		if out := g.try(t, "grep '^"+module+" ' /proc/modules").Stdout; out != "" {
			t.Errorf("%s is loaded before anybody has opened /dev/%s", module, node)
		}
		options += " --device /dev/" + node
		script += " : </dev/" + node + " || exit 1;"
	}
	// fuse is built in, loop is there since stage 1.
	g.run(t, inContainer(options+" --device /dev/fuse --device /dev/loop-control", script+" : </dev/fuse && : </dev/loop-control"))
	for node, module := range modules {
		if out := g.try(t, "grep '^"+module+" ' /proc/modules").Stdout; out == "" {
			t.Errorf("/dev/%s was opened and %s is not loaded", node, module)
		}
	}
	if r := g.try(t, inContainer("--user 1000 --device /dev/net/tun --device /dev/fuse", ": </dev/net/tun && : </dev/fuse")); r.Code != 0 {
		t.Errorf("a container's user does not open them: %s", r.Stderr)
	}
	g.run(t, inContainer("--cap-add NET_ADMIN --device /dev/net/tun", "busybox tunctl -t tun7 && busybox ip link show tun7"))
}

func (g *guest) hasAllNodes(t *testing.T) {
	t.Helper()
	const list = `sed -n '/^#/d; s/^[^ ]* \([^ ]*\) .*/\1/p' /lib/modules/$(uname -r)/modules.devname`
	if n := g.number(t, list+" | wc -l"); n < 5 {
		t.Errorf("%d nodes in modules.devname", n)
	}
	if out := g.run(t, list+" | while read n; do test -c /dev/$n || test -b /dev/$n || echo $n; done"); out != "" {
		t.Errorf("there is no /dev/%s", strings.ReplaceAll(out, "\n", " nor /dev/"))
	}
}

// testHotPlug plugs a disk in while containers run: those whose rules allow it
// use it, others do not.
func testHotPlug(t *testing.T, g *guest) {
	const rule = "--device-cgroup-rule \"b *:* r\""
	run := func(name, options string) {
		t.Helper()
		g.run(t, "docker run -d --init=false --name "+name+" "+options+" "+toolsImage)
	}
	run("sees", "-v /dev:/dev "+rule)
	run("makes", rule)
	run("neither", "-v /dev:/dev")
	const text = "hello from a disk that came later"
	path := g.lab.path("hot.img")
	if err := os.WriteFile(path, append([]byte(text), make([]byte, 1<<20-len(text))...), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := Within(t.Context(), stepDeadline, "hot plug")
	defer cancel()
	if _, err := g.QMP.Do(ctx, "blockdev-add", map[string]any{"node-name": "hot", "driver": "raw", "read-only": true, "file": map[string]any{"driver": "file", "filename": path}}); err != nil {
		t.Fatal(err)
	}
	if err := g.QMP.Plug(ctx, "virtio-blk-pci", map[string]any{"drive": "hot", "serial": "hotdisk", "bus": "hotport", "id": "hotdisk"}); err != nil {
		t.Fatal(err)
	}
	const link = "/dev/disk/by-id/virtio-hotdisk"
	g.eventuallyPrints(t, stepDeadline, "docker exec sees busybox dd if="+link+" bs=64 count=1 2>/dev/null", text)
	numbers := strings.Fields(g.run(t, "stat -L -c '0x%t 0x%T' "+link))
	if len(numbers) != 2 {
		t.Fatalf("numbers of the disk: %q", numbers)
	}
	g.prints(t, [][2]string{{fmt.Sprintf("docker exec makes busybox sh -c 'busybox mknod /disk b $((%s)) $((%s)) && busybox dd if=/disk bs=64 count=1 2>/dev/null'", numbers[0], numbers[1]), text}})
	if r := g.try(t, "docker exec neither busybox dd if="+link+" bs=64 count=1"); r.Code == 0 || !strings.Contains(r.Stderr, "not permitted") {
		t.Errorf("a container without a rule: code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	g.prints(t, [][2]string{{inContainer("--device "+link+":/dev/data:r", "busybox dd if=/dev/data bs=64 count=1 2>/dev/null"), text}})
	g.run(t, "docker rm -f sees makes neither")
}

// testModules: a container that is given SYS_MODULE loads modules of the
// machine's tree by name, and nobody loads what Debian has not signed.
func testModules(t *testing.T, g *guest) {
	g.prints(t, [][2]string{{"sudo cat /sys/module/module/parameters/sig_enforce", "Y"}})
	const tree = "-v /lib/modules:/lib/modules:ro"
	loaded := func(name string, want bool) {
		t.Helper()
		if got := g.try(t, "grep '^"+name+" ' /proc/modules").Stdout != ""; got != want {
			t.Errorf("%s loaded: %t, want %t", name, got, want)
		}
	}
	loaded("wireguard", false)
	if r := g.try(t, inContainer(tree, "/usr/sbin/modprobe wireguard")); r.Code == 0 {
		t.Errorf("without SYS_MODULE: %s", r.Stdout)
	}
	loaded("wireguard", false)
	g.run(t, inContainer("--cap-add SYS_MODULE --cap-add NET_ADMIN "+tree, "/usr/sbin/modprobe wireguard && busybox ip link add wg7 type wireguard"))
	loaded("wireguard", true)
	loaded("dummy", false)
	g.run(t, inContainer("--privileged "+tree, "/usr/sbin/modprobe dummy numdummies=0"))
	loaded("dummy", true)

	// A module without its signature, and one that was changed after it.
	g.run(t, `set -e; cd /home/rancher; cp /lib/modules/$(uname -r)/kernel/drivers/net/ifb.ko whole.ko; cp whole.ko bare.ko; cp whole.ko changed.ko
truncate -s -28 bare.ko; printf X | dd of=changed.ko bs=1 seek=$(($(stat -c %s whole.ko) / 2)) conv=notrunc 2>/dev/null; ! cmp -s whole.ko changed.ko`)
	for _, name := range []string{"bare", "changed"} {
		for _, command := range []string{"sudo insmod " + name + ".ko", inContainer("--privileged -v /home/rancher:/m:ro", "/usr/sbin/insmod /m/"+name+".ko")} {
			if r := g.try(t, command); r.Code == 0 || !strings.Contains(r.Stderr, "Key was rejected by service") {
				t.Errorf("%s: code %d\n%s%s", command, r.Code, r.Stdout, r.Stderr)
			}
		}
	}
	loaded("ifb", false)
	g.run(t, inContainer("--cap-add SYS_MODULE -v /home/rancher:/m:ro", "/usr/sbin/insmod /m/whole.ko numifbs=0"))
	loaded("ifb", true)
	g.prints(t, [][2]string{{"cat /proc/sys/kernel/tainted", "0"}})
}

// testLimits: what the kernel and the engine allow a container.
func testLimits(t *testing.T, g *guest) {
	for key, least := range map[string]int{
		"fs.inotify.max_user_watches": 524288, "fs.inotify.max_user_instances": 8192, "net.core.rmem_max": 7500000, "net.core.wmem_max": 7500000,
	} {
		if n := g.number(t, "cat /proc/sys/"+strings.ReplaceAll(key, ".", "/")); n < least {
			t.Errorf("%s is %d, want at least %d", key, n, least)
		}
	}
	for key, want := range map[string]int{"vm.max_map_count": 300000, "vm.overcommit_memory": 0} {
		if n := g.number(t, "cat /proc/sys/"+strings.ReplaceAll(key, ".", "/")); n != want {
			t.Errorf("%s is %d, want %d", key, n, want)
		}
	}
	if out := g.run(t, inContainer("", "ulimit -Sn; ulimit -Hn")); out != "1048576\n1048576" {
		t.Errorf("open files in a container: %q", out)
	}
}

// testIPv6Networks: networks that the engine makes as it is told to, on a
// machine that stays a host on its other links.
func testIPv6Networks(t *testing.T, g *guest, hosts [2]*netconftest.Peer) {
	g.run(t, "docker network create --ipv6 --subnet fd90::/64 six && docker network create --ipv6 --subnet fd91::/64 -o com.docker.network.bridge.name=webs named")
	g.run(t, "docker run -d --init=false --name web --restart always --network six --ip6 fd90::10 -p 8301:8080 "+PayloadImage)
	g.run(t, "docker run -d --init=false --name other --restart always --network six "+toolsImage)
	g.run(t, "docker run -d --init=false --name named --restart always --network named -p 8302:8080 "+PayloadImage)
	works := func(when string) {
		t.Helper()
		for what, address := range map[string]string{"another container": "fd90::10", "the gateway": "fd90::1", "the lab": "fd81::1"} {
			g.eventually(t, stepDeadline, "docker exec other busybox ping6 -c 1 -W 2 "+address, func(r Result) bool {
				if r.Code != 0 {
					t.Logf("%s: %s is not reached yet", when, what)
				}
				return r.Code == 0
			})
		}
		g.prints(t, [][2]string{{"docker exec other busybox wget -q -T 20 -O - http://web:8080/", "payload "}})
		doors(t, map[string]string{"[fd81::2]:8301": open, "[fd82::2]:8302": open, "10.81.0.2:8301": open})
	}
	works("at first")

	const route = "ip -6 route show default dev routed0"
	g.prints(t, [][2]string{{route, "proto ra"}, {"cat /proc/sys/net/ipv6/conf/all/forwarding", "1"}})
	g.run(t, "sudo ip -6 route flush dev routed0 proto ra")
	g.eventuallyPrints(t, stepDeadline, route, "proto ra")

	passes := func(when string, want bool) {
		t.Helper()
		for i, to := range []string{"fd82::5", "fd81::5"} {
			reached := strings.Contains(g.pingFrom(hosts[i], to), " 0% packet loss")
			if reached != want {
				t.Errorf("%s: the machine forwards from one network to %s: %t, want %t", when, to, reached, want)
			}
		}
	}
	for i, own := range []string{"fd81::2", "fd82::2"} {
		if out := g.pingFrom(hosts[i], own); !strings.Contains(out, " 0% packet loss") {
			t.Fatalf("host %d does not reach the machine: %s", i, out)
		}
	}
	passes("as configured", false)
	const key = "rancher.sysctl.net.ipv6.conf.all.forwarding"
	g.run(t, "ros config set "+key+" 1 && ros config apply")
	passes("with a configuration that asks for it", true)
	g.run(t, "ros config unset "+key+" && ros config apply")
	passes("without it again", false)

	g.run(t, "sudo ros service restart docker")
	g.eventually(t, bootDeadline, "docker ps -q --filter status=running | wc -l", func(r Result) bool { return strings.TrimSpace(r.Stdout) == "3" })
	works("after a restart of the engine")
	passes("after a restart of the engine", false)
	g.run(t, "sudo kill -KILL $(pgrep -xo rosd)")
	g.ready(t, bootDeadline)
	works("after the manager's death")
	passes("after the manager's death", false)
	g.run(t, "docker rm -f web other named && docker network rm six named")
}

// pingFrom sends three echo requests and returns what busybox says.
func (g *guest) pingFrom(host *netconftest.Peer, to string) string {
	busybox := filepath.Join(g.lab.files.Root, "build/toolbox/usr/bin/busybox")
	out, err := host.Command(busybox, "ping6", "-c", "3", "-W", fmt.Sprint(int(patience.Seconds())), to).CombinedOutput()
	return fmt.Sprintf("%s%v", out, err)
}
