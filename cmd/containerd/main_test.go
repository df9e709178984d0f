package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	c, err := parse([]string{"--address", "/run/a.sock", "--root", "/r/", "--state", "/s", "--log-level", "error"})
	if err != nil {
		t.Fatal(err)
	}
	ttrpc := c.Plugins["io.containerd.server.v1.ttrpc"].(map[string]any)["address"]
	if c.Root != "/r" || c.State != "/s" || ttrpc != "/run/a.sock.ttrpc" {
		t.Errorf("root %s, state %s, ttrpc %s", c.Root, c.State, ttrpc)
	}
	for _, args := range [][]string{
		{"--root", "relative"}, {"--log-level", "loud"}, {"config", "default"}, {"--config", "/etc/x.toml"},
	} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v: accepted", args)
		}
	}
	if c, err := parse([]string{"--version"}); c != nil || err != nil {
		t.Errorf("--version: %v, %v", c, err)
	}
}

// What must never creep in with an update of containerd: the engine, CRI, its
// network and its policies.
func TestLinksNoMoreThanIsUsed(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, unwanted := range []string{
		"github.com/moby/moby", "github.com/docker/docker", "k8s.io/cri-api", "k8s.io/client-go",
		"github.com/containerd/containerd/v2/internal/cri", "github.com/containerd/containerd/v2/plugins/cri",
		"github.com/containerd/nri", "github.com/containerd/go-cni", "github.com/containerd/zfs",
		"github.com/containerd/containerd/v2/core/metrics", "github.com/urfave/cli",
		"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters",
	} {
		for pkg := range strings.Lines(string(out)) {
			if strings.HasPrefix(pkg, unwanted) {
				t.Errorf("links %s", strings.TrimSpace(pkg))
			}
		}
	}
}
