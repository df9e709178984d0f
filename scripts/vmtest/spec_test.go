package vmtest

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestSpecKeepsGuestsFromTheNetwork(t *testing.T) {
	s := Spec{NICs: 3, Forwards: []Forward{{HostPort: 2222, GuestPort: 22}, {HostPort: 8080, GuestAddr: "10.0.2.77", GuestPort: 80}}}
	args := s.Args("/d")
	nets := 0
	for i, a := range args {
		if a != "-netdev" {
			continue
		}
		nets++
		if !strings.Contains(args[i+1], ",restrict=on") {
			t.Errorf("network is not restricted: %s", args[i+1])
		}
	}
	if nets != 3 {
		t.Errorf("%d networks, want 3", nets)
	}
	line := strings.Join(args, " ")
	for _, want := range []string{
		"user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:8080-10.0.2.77:80",
		"user,id=net2,restrict=on,net=10.0.4.0/24", "-smp 2", "-m 2048", "-accel tcg,thread=multi", "-cpu qemu64",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
}

func TestSpecArgs(t *testing.T) {
	tests := []struct {
		name string
		spec Spec
		want []string
	}{
		{"uefi cd", Spec{Firmware: UEFI, ISO: "/p.iso"}, []string{"file=/d/efivars.fd", "media=cdrom", "ide-cd,drive=cd"}},
		{"direct", Spec{Kernel: "/k", Initrd: "/i", Append: "a b", Disks: []Disk{{Path: "/s", ReadOnly: true, Serial: "sys"}}},
			[]string{"-kernel /k -initrd /i -append a b", "file=/s,readonly=on", "virtio-blk-pci,drive=disk0,serial=sys"}},
		{"stick", Spec{Stick: "/p.iso"}, []string{"snapshot=on,file=/p.iso", "ide-hd,drive=stick,bootindex=0"}},
		{"watchdog", Spec{Watchdog: true, ExitOnReset: true}, []string{"i6300esb", "reboot=shutdown"}},
		{"cards", Spec{Cards: []Card{{Tap: "t", MAC: "m"}, {MAC: "n", Near: 7001, Far: 7002}}}, []string{
			"tap,id=tap0,ifname=t,script=no,downscript=no -device virtio-net-pci,netdev=tap0,id=card0,mac=m,romfile= ",
			"dgram,id=tap1,local.type=inet,local.host=127.0.0.1,local.port=7001,remote.type=inet,remote.host=127.0.0.1,remote.port=7002 " +
				"-device virtio-net-pci,netdev=tap1,id=card1,mac=n,romfile=,speed=10000,duplex=full"}},
		{"extra", Spec{Extra: []string{"-device", "qemu-xhci,id=usb"}, Watchdog: true}, []string{"-device qemu-xhci,id=usb -device i6300esb"}},
		{"kvm", Spec{KVM: true, Memory: 512, CPUs: 1}, []string{"-accel kvm -cpu host -smp 1 -m 512"}},
	}
	for _, tt := range tests {
		line := strings.Join(tt.spec.Args("/d"), " ")
		for _, want := range tt.want {
			if !strings.Contains(line, want) {
				t.Errorf("%s: no %q in %s", tt.name, want, line)
			}
		}
	}
}

func TestSlots(t *testing.T) {
	dir := t.TempDir()
	one, err := Slots(t.Context(), dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Slots(t.Context(), dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Slots(ctx, dir, 1); err == nil {
		t.Error("a third machine got a place")
	}
	one()
	two()
	both, err := Slots(t.Context(), dir, MaxMachines)
	if err != nil {
		t.Fatal(err)
	}
	both()
	if _, err := Slots(t.Context(), dir, MaxMachines+1); err == nil {
		t.Error("more places than there are")
	}
}
