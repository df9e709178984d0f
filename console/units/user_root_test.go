package units

import (
	"os"
	"strings"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestRootUser runs commands as the users that the console's tables have.
func TestRootUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: becomes another user")
	}
	w := newWorld(t)
	w.o.Root = w.dir
	put(t, w.dir, "etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:2345:2346::/home/app:/bin/bash\n")
	put(t, w.dir, "etc/group", "app:x:2346:\nextra:x:2347:other,app\nmain:x:2348:\n")
	const who = "/bin/sh -c 'echo $$0 $$(id -u) $$(id -g) $$(id -G) $$HOME $$USER'"
	w.apply(
		w.service("a.service", "[Service]\nType=oneshot\nUser=app\nPermissionsStartOnly=true\nExecStartPre="+who+" pre\nExecStart="+who+" main\n"),
		w.service("g.service", "[Service]\nType=oneshot\nUser=2345\nGroup=main\nExecStart="+who+" main\n"),
		w.service("r.service", "[Service]\nType=oneshot\nExecStart="+who+" root\n"),
		osconfig.CoreOSUnit{Name: "n.service", Command: "start", Content: "[Service]\nUser=nobody-here\nExecStart=/bin/true\n"},
	)
	for _, want := range []string{
		"a.service: pre 0 0 0", "a.service: main 2345 2346 2346 2347 /home/app app\n",
		"g.service: main 2345 2348 2348 2347 /home/app app\n", "r.service: root 0 0 0",
	} {
		w.until(want, func() bool { return strings.Contains(w.out.String(), want) })
	}
	w.reaches("n.service", Failed)
	if got := w.Problems(); len(got) != 1 || got[0] != "unit n.service failed: User=nobody-here: not in /etc/passwd" {
		t.Error(got)
	}
}
