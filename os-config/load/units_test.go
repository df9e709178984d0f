package load

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestUnitsTogether: validation points at the line of a unit that asks for
// one that is not there, and of one that is wrong.
func TestUnitsTogether(t *testing.T) {
	got := ValidateBytes("u.yml", []byte(`#cloud-config
coreos:
  units:
    - name: a.service
      command: start
      content: |
        [Unit]
        Requires=b.service
        [Service]
        ExecStart=/bin/true
        Colour=red
    - name: c.service
      content: "[Service]\nExecStart=/bin/true\n"
      drop-ins:
        - name: 10-x.conf
          content: |
            [Unit]
            After=d.service
`)).String()
	want := `u.yml:8:18: warning: coreos.units[0].content: b.service is not among these units; without it the unit is not run
u.yml:11:9: error: coreos.units[0].content: Colour= is not supported
u.yml:18:19: warning: coreos.units[1].drop_ins[0].content: d.service is not among these units; After= has no effect for it
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestUnitsEverywhere: a file that becomes a layer, and a change of the
// machine's configuration, are told the same as a file by itself.
func TestUnitsEverywhere(t *testing.T) {
	const text = "coreos:\n  units:\n    - name: a.service\n      content: |\n        [Unit]\n        Requires=b.service\n        [Service]\n        ExecStart=/bin/true\n" +
		"    - {name: docker.service, mask: yes}\n"
	const said = "warning: coreos.units[0].content: b.service is not among these units; without it the unit is not run\n"
	if got := ValidateAs("user-data", strings.NewReader(text), "-").String(); got != "stdin:6:18: "+said {
		t.Errorf("as a layer: %q", got)
	}
	layer, _ := osconfig.Parse("cloud-config", "c.yml", []byte(text))
	if got := Strict(layer).String(); got != "c.yml:6:18: "+said {
		t.Errorf("of a machine: %q", got)
	}
}
