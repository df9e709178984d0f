package cmdline

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestParse(t *testing.T) {
	yes := true
	tests := []struct {
		name string
		text string
		want osconfig.Config
	}{
		{"nothing", "", osconfig.Config{}},
		{"others only", "BOOT_IMAGE=/vmlinuz ro quiet console=ttyS0,115200 rancherx=1 ccc.x=1\n", osconfig.Config{}},
		{"no value is true", "quiet rancher.debug rancher.recovery", osconfig.Config{Rancher: osconfig.Rancher{Debug: true, Recovery: true}}},
		{"top level", "cc.hostname=box", osconfig.Config{Hostname: "box"}},
		{"last wins", "cc.hostname=a rancher.debug=true cc.hostname=b rancher.debug=false", osconfig.Config{Hostname: "b"}},
		{"lists with blanks", `cc.ssh_authorized_keys=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX a b"] quiet`,
			osconfig.Config{SSHAuthorizedKeys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX a b"}}},
		{"colons are text", "rancher.network.http_proxy=http://proxy:3128 rancher.network.dns.nameservers=[fd00::1,10.0.0.1]",
			osconfig.Config{Rancher: osconfig.Rancher{Network: osconfig.Network{
				HTTPProxy: "http://proxy:3128",
				DNS:       osconfig.DNS{Nameservers: []string{"fd00::1", "10.0.0.1"}},
			}}}},
		{"interfaces", "rancher.network.interfaces.eth0.address=10.0.0.2/24 rancher.network.interfaces.eth0.gateway=10.0.0.1 rancher.network.interfaces.eth*.dhcp rancher.network.interfaces.eth0.100.mtu=1400",
			osconfig.Config{Rancher: osconfig.Rancher{Network: osconfig.Network{Interfaces: map[string]osconfig.Interface{
				"eth0": {Address: "10.0.0.2/24", Gateway: "10.0.0.1"}, "eth*": {DHCP: &yes}, "eth0.100": {MTU: 1400},
			}}}}},
		{"one value where a list is wanted", "rancher.modules=loop rancher.cloud_init.datasources=nocloud",
			osconfig.Config{Rancher: osconfig.Rancher{Modules: []string{"loop"}, CloudInit: osconfig.CloudInit{Datasources: []string{"nocloud"}}}}},
		{"repeated autologin", "rancher.autologin=tty1 rancher.autologin=ttyS0 rancher.autologin=[tty2,tty3]",
			osconfig.Config{Rancher: osconfig.Rancher{Autologin: []string{"tty1", "ttyS0", "tty2", "tty3"}}}},
		{"dots in keys", "rancher.sysctl.net.ipv4.ip_forward=1 rancher.environment.A=1 rancher.services_include.a.b=true",
			osconfig.Config{Rancher: osconfig.Rancher{
				Sysctl: map[string]string{"net.ipv4.ip_forward": "1"}, Environment: map[string]string{"A": "1"},
				ServicesInclude: map[string]bool{"a.b": true},
			}}},
		{"quotes", `rancher.environment.A="x y" rancher.environment.B='x y' "rancher.environment.C=x y" rancher.environment.D=it's rancher.environment.E=\"q\" rancher.environment.F="12"`,
			osconfig.Config{Rancher: osconfig.Rancher{Environment: map[string]string{"A": "x y", "B": "x y", "C": "x y", "D": "it's", "E": `"q"`, "F": "12"}}}},
		{"an empty value is one", "rancher.state.dev= cc.hostname=", osconfig.Config{}},
		{"runcmd", `cc.runcmd=[[touch,/tmp/x],"echo a, b"]`,
			osconfig.Config{RunCmd: []osconfig.Command{{Args: []string{"touch", "/tmp/x"}}, {Shell: "echo a, b"}}}},
		{"after two dashes too", "rancher.debug -- cc.hostname=x", osconfig.Config{Hostname: "x", Rancher: osconfig.Rancher{Debug: true}}},
		{"what is not closed ends at a blank", `rancher.environment.A=[x cc.hostname=box rancher.environment.B="y rancher.debug`,
			osconfig.Config{Hostname: "box", Rancher: osconfig.Rancher{Debug: true, Environment: map[string]string{"A": "[x", "B": `"y`}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, report := Parse(tt.text)
			cfg, more := osconfig.Decode(osconfig.Merge(c.Layer()))
			if len(report)+len(more) > 0 {
				t.Errorf("reported:\n%s%s", report, more)
			}
			if diff := cmp.Diff(tt.want, cfg); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestReport(t *testing.T) {
	tests := []struct{ text, want string }{
		{"quiet cc.hostname=a_b", "cmdline:1:7: error: hostname: \"a_b\" is no host name: letters, digits and inner hyphens, parts of 1 to 63 of them between dots\n"},
		{"rancher.debgu", "cmdline:1:1: error: rancher.debgu: unknown key; did you mean debug?\n"},
		{"rancher.state.wait", "cmdline:1:1: warning: rancher.state.wait: not needed any more: the boot always waits for the state device; it has no effect\n"},
		{"rancher.debug rancher.debug.x=1", "cmdline:1:15: error: rancher.debug.x: debug is set to a value before; it cannot have parts too\n"},
		{"rancher.network..x=1 cc.=1 rancher.ssh.", "cmdline:1:1: error: rancher.network..x: an empty part between dots\ncmdline:1:28: error: rancher.ssh.: the name ends in a dot\n"},
		{"rancher.ssh.port=abc", "cmdline:1:1: error: rancher.ssh.port: want a whole number, found the text \"abc\"\n"},
	}
	for _, tt := range tests {
		c, report := Parse(tt.text)
		_, more := osconfig.Decode(osconfig.Merge(c.Layer()))
		if diff := cmp.Diff(tt.want, append(report, more...).String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

func TestGet(t *testing.T) {
	c, _ := Parse(`console=tty0 console=ttyS0,115200 dyndbg="file x.c +p" quiet cloud-config-url=http://10.0.2.2/x rancher.debug pharos.init_timeout=5` + "\n")
	if got := c.All("console"); !cmp.Equal(got, []string{"tty0", "ttyS0,115200"}) {
		t.Errorf("console: %q", got)
	}
	for name, want := range map[string]string{
		"console": "ttyS0,115200", "dyndbg": "file x.c +p", "quiet": "", "pharos.init_timeout": "5", "rancher.debug": "",
	} {
		if got, ok := c.Get(name); !ok || got != want {
			t.Errorf("Get(%s) = %q, %v", name, got, ok)
		}
	}
	if _, ok := c.Get("quie"); ok {
		t.Error("Get of what is not there")
	}
	if got := c.ConfigURL(); got != "http://10.0.2.2/x" {
		t.Errorf("ConfigURL = %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`rancher.a.b=[x,"y z",'w'] cc.hostname=x "rancher.q=a b" -- x`)
	f.Add(`rancher.x=[[[ rancher.y=]]] rancher..=\`)
	f.Fuzz(func(t *testing.T, text string) {
		c, _ := Parse(text)
		osconfig.DecodeLenient(c.Layer())
	})
}
