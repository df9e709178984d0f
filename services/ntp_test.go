package services

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestNTPOff(t *testing.T) {
	off := false
	for _, u := range Core(osconfig.Config{NTP: osconfig.NTP{Enabled: &off}}, Machine{}) {
		if u.Name == "ntp" {
			t.Error("turned off, but there")
		}
	}
}

// TestPosixTZ reads real tables where the test's machine has them.
func TestPosixTZ(t *testing.T) {
	zones := fstest.MapFS{
		"Europe/Berlin": {Data: []byte("TZif2 …\nCET-1CEST,M3.5.0,M10.5.0/3\n")},
		"tzdata.zi":     {Data: []byte("# version 2026a\n")},
	}
	if tz, err := PosixTZ(zones, "Europe/Berlin"); err != nil || tz != "CET-1CEST,M3.5.0,M10.5.0/3" {
		t.Errorf("%q, %v", tz, err)
	}
	for _, name := range []string{"Europe/Nowhere", "../etc/passwd", "tzdata.zi", "Europe"} {
		if tz, err := PosixTZ(zones, name); err == nil {
			t.Errorf("%s: %q", name, tz)
		}
	}
	if tz, err := PosixTZ(zones, ""); err != nil || tz != "" {
		t.Errorf("%q, %v", tz, err)
	}
	if _, err := os.Stat("/usr/share/zoneinfo/Asia/Kolkata"); err == nil {
		if tz, err := PosixTZ(os.DirFS("/usr/share/zoneinfo"), "Asia/Kolkata"); err != nil || tz != "IST-5:30" {
			t.Errorf("%q, %v", tz, err)
		}
	}
	if env := Syslog(Machine{TZ: "IST-5:30"}).Env; !slices.Equal(env, []string{"TZ=IST-5:30"}) {
		t.Errorf("environment %q", env)
	}
}
