package manager

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/system/control/api"
)

func TestBannerText(t *testing.T) {
	if got := bannerText(api.Status{State: api.StateReady, Reasons: []string{"x"}}); got != "" {
		t.Errorf("ready: %q", got)
	}
	got := bannerText(api.Status{State: api.StateDegraded, Reasons: []string{"configuration: f.yml:3:1: error: a\x1b[2Jb"}})
	want := "This machine is degraded:\n  configuration: f.yml:3:1: error: a?[2Jb\n`ros status` says how it is now.\n\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprintf("reason %d", i))
	}
	if got := bannerText(api.Status{State: api.StateFailed, Reasons: many}); !strings.Contains(got, "  reason 7\n  and 12 more\n") || strings.Contains(got, "reason 8") {
		t.Errorf("many: %q", got)
	}
}
