// Package blkid owns the recognition of file systems by their superblocks:
// type, label and UUID, as blkid(8) prints them. It is pure and refuses
// devices, caches and partition tables.
package blkid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// ErrUnknown means that no known file system begins here.
var ErrUnknown = errors.New("unknown file system")

// Info is what a superblock says of its file system.
type Info struct {
	Type  string // vfat, iso9660, ext2, ext3, ext4, erofs, squashfs, xfs
	Label string
	UUID  string // as in /dev/disk/by-uuid
}

// Probe reads the superblock of the file system that begins at offset 0. A
// reader that is shorter than a superblock is no error of its own.
func Probe(r io.ReaderAt) (Info, error) {
	for _, p := range []func(io.ReaderAt) (Info, bool, error){xfs, squashfs, iso9660, erofs, ext, vfat} {
		info, ok, err := p(r)
		if err != nil {
			return Info{}, fmt.Errorf("superblock: %w", err)
		}
		if ok {
			return info, nil
		}
	}
	return Info{}, ErrUnknown
}

// read returns size bytes at offset, or nil where the reader ends before.
func read(r io.ReaderAt, offset int64, size int) ([]byte, error) {
	b := make([]byte, size)
	if n, err := r.ReadAt(b, offset); n < size {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil
		}
		return nil, err
	}
	return b, nil
}

// text ends a label at its first NUL and drops the padding.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return strings.TrimRight(string(b), " ")
}

