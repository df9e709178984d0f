package osconfig

import (
	"strings"
	"testing"
)

// TestEffects: where a key has an effect depends on the layer that it came
// from in the end.
func TestEffects(t *testing.T) {
	const state = "rancher: {state: {dev: LABEL=X, wait: true}, recovery: true, cloud_init: {datasources: [ec2, gce]}}"
	for _, tt := range []struct {
		layer string
		want  []string
	}{
		{"cmdline", nil},
		{"iso", nil},
		{"oem", nil},
		{"test", nil}, // a file of which nobody said where it goes
		{"cloud-config", []string{"rancher.state.dev: has no effect in cloud-config", "rancher.recovery: "}},
		{"cloud-config.d/10-x.yml", []string{"in cloud-config.d/10-x.yml: state is mounted before this is read; " +
			"write it on the kernel command line (rancher.state.dev=LABEL=X)", "rancher.recovery: "}},
		{"user-data", []string{"rancher.state.dev: ", "rancher.recovery: ",
			"rancher.cloud_init.datasources: has no effect in user-data: the datasources are chosen before this is read; " +
				"write it on the kernel command line (rancher.cloud_init.datasources=[ec2,gce])"}},
		{"metadata/ec2", []string{"rancher.state.dev: ", "rancher.recovery: ", "rancher.cloud_init.datasources: "}},
	} {
		l := mustParse(t, tt.layer, state)
		report := effects(Merge(l).Root)
		if len(report) != len(tt.want) {
			t.Errorf("%s: %s", tt.layer, report)
			continue
		}
		for i, p := range report {
			if p.Severity != Warning || !strings.Contains(p.String(), tt.want[i]) {
				t.Errorf("%s: %s; want %s", tt.layer, p, tt.want[i])
			}
		}
	}
	user, boot := mustParse(t, "user-data", state), mustParse(t, "cmdline", state)
	if report := effects(Merge(user, boot).Root); len(report) > 0 {
		t.Errorf("the kernel command line says the same: %s", report)
	}
	// Directories are bound on the tree of the console, once all layers are known.
	for _, layer := range []string{"cloud-config", "cloud-config.d/10-x.yml", "user-data"} {
		if report := effects(Merge(mustParse(t, layer, "rancher: {state: {directories: [/data]}}")).Root); len(report) > 0 {
			t.Errorf("directories in %s: %s", layer, report)
		}
	}
	signed := mustParse(t, "user-data", "rancher: {cloud_init: {datasources: ['url:https://ann:secret@host/x?sig=secret']}}")
	if text := effects(Merge(signed).Root).String(); !strings.Contains(text, "(rancher.cloud_init.datasources=[url:https://***@host/x?…])") {
		t.Error(text)
	}
}
