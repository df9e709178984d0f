package vmtest

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestVMNetworkNone boots a machine that has no card at all. It says so, works,
// and has waited no longer than for the drivers that might have made one.
func TestVMNetworkNone(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	spec := l.direct(l.files.SystemImg, "rancher.autologin=ttyS0")
	spec.NICs = 0
	g := l.start(t, spec, false)
	ctx, cancel := Within(t.Context(), bootDeadline, "the end of the boot and a shell on the serial console")
	defer cancel()
	for _, want := range []string{`pharos: reached engine at`, `pharos: degraded: .*\blink\b`, `rancher@pharos\S*[$#] ?`} {
		if _, err := g.Console.Wait(ctx, regexp.MustCompile(want)); err != nil {
			t.Fatal(err)
		}
	}
	// say types a command and waits for what it prints.
	say := func(command, want string) []string {
		t.Helper()
		mark := g.Console.Mark()
		if err := g.Console.Type(command + "\n"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := Within(t.Context(), stepDeadline, command)
		defer cancel()
		found, err := g.Console.WaitFrom(ctx, mark, regexp.MustCompile(want))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	say("docker info >/dev/null && echo docker-$((40+2))", `docker-42`)
	say("ros network status && echo network-$((40+2))", `network-42`)
	ended := map[string]float64{}
	for _, name := range []string{"network", "udev-settled"} {
		row := say("ros boot", `(?m)^`+name+` +\w+ +[0-9.]+s +([0-9.]+)s`)
		end, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			t.Fatalf("%q: %v", row[0], err)
		}
		ended[name] = end
	}
	if limit := ended["udev-settled"] + slack(t, 2*time.Second).Seconds(); ended["network"] > limit {
		t.Errorf("the boot waited for the network until %.1f s, the last driver was there at %.1f s", ended["network"], ended["udev-settled"])
	}
	reasons := say("ros status --json | tr -d '\\n' | sed 's/.*\"reasons\": *//; s/\\].*/] reasons-end/'; echo", `(?s)(\[[^]]*\]) reasons-end`)[1]
	for reason := range strings.SplitSeq(strings.Trim(reasons, "[] \n\r"), `",`) {
		if !strings.Contains(reason, "link") {
			t.Errorf("a machine without a card is degraded by %s", reason)
		}
	}
	t.Logf("stages end at %v; %s", ended, reasons)
}
