package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// superblock is what matters here of ext4's, at byte 1024 of the device
// (Documentation/filesystems/ext4/super.rst of the kernel).
type superblock struct {
	clean  bool   // unmounted cleanly, no errors recorded, no journal to replay
	blocks uint64 // size of the file system in blocks
	size   uint64 // bytes in a block
}

func readSuperblock(dev string) (superblock, error) {
	f, err := os.Open(dev)
	if err != nil {
		return superblock{}, err
	}
	defer f.Close()
	var b [1024]byte
	if _, err := f.ReadAt(b[:], 1024); err != nil {
		return superblock{}, fmt.Errorf("superblock: %w", err)
	}
	return parseSuperblock(b[:])
}

func parseSuperblock(b []byte) (superblock, error) {
	le := binary.LittleEndian
	if le.Uint16(b[0x38:]) != 0xEF53 {
		return superblock{}, errors.New("no ext4 superblock")
	}
	const (
		stateValid      = 1
		featRecover     = 0x4  // incompat: the journal must be replayed
		feat64bit       = 0x80 // incompat: block counts have high halves
		maxLogBlockSize = 6
	)
	incompat := le.Uint32(b[0x60:])
	logSize := le.Uint32(b[0x18:])
	if logSize > maxLogBlockSize {
		return superblock{}, fmt.Errorf("ext4 superblock: block size 2^%d KiB", logSize)
	}
	sb := superblock{
		clean:  le.Uint16(b[0x3A:]) == stateValid && incompat&featRecover == 0,
		blocks: uint64(le.Uint32(b[0x04:])),
		size:   1024 << logSize,
	}
	if incompat&feat64bit != 0 {
		sb.blocks |= uint64(le.Uint32(b[0x150:])) << 32
	}
	return sb, nil
}

// resizeIoctl is EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64).
const resizeIoctl = 0x40086610

// growFrom is the smallest gain that is worth a resize, in bytes.
const growFrom = 16 << 20

// grow makes the mounted file system fill its device.
func grow(dev string) error {
	sb, err := readSuperblock(dev)
	if err != nil {
		return err
	}
	f, err := os.Open(dev)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKGETSIZE64)
	if err != nil {
		return fmt.Errorf("size of %s: %w", dev, err)
	}
	want := uint64(size) / sb.size
	if want*sb.size < sb.blocks*sb.size+growFrom {
		return nil
	}
	root, err := os.Open(Root)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, root.Fd(), resizeIoctl, uintptr(unsafe.Pointer(&want))); errno != 0 {
		return fmt.Errorf("resize %s to %d blocks: %w", dev, want, errno)
	}
	return nil
}

// findMount returns what is mounted on target, from the text of /proc/mounts.
func findMount(mounts, target string) (dev, fstype string, ok bool) {
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) >= 3 && f[1] == target {
			dev, fstype, ok = f[0], f[2], true
		}
	}
	return dev, fstype, ok
}

func lastLine(b []byte) string {
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(lines[len(lines)-1])
}
