package boot

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/linux"
	"github.com/pharos-os/pharos/system/linux/blkid"
)

const (
	// Media is where the file system that holds the image stays mounted.
	Media = "/run/pharos/media"

	initrdImage = "/system.img"
	mediaImage  = "/pharos/system.img"
)

var errNoFileSystem = errors.New("no file system of an installation medium")

// inInitrd looks for the image in the initramfs itself. The loop device keeps
// the file's memory when the initramfs is deleted.
func (f *finder) inInitrd() (source, error) {
	if _, err := os.Stat(initrdImage); err != nil {
		return source{}, err
	}
	src, err := f.onLoop(linux.Loop{Backing: initrdImage})
	if err != nil {
		return source{}, fmt.Errorf("image in the initrd: %w", err)
	}
	src.slot, src.name = "initrd", "initrd:"+initrdImage
	return src, nil
}

// onFileSystem looks for the image as a file on the device's file system,
// which stays mounted when it is there.
func (f *finder) onFileSystem(dev *os.File) (source, error) {
	info, err := blkid.Probe(dev)
	if err != nil {
		return source{}, errNoFileSystem
	}
	kind, needs := info.Type, []string(nil)
	slot := "disk"
	switch info.Type {
	case "iso9660":
		slot, needs = "iso", []string{"isofs"}
	case "vfat":
		needs = []string{"vfat", "nls_cp437", "nls_ascii", "nls_utf8"}
	case "ext2", "ext3", "ext4":
		kind, needs = "ext4", []string{"ext4"}
	default:
		return source{}, errNoFileSystem
	}
	for _, name := range needs {
		if err := f.loader.Load(name, ""); err != nil && !isUnknown(err) {
			return source{}, err
		}
	}
	if err := os.MkdirAll(Media, 0o755); err != nil {
		return source{}, err
	}
	if err := linux.Mount(dev.Name(), Media, kind, unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return source{}, err
	}
	src, err := f.onLoop(backing(dev, info.Type))
	if err != nil {
		return source{}, errors.Join(err, linux.Unmount(Media, 0))
	}
	src.slot, src.name = slot, dev.Name()+":"+mediaImage
	return src, nil
}

// backing says what the loop device shows: the file, or where possible the
// part of the device that it is in, which spares the memory of a second copy
// in the page cache. Files of ISO 9660 are in one piece.
func backing(dev *os.File, kind string) linux.Loop {
	file := linux.Loop{Backing: Media + mediaImage, DirectIO: true}
	if kind != "iso9660" {
		return file
	}
	const isoBlock = 2048
	f, err := os.Open(file.Backing)
	if err != nil {
		return file
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() < isoBlock {
		return file
	}
	last := uint32((info.Size() - 1) / isoBlock)
	begin, err1 := linux.FirstBlock(f, 0)
	end, err2 := linux.FirstBlock(f, last)
	if err1 != nil || err2 != nil || begin == 0 || end != begin+last {
		return file
	}
	return linux.Loop{Backing: dev.Name(), Offset: int64(begin) * isoBlock, Size: info.Size(), BlockSize: isoBlock, DirectIO: true}
}

// onLoop shows the image on a loop device and checks it there, as the kernel
// will see it.
func (f *finder) onLoop(l linux.Loop) (source, error) {
	if _, err := os.Stat(l.Backing); err != nil {
		return source{}, fmt.Errorf("%w: %w", errNoImage, err)
	}
	if err := f.loader.Load("loop", ""); err != nil && !isUnknown(err) {
		return source{}, err
	}
	l.ReadOnly, l.AutoClear = true, true
	loop, err := linux.AttachLoop(l)
	if err != nil {
		return source{}, err
	}
	img, err := probe(loop, f.o)
	if err != nil {
		loop.Close()
		return source{}, err
	}
	return source{device: loop.Name(), image: img, hold: loop}, nil
}
