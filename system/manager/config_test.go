package manager

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/unit"
)

func TestUnitChanges(t *testing.T) {
	u := func(name, image, probe string) unit.Unit {
		return unit.Unit{Name: name, Image: image, Ready: unit.Probe{TCP: probe}}
	}
	before := []unit.Unit{u("docker", "a", ""), u("console", "a", ":22"), u("syslog", "a", ""), u("udev", "a", "")}
	after := []unit.Unit{u("docker", "b", ""), u("console", "a", ":2222"), u("ntp", "a", ""), u("udev", "a", "")}
	got := map[string]string{}
	for _, c := range unitChanges(before, after) {
		got[c.unit.Name] = c.how
		if c.how == unitKept && c.unit.Ready.TCP != ":2222" {
			t.Errorf("%+v is the old one", c.unit)
		}
	}
	want := map[string]string{"docker": unitRestarts, "console": unitKept, "syslog": unitStops, "ntp": unitStarts}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
