package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func withNetwork(m *fakeManager) { m.network.state = aNetwork() }
func withPlan(m *fakeManager)    { m.network.plan = aPlan() }

func TestNetworkOutput(t *testing.T) {
	for _, tc := range []output{
		{golden: "network-status.txt", args: "network status", width: 80},
		{golden: "network-status-all.txt", args: "net status", manager: withNetwork},
		{golden: "network-status-80.txt", args: "net status", width: 80, colour: true, manager: withNetwork},
		{golden: "network-status-quiet.txt", args: "network status -q", manager: withNetwork},
		{golden: "network-status.json", args: "network status --json", manager: withNetwork},
		{golden: "network-plan-none.txt", args: "network plan"},
		{golden: "network-plan.txt", args: "network plan", manager: withPlan},
		{golden: "network-plan.json", args: "network plan --json", manager: withPlan},
		{golden: "network-plan-wrong.txt", args: "network plan", code: 1, manager: func(m *fakeManager) {
			m.network.plan.Problems = []string{"/var/lib/pharos/conf/cloud-config.yml:3:1: error: rancher.network.dhcp_timeout: want a number"}
		}},
		{golden: "network-apply.txt", args: "network apply", manager: withPlan},
		{golden: "network-apply.json", args: "network apply --json", manager: withPlan},
		{golden: "network-apply-waits.txt", args: "network apply", code: 1, manager: func(m *fakeManager) {
			withPlan(m)
			m.network.waiting = []string{"a carrier on bond0"}
		}},
		{golden: "network-renew.txt", args: "network renew eth0"},
		{golden: "network-renew.json", args: "network renew eth0 --json"},
		{golden: "help-network.txt", args: "network --help"},
		{golden: "help-network-plan.txt", args: "network plan --help"},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			m := newFakeManager()
			m.network.state = oneLink()
			out := tc.run(t, m)
			golden(t, tc.golden, out.String())
			if strings.HasSuffix(tc.golden, ".json") && (!json.Valid(out.Bytes()) || strings.Contains(out.String(), "null")) {
				t.Error("not JSON, or null in it")
			}
		})
	}
}

// A serial console has 80 columns: a machine of the common kind fits, and no
// line of an uncommon one is broken by the terminal but for sentences.
func TestNetworkStatusFits(t *testing.T) {
	m := newFakeManager()
	m.network.state = aNetwork()
	term, out := screen(t, m)
	term.width = 80
	if err := runCLI(t.Context(), term, []string{"network", "status"}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 && !strings.Contains(line, "•") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestNetworkPlanOfAFile(t *testing.T) {
	m := newFakeManager()
	term, out := screen(t, m)
	file := filepath.Join(t.TempDir(), "more.yml")
	if err := os.WriteFile(file, []byte("rancher: {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := runCLI(t.Context(), term, []string{"network", "plan", file}); err != nil {
		t.Fatal(err)
	}
	term.in = strings.NewReader("hostname: sea\n")
	if err := runCLI(t.Context(), term, []string{"network", "plan", "-"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`network plan "rancher: {}\n"`, `network plan "hostname: sea\n"`}, m.asked); diff != "" {
		t.Error(diff)
	}
	// What is no YAML is told by the file's own lines, and never sent.
	if err := os.WriteFile(file, []byte("a: b\nhostname: [\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	err := runCLI(t.Context(), term, []string{"network", "plan", file})
	if codeOf(err) != 1 || !strings.HasPrefix(err.Error(), file+":2:") || len(m.asked) != 2 || out.Len() > 0 {
		t.Errorf("%v, %q, %q", err, m.asked, out)
	}
}

func TestNetworkArguments(t *testing.T) {
	term, _ := screen(t, newFakeManager())
	for args, want := range map[string]string{
		"network":              "2 ros network needs a command: one of status, plan, apply, renew",
		"net renwe eth0":       "2 ros network has no command \"renwe\"; did you mean renew?",
		"network renew":        "2 ros network renew needs LINK; see: ros network renew --help",
		"network renew a b":    "2 ros network renew: \"b\" is one argument too many; see: ros network renew --help",
		"network renew nope":   "1 there is no link \"nope\"",
		"network status eth0":  "2 ros network status: \"eth0\" is one argument too many; see: ros network status --help",
		"network plan a b":     "2 ros network plan: \"b\" is one argument too many; see: ros network plan --help",
		"network plan /nope/x": "1 /nope/x: no such file or directory",
		"network apply now":    "2 ros network apply: \"now\" is one argument too many; see: ros network apply --help",
	} {
		err := runCLI(t.Context(), term, strings.Fields(args))
		if got := fmt.Sprint(codeOf(err), " ", err); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}

// Every name that a link can have can be in a path of the API.
func TestRenewEscapes(t *testing.T) {
	term, _ := screen(t, newFakeManager())
	for _, name := range []string{"a+b", "é", "eth0:1", "%2e", "a?b", "a#b"} {
		err := runCLI(t.Context(), term, []string{"network", "renew", name})
		if want := fmt.Sprintf("there is no link %q", name); fmt.Sprint(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
