package dhcp_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/dhcp"
	"github.com/pharos-os/pharos/netconf/netconftest"
)

// TestRootTime compares with busybox's udhcpc, which is as small as a client
// can be: the median of our times to a lease against 1.5 times its best, at the
// same server, to the moment when each says that it has one. Neither
// configures anything. The first pair is not counted: the link has just come up.
func TestRootTime(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	_, s := serverOn(t)
	give := behaviour{Server: "192.0.2.1", Give: "192.0.2.50", Lease: 3600}
	netconftest.Run(t, "ip", "link", "set", "eth0", "up")
	link := netconftest.Link(t, "eth0")
	ours := func() time.Duration {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began, took := time.Now(), time.Duration(0)
		err := dhcp.New(dhcp.Options{}).Run(ctx, netconf.LeaseRequest{Link: link}, func(s netconf.LeaseStatus) {
			if s.State == netconf.LeaseBound {
				took = time.Since(began)
				cancel()
			}
		})
		if took == 0 {
			t.Fatalf("no lease: %v", err)
		}
		return took
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho $1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	theirs := func() time.Duration {
		cmd := exec.CommandContext(t.Context(), "busybox", "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-s", script)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		began, took := time.Now(), time.Duration(0)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "bound" {
				took = time.Since(began)
			}
		}
		if err := cmd.Wait(); err != nil || took == 0 {
			t.Fatalf("udhcpc: %v, no lease", err)
		}
		return took
	}
	var mine, peers []time.Duration
	for i := range 8 {
		s.behave(t, give)
		a, b := ours(), theirs()
		if i > 0 {
			mine, peers = append(mine, a), append(peers, b)
		}
	}
	slices.Sort(mine)
	slices.Sort(peers)
	t.Logf("ours: %v\nudhcpc: %v", mine, peers)
	if median, best := mine[len(mine)/2], peers[0]; median > best*3/2 {
		t.Errorf("the median is %v, udhcpc's best is %v", median, best)
	}
}
