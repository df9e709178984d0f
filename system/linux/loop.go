package linux

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Loop says what a loop device shows of its backing file.
type Loop struct {
	Backing   string // path of a file or block device
	Offset    int64  // bytes
	Size      int64  // bytes; 0 is up to the end
	BlockSize uint32 // bytes; 0 is the kernel's choice
	ReadOnly  bool
	// DirectIO asks the kernel to go past the page cache of the backing
	// file; where the file system cannot, it is silently not done.
	DirectIO bool
	// AutoClear frees the device when its last user is gone.
	AutoClear bool
}

// AttachLoop binds a free loop device and returns it open: with AutoClear it
// lives as long as somebody has it open. Its path is the file's name.
func AttachLoop(l Loop) (*os.File, error) {
	mode := os.O_RDWR
	if l.ReadOnly {
		mode = os.O_RDONLY
	}
	backing, err := os.OpenFile(l.Backing, mode|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("loop backing: %w", err)
	}
	defer backing.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("loop control: %w", err)
	}
	defer control.Close()

	config := unix.LoopConfig{Fd: uint32(backing.Fd()), Size: l.BlockSize}
	config.Info.Offset, config.Info.Sizelimit = uint64(l.Offset), uint64(l.Size)
	copy(config.Info.File_name[:len(config.Info.File_name)-1], l.Backing)
	for _, f := range []struct {
		set  bool
		flag uint32
	}{{l.ReadOnly, unix.LO_FLAGS_READ_ONLY}, {l.DirectIO, unix.LO_FLAGS_DIRECT_IO}, {l.AutoClear, unix.LO_FLAGS_AUTOCLEAR}} {
		if f.set {
			config.Info.Flags |= f.flag
		}
	}
	// Somebody else may take the free device between the two calls: EBUSY.
	for range 64 {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("free loop device: %w", err)
		}
		dev, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), mode|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("loop device: %w", err)
		}
		err = retry(func() error { return unix.IoctlLoopConfigure(int(dev.Fd()), &config) })
		if err == nil {
			return dev, nil
		}
		dev.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("configure %s for %s: %w", dev.Name(), l.Backing, err)
		}
	}
	return nil, fmt.Errorf("loop device for %s: %w", l.Backing, unix.EBUSY)
}

// DetachLoop frees a loop device; one that is still in use goes when its last
// user does.
func DetachLoop(path string) error {
	dev, err := os.OpenFile(path, os.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("loop device: %w", err)
	}
	defer dev.Close()
	if err := unix.IoctlSetInt(int(dev.Fd()), unix.LOOP_CLR_FD, 0); err != nil && !errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("detach %s: %w", path, err)
	}
	return nil
}

// FirstBlock returns the number of the block that holds the file's index-th
// block, both in the file system's block size (FIBMAP). Needs CAP_SYS_RAWIO.
func FirstBlock(f *os.File, index uint32) (uint32, error) {
	block := int32(index)
	const fibmap = 1 // linux/fs.h
	if err := ioctlPtr(f, fibmap, &block); err != nil {
		return 0, fmt.Errorf("block map of %s: %w", f.Name(), err)
	}
	return uint32(block), nil
}
