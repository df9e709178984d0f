package netconf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/netconftest"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
)

// fitting gives a kernel the hardware that a specification is about, and
// others besides.
func fitting(spec netconf.Spec) *netconftest.Kernel {
	k := netconftest.NewKernel()
	there := map[string]bool{}
	add := func(name, mac, driver, path string) {
		if there[name] {
			return
		}
		there[name] = true
		k.AddHardware(name, "", mac)
		k.Describe(name, driver, path)
	}
	filled := func(glob, with string) string {
		return strings.NewReplacer("*", with, "?", with[:1]).Replace(glob)
	}
	for i, l := range spec.Links {
		name, mac, path := fmt.Sprintf("card%d", i), fmt.Sprintf("52:54:00:fe:00:%02x", i), fmt.Sprintf("pci-0000:00:%02x.0", i)
		switch m := l.Match; {
		case l.Make != nil:
		case m.Name != "":
			add(m.Name, mac, "e1000", path)
		case m.MAC != "":
			mac = strings.TrimSuffix(strings.TrimSuffix(m.MAC, "*"), ":")
			for len(mac) < len("52:54:00:fe:00:00") {
				mac += fmt.Sprintf(":%02x", 0x10+i)
			}
			add(name, mac, "e1000", path)
		case m.Path != "":
			add(name, mac, "e1000", filled(m.Path, "03.0"))
		case m.Driver != "":
			add(name, mac, filled(m.Driver, "x"), path)
		default:
			add(filled(m.Glob, "7"), mac, "e1000", path)
		}
	}
	add("spare0", "52:54:00:ff:ff:01", "e1000e", "pci-0000:09:00.0")
	k.AddHardware("docker0", "bridge", "02:42:00:00:00:01")
	return k
}

// inForce brings a configuration into force, without a problem. The plan is
// empty then, and applying it again changes nothing.
func inForce(t *testing.T, network osconfig.Network) {
	t.Helper()
	spec, errs := netconf.FromConfig(network)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, fitting(spec), func(o *netconf.Options) {
			o.DHCP6, o.LinkLocal4, o.Runner = &leases6{}, &claims{}, &hands{}
		})
		defer b.stop()
		b.Apply(spec)
		synctest.Wait()
		for i, l := range b.State().Links {
			if b.leases.on(l.Name) != nil {
				b.lease(l.Name, fmt.Sprintf("10.77.%d.9/24", i))
			}
		}
		b.problems()
		b.same(spec)
		for _, l := range spec.Links {
			if l.Match.Name != "" && b.link(l.Match.Name).Name == "" && b.link(l.SetName).Name == "" {
				t.Errorf("there is no %s", l.Match.Name)
			}
		}
	})
}

// TestExamples: every documented example comes into force and stays so.
func TestExamples(t *testing.T) {
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) { inForce(t, e.network) })
	}
}

// TestClouds: so does what every cloud's metadata is translated to.
func TestClouds(t *testing.T) {
	files, err := filepath.Glob("../os-config/datasource/*/testdata/*.golden")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	tried := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, section, ok := strings.Cut("\n"+string(data), "\nnetwork:\n")
		if !ok {
			continue
		}
		section, _, _ = strings.Cut("\n"+section, "\nreport:\n")
		doc, report := osconfig.ParseTree("metadata", file, []byte(section))
		cfg, wrong := osconfig.Decode(osconfig.Merge(datasource.Result{Network: doc}.Metadata("metadata")))
		if report.HasErrors() || wrong.HasErrors() {
			t.Errorf("%s: %s%s", file, report, wrong)
		}
		tried++
		t.Run(file, func(t *testing.T) { inForce(t, cfg.Rancher.Network) })
	}
	if tried < 10 {
		t.Errorf("only %d clouds say anything about the network", tried)
	}
}
