package osconfig

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeLenient(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX"
	yes := true
	everyE := map[string]Interface{"e*": {DHCP: &yes}}
	network := func(i map[string]Interface) Rancher { return Rancher{Network: Network{Interfaces: i}} }
	tests := []struct {
		name   string
		layers []string // from the weakest
		want   Config
		say    string // part of the report; "" is an empty one
	}{
		{"nothing", nil, Config{Rancher: network(everyE)}, ""},
		{"a wrong value leaves the rest", []string{"hostname: a_b\nruncmd: [x]"},
			Config{RunCmd: []Command{{Shell: "x"}}, Rancher: network(everyE)}, "error: hostname: "},
		{"and what a weaker layer says", []string{"hostname: good", "hostname: a_b"},
			Config{Hostname: "good", Rancher: network(everyE)}, "layer1:1:11: error: hostname: "},
		{"one wrong key of several", []string{"ssh_authorized_keys: [rubbish, '" + key + "']"},
			Config{SSHAuthorizedKeys: []string{key}, Rancher: network(everyE)}, "ssh_authorized_keys[0]"},
		{"one wrong file of several", []string{"write_files: [{path: /a, permissions: rw}, {path: /b}]"},
			Config{WriteFiles: []File{{Path: "/b"}}, Rancher: network(everyE)}, "left out"},
		{"half a script does not run", []string{"runcmd: [a, {b: c}, d]", "hostname: x"},
			Config{Hostname: "x", Rancher: network(everyE)}, "runcmd[1]"},
		{"half a command line neither", []string{"rancher: {docker: {extra_args: [--label, {a: b}], debug: true}}"},
			Config{Rancher: Rancher{Network: Network{Interfaces: everyE}, Docker: Engine{Debug: true}}}, "extra_args[1]"},
		{"unknown keys are warnings", []string{"hostnmae: x\nhostname: y"},
			Config{Hostname: "y", Rancher: network(everyE)}, "warning: hostnmae: unknown key"},
		{"interfaces of the user's turn the default off", []string{"rancher: {network: {interfaces: {eth7: {dhcp: yes}}}}"},
			Config{Rancher: network(map[string]Interface{"eth7": {DHCP: &yes}})}, ""},
		{"an interface that is left with nothing does not", []string{"rancher: {network: {interfaces: {eth7: {address: nonsense, mtu: 1400}}}}"},
			Config{Rancher: network(everyE)}, "eth7.address"},
		{"a wrong option leaves the interface", []string{"rancher: {network: {interfaces: {eth7: {dhcp: true, mtu: x}}}}"},
			Config{Rancher: network(map[string]Interface{"eth7": {DHCP: &yes}})}, "eth7.mtu"},
		{"a section of the wrong kind", []string{"rancher: {ssh: {port: 23}}", "rancher: [x]"},
			Config{Rancher: Rancher{Network: Network{Interfaces: everyE}, SSH: SSH{Port: 23}}}, "want a mapping"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var layers []Layer
			for i, text := range tt.layers {
				l, report := Parse("layer"+string(rune('0'+i)), "layer"+string(rune('0'+i)), []byte(text))
				if len(report) > 0 {
					t.Fatal(report)
				}
				layers = append(layers, l)
			}
			cfg, _, report := DecodeLenient(layers...)
			if diff := cmp.Diff(tt.want, cfg); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if (tt.say == "") != (len(report) == 0) || !strings.Contains(report.String(), tt.say) {
				t.Errorf("report %q does not say %q", report.String(), tt.say)
			}
		})
	}
}
