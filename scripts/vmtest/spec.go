package vmtest

import (
	"fmt"
	"strings"
)

// Firmware is what starts the guest.
type Firmware string

const (
	BIOS Firmware = "bios"
	UEFI Firmware = "uefi"
)

// Spec describes a virtual machine. The zero values of Memory, CPUs and
// Firmware mean 2048 MiB, 2 and BIOS.
type Spec struct {
	Name     string
	Memory   int // MiB
	CPUs     int
	Firmware Firmware
	KVM      bool

	// Kernel, Initrd and Append boot directly, without a boot loader.
	Kernel, Initrd, Append string
	// ISO is a CD; Stick is an image written to a disk that the firmware boots
	// from. It is on SATA: Debian's cloud kernel has no USB.
	ISO, Stick string
	Disks      []Disk
	// NICs are the network cards in order; the first one carries Forwards.
	NICs     int
	Forwards []Forward
	// Cards are further network cards.
	Cards []Card
	// SMBIOS are tables of the firmware, as for QEMU's -smbios.
	SMBIOS []string
	// Extra are further arguments of QEMU: devices, and ports to plug some in.
	Extra []string
	// Watchdog adds an i6300esb whose bite is reported and resets the guest.
	Watchdog bool
	// ExitOnReset ends QEMU where the guest would reboot.
	ExitOnReset bool
}

// Disk is one virtio disk.
type Disk struct {
	Path     string
	ReadOnly bool
	Snapshot bool // what the guest writes is forgotten
	Serial   string
}

// Card is one network card: on a tap device that is there, in QEMU's network
// namespace, or, without one, at an end of a cable to another machine there.
type Card struct {
	Tap, MAC string
	// Near and Far are the cable's ends, UDP ports of 127.0.0.1. All frames
	// pass it, also those that no bridge forwards (IEEE 802.1D, 7.12.6), and
	// the card knows its speed, without which the kernel speaks no LACP.
	Near, Far int
}

// Forward maps a TCP port of 127.0.0.1 to a port of the guest. GuestAddr is
// empty for the address that the guest gets by DHCP, 10.0.2.15.
type Forward struct {
	HostPort  int
	GuestAddr string
	GuestPort int
}

// OVMF's files in the toolbox.
const (
	ovmfCode = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	ovmfVars = "/usr/share/OVMF/OVMF_VARS_4M.fd"
)

// Args returns QEMU's command line for s without the program's name. Dir is
// where the machine's own files are: qmp.sock, efivars.fd. The serial console
// is on standard input and output.
func (s Spec) Args(dir string) []string {
	cpu, accel := "qemu64", "tcg,thread=multi"
	if s.KVM {
		cpu, accel = "host", "kvm"
	}
	a := []string{
		"-name", s.Name,
		"-nodefaults", "-no-user-config",
		"-machine", "q35",
		"-accel", accel, "-cpu", cpu,
		"-smp", fmt.Sprint(or(s.CPUs, 2)),
		"-m", fmt.Sprint(or(s.Memory, 2048)),
		"-display", "none", "-vga", "std",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		// We listen, QEMU connects: the socket is there before QEMU is.
		"-chardev", "socket,id=qmp,path=" + dir + "/qmp.sock", "-mon", "chardev=qmp,mode=control",
		"-device", "virtio-rng-pci",
	}
	if s.Firmware == UEFI {
		a = append(a,
			"-drive", "if=pflash,format=raw,readonly=on,file="+ovmfCode,
			"-drive", "if=pflash,format=raw,file="+dir+"/efivars.fd")
	}
	if s.Kernel != "" {
		a = append(a, "-kernel", s.Kernel)
		if s.Initrd != "" {
			a = append(a, "-initrd", s.Initrd)
		}
		a = append(a, "-append", s.Append)
	}
	a = append(a, s.mediaArgs()...)
	a = append(a, s.networkArgs()...)
	for _, table := range s.SMBIOS {
		a = append(a, "-smbios", table)
	}
	a = append(a, s.Extra...)
	if s.Watchdog {
		a = append(a, "-device", "i6300esb", "-action", "watchdog=reset")
	}
	if s.ExitOnReset {
		a = append(a, "-action", "reboot=shutdown")
	}
	return a
}

func (s Spec) mediaArgs() []string {
	var a []string
	if s.ISO != "" {
		a = append(a,
			"-drive", "if=none,id=cd,media=cdrom,readonly=on,format=raw,file="+s.ISO,
			"-device", "ide-cd,drive=cd,bootindex=0")
	}
	if s.Stick != "" {
		a = append(a,
			"-drive", "if=none,id=stick,format=raw,snapshot=on,file="+s.Stick,
			"-device", "ide-hd,drive=stick,bootindex=0")
	}
	for i, d := range s.Disks {
		drive := fmt.Sprintf("if=none,id=disk%d,format=raw,file=%s", i, d.Path)
		if d.ReadOnly {
			drive += ",readonly=on"
		}
		if d.Snapshot {
			drive += ",snapshot=on"
		}
		dev := fmt.Sprintf("virtio-blk-pci,drive=disk%d", i)
		if d.Serial != "" {
			dev += ",serial=" + d.Serial
		}
		a = append(a, "-drive", drive, "-device", dev)
	}
	return a
}

// networkArgs gives every NIC its own user network, restricted: what the guest
// sends to the outside (NTP, DNS, metadata probes) goes nowhere. A tap leads to
// where its owner has put it: a namespace without a way out.
func (s Spec) networkArgs() []string {
	var a []string
	for i := range s.NICs {
		net := fmt.Sprintf("user,id=net%d,restrict=on", i)
		if i > 0 {
			net += fmt.Sprintf(",net=10.0.%d.0/24", 2+i)
		}
		if i == 0 {
			var fwd []string
			for _, f := range s.Forwards {
				fwd = append(fwd, fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-%s:%d", f.HostPort, f.GuestAddr, f.GuestPort))
			}
			net += strings.Join(fwd, "")
		}
		// romfile= leaves the boot ROM out: it would only cost boot time.
		dev := fmt.Sprintf("virtio-net-pci,netdev=net%d,id=nic%d,mac=52:54:00:12:34:%02x,romfile=", i, i, 0x56+i)
		a = append(a, "-netdev", net, "-device", dev)
	}
	for i, c := range s.Cards {
		net := fmt.Sprintf("tap,id=tap%d,ifname=%s,script=no,downscript=no", i, c.Tap)
		dev := fmt.Sprintf("virtio-net-pci,netdev=tap%d,id=card%d,mac=%s,romfile=", i, i, c.MAC)
		if c.Tap == "" {
			const end = "%[1]s.type=inet,%[1]s.host=127.0.0.1,%[1]s.port=%[2]d"
			net = fmt.Sprintf("dgram,id=tap%d,"+fmt.Sprintf(end, "local", c.Near)+","+fmt.Sprintf(end, "remote", c.Far), i)
			dev += ",speed=10000,duplex=full"
		}
		a = append(a, "-netdev", net, "-device", dev)
	}
	return a
}

func or(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}
