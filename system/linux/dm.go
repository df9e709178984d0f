package linux

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Target is the one target of a device-mapper device: Sectors of 512 bytes,
// and its parameters as in the kernel's admin-guide/device-mapper.
type Target struct {
	Type    string
	Sectors uint64
	Params  string
}

const dmReadOnly = 1 << 0 // DM_READONLY_FLAG, linux/dm-ioctl.h

// CreateDM makes a read-only device-mapper device, loads its table and resumes
// it. It returns the device's path, /dev/dm-N.
func CreateDM(name, uuid string, t Target) (string, error) {
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("device mapper: %w", err)
	}
	defer control.Close()

	created, err := dmIoctl(control, unix.DM_DEV_CREATE, name, uuid, 0, nil)
	if err != nil {
		return "", fmt.Errorf("create %s: %w", name, err)
	}
	if _, err := dmIoctl(control, unix.DM_TABLE_LOAD, name, "", dmReadOnly, &t); err != nil {
		dmIoctl(control, unix.DM_DEV_REMOVE, name, "", 0, nil)
		return "", fmt.Errorf("table of %s (%s %s): %w", name, t.Type, t.Params, err)
	}
	if _, err := dmIoctl(control, unix.DM_DEV_SUSPEND, name, "", dmReadOnly, nil); err != nil {
		dmIoctl(control, unix.DM_DEV_REMOVE, name, "", 0, nil)
		return "", fmt.Errorf("resume %s: %w", name, err)
	}
	return fmt.Sprintf("/dev/dm-%d", unix.Minor(created)), nil
}

// dmIoctl sends one request and returns the device number that the kernel
// answers with.
func dmIoctl(control *os.File, request uint, name, uuid string, flags uint32, t *Target) (uint64, error) {
	data := dmRequest(name, uuid, flags, t)
	err := retry(func() error {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), uintptr(request), uintptr(unsafe.Pointer(&data[0])))
		if errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return (*unix.DmIoctl)(unsafe.Pointer(&data[0])).Dev, nil
}

// dmRequest lays out struct dm_ioctl, and after it struct dm_target_spec with
// the parameters as a C string, padded to 8 bytes.
func dmRequest(name, uuid string, flags uint32, t *Target) []byte {
	const head = unix.SizeofDmIoctl
	size := head
	if t != nil {
		size += unix.SizeofDmTargetSpec + (len(t.Params)+8)&^7
	}
	data := make([]byte, max(size, 512))
	h := (*unix.DmIoctl)(unsafe.Pointer(&data[0]))
	h.Version = [3]uint32{4, 0, 0}
	h.Data_size, h.Data_start, h.Flags = uint32(len(data)), head, flags
	copy(h.Name[:len(h.Name)-1], name)
	copy(h.Uuid[:len(h.Uuid)-1], uuid)
	if t != nil {
		h.Target_count = 1
		spec := data[head:]
		binary.NativeEndian.PutUint64(spec[8:], t.Sectors)
		binary.NativeEndian.PutUint32(spec[20:], uint32(size-head))
		copy(spec[24:39], t.Type)
		copy(spec[unix.SizeofDmTargetSpec:], t.Params)
	}
	return data
}