func uuid(b []byte) string {
	if bytes.Equal(b, make([]byte, 16)) {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// xfs: the super-block is struct xfs_dsb, big-endian.
func xfs(r io.ReaderAt) (Info, bool, error) {
	b, err := read(r, 0, 512)
	if b == nil || string(b[:4]) != "XFSB" {
		return Info{}, false, err
	}
	return Info{Type: "xfs", UUID: uuid(b[32:48]), Label: text(b[108:120])}, true, nil
}

// squashfs has neither label nor UUID; version 4, little-endian.
func squashfs(r io.ReaderAt) (Info, bool, error) {
	b, err := read(r, 0, 32)
	if b == nil || string(b[:4]) != "hsqs" || binary.LittleEndian.Uint16(b[28:]) != 4 {
		return Info{}, false, err
	}
	return Info{Type: "squashfs"}, true, nil
}

// erofs: struct erofs_super_block at 1024.
func erofs(r io.ReaderAt) (Info, bool, error) {
	b, err := read(r, 1024, 128)
	if b == nil || binary.LittleEndian.Uint32(b) != 0xe0f5e1e2 {
		return Info{}, false, err
	}
	return Info{Type: "erofs", UUID: uuid(b[48:64]), Label: text(b[64:80])}, true, nil
}

// ext: struct ext4_super_block at 1024. The feature bits tell the versions
// apart as libblkid does: a journal makes ext3, what ext3 does not know ext4.
func ext(r io.ReaderAt) (Info, bool, error) {
	b, err := read(r, 1024, 1024)
	if b == nil || binary.LittleEndian.Uint16(b[0x38:]) != 0xef53 {
		return Info{}, false, err
	}
	const (
		hasJournal   = 0x4
		ext3Incompat = 0x2 | 0x4 | 0x10 // filetype, recover, meta_bg
		ext3ROCompat = 0x1 | 0x2 | 0x4  // sparse_super, large_file, btree_dir
	)
	compat := binary.LittleEndian.Uint32(b[0x5c:])
	incompat := binary.LittleEndian.Uint32(b[0x60:])
	roCompat := binary.LittleEndian.Uint32(b[0x64:])
	kind := "ext2"
	switch {
	case incompat&^ext3Incompat != 0 || roCompat&^ext3ROCompat != 0:
		kind = "ext4"
	case compat&hasJournal != 0:
		kind = "ext3"
	}
	return Info{Type: kind, UUID: uuid(b[0x68:0x78]), Label: text(b[0x78:0x88])}, true, nil
}

// iso9660: ECMA-119 volume descriptors from sector 16 on. A Joliet descriptor
// holds the label with small letters, if it is the same one; the UUID is the
// time of creation, as in libblkid.
func iso9660(r io.ReaderAt) (Info, bool, error) {
	const sector = 2048
	var info Info
	for i := range int64(16) {
		b, err := read(r, (16+i)*sector, sector)
		if b == nil || string(b[1:6]) != "CD001" {
			return info, info.Type != "", err
		}
		switch b[0] {
		case 1:
			info.Type, info.Label = "iso9660", text(b[40:72])
			// The time of modification, if there is one, else of creation.
			stamp := b[830:846]
			if strings.Trim(string(stamp), "0\x00 ") == "" {
				stamp = b[813:829]
			}
			if s := string(stamp); strings.Trim(s, "0\x00 ") != "" {
				info.UUID = fmt.Sprintf("%s-%s-%s-%s-%s-%s-%s", s[0:4], s[4:6], s[6:8], s[8:10], s[10:12], s[12:14], s[14:16])
			}
		case 2:
			if label := joliet(b); strings.EqualFold(label[:min(len(label), 16)], info.Label[:min(len(info.Label), 16)]) {
				info.Label = label
			}
		case 255:
			return info, info.Type != "", nil
		}
	}
	return info, info.Type != "", nil
}

// joliet reads the UCS-2 label of a supplementary descriptor whose escape
// sequence says that it is one.
func joliet(b []byte) string {
	if e := string(b[88:91]); e != "%/@" && e != "%/C" && e != "%/E" {
		return ""
	}
	var units []uint16
	for i := 40; i < 72; i += 2 {
		units = append(units, binary.BigEndian.Uint16(b[i:]))
	}
	return text([]byte(string(utf16.Decode(units))))
}

// vfat: Microsoft's FAT specification. The label is taken from the root
// directory, as the tools that set it later change it there, else from the
// boot sector.
func vfat(r io.ReaderAt) (Info, bool, error) {
	b, err := read(r, 0, 512)
	if b == nil || b[510] != 0x55 || b[511] != 0xaa {
		return Info{}, false, err
	}
	le := binary.LittleEndian
	sector, cluster := int64(le.Uint16(b[11:])), int64(b[13])
	reserved, fats, entries := int64(le.Uint16(b[14:])), int64(b[16]), int64(le.Uint16(b[17:]))
	powerOf2 := func(n int64) bool { return n > 0 && n&(n-1) == 0 }
	if !powerOf2(sector) || sector < 512 || sector > 4096 || !powerOf2(cluster) || reserved == 0 || fats == 0 || (b[21] < 0xf8 && b[21] != 0xf0) {
		return Info{}, false, nil
	}
	// FAT12 and FAT16 have their own extended boot record, FAT32 another.
	perFAT, record := int64(le.Uint16(b[22:])), b[38:]
	root, size := (reserved+fats*perFAT)*sector, entries*32
	if perFAT == 0 {
		perFAT, record = int64(le.Uint32(b[36:])), b[66:]
		root = (reserved+fats*perFAT)*sector + (int64(le.Uint32(b[44:]))-2)*cluster*sector
		size = cluster * sector // the label is the first entry, or near
	}
	if record[0] != 0x29 && record[0] != 0x28 {
		return Info{}, false, nil
	}
	info := Info{Type: "vfat", UUID: fmt.Sprintf("%04X-%04X", le.Uint16(record[3:]), le.Uint16(record[1:]))}
	if record[0] == 0x29 {
		if label := text(record[5:16]); label != "NO NAME" {
			info.Label = label
		}
	}
	if dir, err := read(r, root, int(min(size, 64<<10))); err == nil && root > 0 {
		for ; len(dir) >= 32 && dir[0] != 0; dir = dir[32:] {
			// Volume entry, not deleted, and not a part of a long name.
			if dir[0] != 0xe5 && dir[11]&0x0f == 0x08 {
				info.Label = text(dir[:11])
				break
			}
		}
	}
	return info, true, nil
}
