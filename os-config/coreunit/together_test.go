package coreunit

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestTogether(t *testing.T) {
	got := Together([]osconfig.CoreOSUnit{
		{Name: "a.service", Content: "[Unit]\nRequires=docker.service b.service gone.service\nAfter=absent.service multi-user.target app-%i.service\n",
			DropIns: []osconfig.CoreOSDropIn{{Name: "x.conf", Content: "[Unit]\nWants=off.service\n"}}},
		{Name: "b.service", Content: "[Service]\nExecStart=/bin/echo gone.service\n"},
		{Name: "off.service", Mask: true, Content: "[Unit]\nRequires=gone.service\n"},
		{Name: "b.timer", Content: "[Timer]\nOnCalendar=daily\n"},
		{Name: "c.timer", Content: "[Timer]\nOnCalendar=daily\n"},
		{Name: "d.timer", Content: "[Timer]\nOnCalendar=daily\nUnit=e.service\n"},
	})
	var lines []string
	for _, p := range got {
		lines = append(lines, fmt.Sprintf("%s %s:%d:%d: %s: %s", p.Unit, p.DropIn, p.Line, p.Col, p.Severity, p.Text))
	}
	want := []string{
		"a.service :2:10: warning: gone.service is not among these units; without it the unit is not run",
		"a.service :3:7: warning: absent.service is not among these units; After= has no effect for it",
		"a.service x.conf:2:7: warning: off.service is masked; Wants= has no effect for it",
		"c.timer :1:1: warning: there is no c.service for the timer to start",
		"d.timer :3:6: warning: e.service is not among these units; without it the timer is not run",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}
