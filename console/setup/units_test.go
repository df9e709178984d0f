package setup

import (
	"os"
	"strings"
	"syscall"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestUnits runs units by a plan, takes one away at SIGHUP, and stops the
// rest at SIGUSR1, before the console itself.
func TestUnits(t *testing.T) {
	r := newRoom(t)
	unit := func(name, word string) osconfig.CoreOSUnit {
		say := func(w string) string { return "/bin/sh -c 'echo " + w + " >> " + r.path("/units") + "'" }
		return osconfig.CoreOSUnit{Name: name, Command: "start", Content: "[Service]\nType=oneshot\nRemainAfterExit=yes\n" +
			"ExecStart=" + say(word+"-$$A") + "\nExecStop=" + say(word+"-off") + "\n"}
	}
	p := Plan{SSH: SSH{Port: 22}, Environment: map[string]string{"A": "on"}, Units: []osconfig.CoreOSUnit{
		unit("a.service", "a"),
		{Name: "bad.service", Command: "start", Content: "[Service]\nExecStart=/bin/true\nColour=red\n"},
	}}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	defer r.start(t)()
	r.awaitText(t, "/units", "a-on\n")
	st := r.await(t, func(st Status) bool { return st.Done && len(st.Problems) > 0 })
	if got := strings.Join(st.Problems, ";"); got != "unit bad.service is not run: line 3: Colour= is not supported" {
		t.Error(got)
	}

	p.Units = []osconfig.CoreOSUnit{unit("b.service", "b"), unit("a.service", "a")}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	signal := func(s syscall.Signal) {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGHUP)
	r.awaitText(t, "/units", "a-on\nb-on\n") // a is left alone
	p.Units = p.Units[:1]
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	signal(syscall.SIGHUP)
	r.awaitText(t, "/units", "a-on\nb-on\na-off\n")
	signal(syscall.SIGUSR1)
	r.await(t, func(st Status) bool { return st.Down && len(st.Problems) == 0 })
	r.awaitText(t, "/units", "a-on\nb-on\na-off\nb-off\n")
}
