package setup

import (
	"os"
	"strings"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestPlanWhileACommandRuns: runcmd may never end; a key and an account that
// are taken away are gone all the same. What else there is to do comes after.
func TestPlanWhileACommandRuns(t *testing.T) {
	r := newRoom(t)
	p := Plan{
		Keys: []string{"ssh-ed25519 AAAA first"}, SSH: SSH{Enabled: true, Port: 22},
		Accounts: Accounts{Users: []osconfig.User{{Name: "ann"}, {Name: "ben"}}},
		Commands: []osconfig.Command{{Shell: "echo up >> " + r.path("/ran") + "; while [ ! -e " + r.path("/go-on") + " ]; do sleep 0.02; done"}},
	}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	defer r.start(t)()
	r.await(t, func(st Status) bool { return st.Files })
	r.awaitText(t, "/ran", "up\n")

	p.Keys = []string{"ssh-ed25519 AAAA second"}
	p.Users = p.Users[1:]
	p.Files = []osconfig.File{{Path: "/etc/two", Content: "2"}}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	r.hangUp(t)
	r.awaitText(t, "/etc/ssh/authorized_keys.d/rancher", "ssh-ed25519 AAAA second\n")
	r.await(t, func(Status) bool { return strings.Contains(r.read(t, "/etc/shadow"), "ann:!*:") })
	if exists(r.path("/etc/two")) {
		t.Error("the files did not wait")
	}
	r.write(t, "/go-on", "")
	st := r.await(t, func(st Status) bool { return st.Done && exists(r.path("/etc/two")) })
	if len(st.Problems) > 0 {
		t.Errorf("problems %q", st.Problems)
	}
	r.awaitText(t, "/ran", "up\n") // it has not run again

	// What was carried out stays when there is no plan any more.
	if err := os.Remove(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	r.hangUp(t)
	r.await(t, func(st Status) bool {
		return len(st.Problems) == 1 && strings.HasPrefix(st.Problems[0], "console plan: ") && st.Files
	})
	if !strings.Contains(r.read(t, "/etc/shadow"), "ben:*:") || r.read(t, "/etc/ssh/authorized_keys.d/rancher") != "ssh-ed25519 AAAA second\n" {
		t.Error("a plan that is lost took accounts or keys away")
	}
}

// TestPlanLostMeanwhile: a key that was taken away does not come back with a
// plan that is lost before all of it is carried out.
func TestPlanLostMeanwhile(t *testing.T) {
	r := newRoom(t)
	wait := osconfig.Command{Shell: "echo up >> " + r.path("/ran") + "; while [ ! -e " + r.path("/go-on") + " ]; do sleep 0.02; done"}
	p := Plan{Keys: []string{"ssh-ed25519 AAAA first"}, SSH: SSH{Enabled: true, Port: 22}}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	defer r.start(t)()
	r.await(t, func(st Status) bool { return st.Done })
	p.Commands = []osconfig.Command{wait}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	r.hangUp(t)
	r.awaitText(t, "/ran", "up\n")
	p.Keys = []string{"ssh-ed25519 AAAA second"}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	r.hangUp(t)
	r.awaitText(t, "/etc/ssh/authorized_keys.d/rancher", "ssh-ed25519 AAAA second\n")
	if err := os.Remove(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	r.write(t, "/go-on", "")
	r.await(t, func(st Status) bool {
		return len(st.Problems) == 1 && strings.HasPrefix(st.Problems[0], "console plan: ") && st.Files
	})
	r.awaitText(t, "/etc/ssh/authorized_keys.d/rancher", "ssh-ed25519 AAAA second\n")
}
