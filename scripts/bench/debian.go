package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pharos-os/pharos/scripts/vmtest"
)

// debianImages are the two Debian machines: disks, and kernel and initrd that
// both boot from.
type debianImages struct {
	peer, lean      string
	vmlinuz, initrd string
	key             vmtest.Key
}

// peerPackages is what the peer consists of besides Debian's minbase. netplan.io
// and systemd-resolved are what Debian's own cloud images bring up the network
// with when cloud-init has read its seed.
func peerPackages() []string {
	return []string{
		"linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "dbus", "udev",
		"cloud-init", "netplan.io", "systemd-resolved", "docker.io", "docker-cli",
		"openssh-server", "chrony", "rsyslog", "iproute2", "procps", "sudo", "ca-certificates",
	}
}

// leanSteps is what a careful admin changes on the peer by hand, as commands
// whose first argument after chroot's is run inside the tree.
func leanSteps() [][]string {
	return [][]string{
		{"systemctl", "mask", "cloud-init-main.service", "cloud-init-local.service", "cloud-init-network.service",
			"cloud-init.service", "cloud-config.service", "cloud-final.service", "cloud-config.target", "cloud-init.target",
			"systemd-networkd-wait-online.service"},
		{"systemctl", "enable", "systemd-networkd.service"},
		{"ssh-keygen", "-A"},
	}
}

// Files of the lean machine: its network, and no generator of cloud-init.
const (
	leanNetwork = "[Match]\nName=e*\n\n[Network]\nDHCP=ipv4\n"
	recipe      = "3" // counts changes of this file that the cache must notice
)

// buildDebian makes both machines, or finds them in the cache.
func buildDebian(ctx context.Context, log *slog.Logger, tools vmtest.Toolbox, root, cache string) (debianImages, error) {
	id := sha256.Sum256([]byte(fmt.Sprint(recipe, peerPackages(), leanSteps(), leanNetwork)))
	dir := filepath.Join(cache, "bench-"+hex.EncodeToString(id[:6]))
	d := debianImages{
		peer: filepath.Join(dir, "peer.img"), lean: filepath.Join(dir, "lean.img"),
		vmlinuz: filepath.Join(dir, "vmlinuz"), initrd: filepath.Join(dir, "initrd"),
	}
	var err error
	if d.key, err = vmtest.LoadKey(filepath.Join(cache, "bench-key")); err != nil {
		return d, err
	}
	if _, err := os.Stat(filepath.Join(dir, "done")); err == nil {
		return d, nil
	}
	log.Info("making the Debian machines", "directory", dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return d, fmt.Errorf("peer: %w", err)
	}
	tree := filepath.Join(dir, "tree")
	if err := d.build(ctx, tools, root, tree); err != nil {
		return d, fmt.Errorf("peer: %w", err)
	}
	return d, os.WriteFile(filepath.Join(dir, "done"), nil, 0o644)
}

func (d debianImages) build(ctx context.Context, tools vmtest.Toolbox, root, tree string) error {
	if err := os.RemoveAll(tree); err != nil {
		return err
	}
	mirror, err := exec.CommandContext(ctx, filepath.Join(root, "scripts", "mirror")).Output()
	if err != nil {
		return fmt.Errorf("scripts/mirror: %w", err)
	}
	args := []string{"--quiet", "--variant=minbase", "--format=directory",
		"--include=" + strings.Join(peerPackages(), ","), "trixie", tree}
	if m := strings.TrimSpace(string(mirror)); m != "" {
		args = append(args, m)
	}
	if err := command(ctx, "mmdebstrap", args...); err != nil {
		return err
	}
	if err := preparePeer(tree); err != nil {
		return err
	}
	for link, file := range map[string]string{"vmlinuz": d.vmlinuz, "initrd.img": d.initrd} {
		if err := command(ctx, "cp", "-L", filepath.Join(tree, link), file); err != nil {
			return err
		}
	}
	if err := makeDisk(tools, tree, d.peer); err != nil {
		return err
	}
	if err := d.makeLean(ctx, tree); err != nil {
		return err
	}
	if err := makeDisk(tools, tree, d.lean); err != nil {
		return err
	}
	return os.RemoveAll(tree)
}

// preparePeer does what Debian's installer or image tools would have done.
func preparePeer(tree string) error {
	// Host keys belong to a machine, not to an image: the peer makes its own at first boot.
	keys, err := filepath.Glob(filepath.Join(tree, "etc/ssh/ssh_host_*"))
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := os.Remove(k); err != nil {
			return err
		}
	}
	return writeTree(tree, map[string]string{
		"etc/fstab":      "/dev/vda / ext4 defaults,errors=remount-ro 0 1\n",
		"etc/hostname":   "peer\n",
		"etc/machine-id": "",
	})
}

func (d debianImages) makeLean(ctx context.Context, tree string) error {
	for _, step := range leanSteps() {
		if err := command(ctx, "chroot", append([]string{tree}, step...)...); err != nil {
			return err
		}
	}
	err := writeTree(tree, map[string]string{
		"etc/cloud/cloud-init.disabled":       "",
		"etc/systemd/network/10-dhcp.network": leanNetwork,
		"etc/hostname":                        "lean\n",
		"etc/machine-id":                      "0123456789abcdef0123456789abcdef\n",
	})
	if err != nil {
		return err
	}
	ssh := filepath.Join(tree, "root/.ssh")
	if err := os.MkdirAll(ssh, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(ssh, "authorized_keys"), []byte(d.key.Authorized()+"\n"), 0o600)
}

func writeTree(tree string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// makeDisk packs tree into an ext4 file system of 4 GiB, sparse.
func makeDisk(tools vmtest.Toolbox, tree, path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	_, err := tools.Run("mkfs.ext4", "-q", "-F", "-d", tree, path, "4G")
	return err
}

func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// contestant describes one of the two as a machine that boots.
func (d debianImages) contestant(name, disk string) contestant {
	return contestant{
		name: name, user: "root",
		spec: vmtest.Spec{
			Kernel: d.vmlinuz, Initrd: d.initrd,
			Append: "root=/dev/vda rw quiet loglevel=4 console=tty0 console=ttyS0,115200",
			Disks:  []vmtest.Disk{{Path: disk, Snapshot: true}},
		},
	}
}
