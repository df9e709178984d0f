package services

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sysTree makes a sysfs: device directory → links to it.
func sysTree(t *testing.T, devices map[string][]string) string {
	t.Helper()
	root := t.TempDir()
	for device, links := range devices {
		dir := filepath.Join(root, "devices", device)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "uevent"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			link := filepath.Join(root, l)
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(filepath.Dir(link), dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(rel, link); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestColdDevices(t *testing.T) {
	root := sysTree(t, map[string][]string{
		"pci0/0:1":                        {"bus/pci/devices/0:1"},
		"pci0/0:1/virtio0":                {"bus/virtio/devices/virtio0"},
		"pci0/0:1/virtio0/block/vda":      {"class/block/vda"},
		"pci0/0:1/virtio0/block/vda/vda1": {"class/block/vda1"},
		"pci0/0:2/net/eth0":               {"class/net/eth0"},
		"platform/serial/tty/ttyS0":       {"class/tty/ttyS0"},
		"virtual/tty/tty1":                {"class/tty/tty1"},
		"virtual/mem/null":                {"class/mem/null"},
		"virtual/bdi/8:0":                 {"class/bdi/8:0"},
		"system/cpu/cpu0":                 {"bus/cpu/devices/cpu0"},
		"system/cpu/cpu1":                 {"bus/cpu/devices/cpu1"},
		"both":                            {"bus/hid/devices/both", "class/leds/both"},
	})
	if err := os.WriteFile(filepath.Join(root, "class/net/bonding_masters"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := coldDevices(root)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], root+"/devices/")
	}
	want := []string{
		"pci0/0:1/virtio0/block/vda", "pci0/0:1/virtio0/block/vda/vda1", "pci0/0:2/net/eth0",
		"pci0/0:1/virtio0", "pci0/0:1", "platform/serial/tty/ttyS0", "both", "system/cpu/cpu0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := coldDevices(t.TempDir()); err == nil {
		t.Error("an empty sysfs is no error")
	}
}

func TestAbsent(t *testing.T) {
	dir := t.TempDir()
	queue := filepath.Join(dir, "queue")
	if err := absent(t.Context(), queue); err != nil {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(queue, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := absent(ctx, queue); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with the file: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- absent(t.Context(), queue) }()
	if err := os.WriteFile(filepath.Join(dir, "other"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(queue); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
