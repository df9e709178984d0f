package vmtest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestVMNetworkConformance runs the tests of netconf on the kernel that the
// machines have. The kernels of build machines lack bonding or VLANs, and those
// tests are skipped there; here none may be.
func TestVMNetworkConformance(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	l := newLab(t)
	bin := l.path("rtnl.test")
	cmd := exec.Command("go", "test", "-mod=mod", "-c", "-trimpath", "-ldflags=-s -w", "-o", bin, "./netconf/rtnl")
	cmd.Dir = l.files.Root
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	data, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	spec := l.networked(t, "", "")
	g := l.start(t, spec, false)
	g.login(t)
	g.ready(t, bootDeadline)
	g.put(t, "/home/rancher/rtnl.test", data)
	ctx, cancel := Within(t.Context(), 10*time.Minute, "the conformance suite")
	defer cancel()
	r, err := g.ssh.Run(ctx, "cd /home/rancher && sudo env PHAROS_SUITE_ALL=1 ./rtnl.test -test.v -test.run '^TestRoot' 2>&1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--- PASS: TestRootKernel ", "--- PASS: TestRootKernel/bond", "--- PASS: TestRootKernel/vlan"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(r.Stdout, "--- SKIP") || strings.Contains(r.Stdout, "--- FAIL") || r.Code != 0 {
		t.Errorf("code %d", r.Code)
	}
	t.Logf("on %s:\n%s", g.run(t, "uname -r"), r.Stdout)
	// What the tests did was in a namespace of their own.
	g.asConfigured(t)
}
