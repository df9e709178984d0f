package blkid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

const testUUID = "12345678-9abc-def0-1234-56789abcdef0"

func uuidBytes() []byte {
	return []byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0}
}

// image is a device of zeroes with things put at offsets.
func image(size int, parts map[int][]byte) []byte {
	b := make([]byte, size)
	for offset, part := range parts {
		copy(b[offset:], part)
	}
	return b
}

func le16(n uint16) []byte { return binary.LittleEndian.AppendUint16(nil, n) }
func le32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

func ext4(compat, incompat, roCompat uint32) []byte {
	return image(4096, map[int][]byte{
		1024 + 0x38: le16(0xef53), 1024 + 0x5c: le32(compat), 1024 + 0x60: le32(incompat), 1024 + 0x64: le32(roCompat),
		1024 + 0x68: uuidBytes(), 1024 + 0x78: []byte("PHAROS_STATE"),
	})
}

func fat(fat32 bool, rootLabel string) []byte {
	parts := map[int][]byte{
		11: le16(512), 13: {4}, 14: le16(32), 16: {2}, 21: {0xf8}, 510: {0x55, 0xaa},
	}
	record, root := 38, (32+2*8)*512
	if fat32 {
		record = 66
		parts[36], parts[44] = le32(8), le32(3)
		root += 4 * 512
	} else {
		parts[17], parts[22] = le16(512), le16(8)
	}
	parts[record] = append([]byte{0x29, 0xef, 0xbe, 0xad, 0xde}, "BOOTSECTOR "...)
	if rootLabel != "" {
		parts[root] = append([]byte("LONGNAME   "), 0x0f)
		parts[root+32] = append([]byte(rootLabel), 0x08)
	}
	return image(64<<10, parts)
}

func iso(label, joliet, created, modified string) []byte {
	pad := func(s string, n int) []byte { return append([]byte(s), bytes.Repeat([]byte(" "), n-len(s))...) }
	ucs := []byte{}
	for _, u := range utf16.Encode([]rune(string(pad(joliet, 16)))) {
		ucs = binary.BigEndian.AppendUint16(ucs, u)
	}
	const at = 16 * 2048
	return image(20*2048, map[int][]byte{
		at: []byte("\x01CD001\x01"), at + 40: pad(label, 32), at + 813: []byte(created), at + 830: []byte(modified),
		at + 2048: []byte("\x02CD001\x01"), at + 2048 + 88: []byte("%/E"), at + 2048 + 40: ucs,
		at + 4096: []byte("\xffCD001\x01"),
	})
}

func TestProbe(t *testing.T) {
	zero := "0000000000000000\x00"
	for _, c := range []struct {
		name  string
		image []byte
		want  Info
	}{
		{"ext4", ext4(0x4, 0x2|0x40, 0x1), Info{"ext4", "PHAROS_STATE", testUUID}},
		{"ext3", ext4(0x4, 0x2, 0x1), Info{"ext3", "PHAROS_STATE", testUUID}},
		{"ext2", ext4(0, 0x2, 0x1), Info{"ext2", "PHAROS_STATE", testUUID}},
		{"erofs", image(4096, map[int][]byte{1024: le32(0xe0f5e1e2), 1072: uuidBytes(), 1088: []byte("system")}), Info{"erofs", "system", testUUID}},
		{"squashfs", image(4096, map[int][]byte{0: []byte("hsqs"), 28: le16(4)}), Info{Type: "squashfs"}},
		{"xfs", image(4096, map[int][]byte{0: []byte("XFSB"), 32: uuidBytes(), 108: []byte("data")}), Info{"xfs", "data", testUUID}},
		{"fat16, label in the root directory", fat(false, "CIDATA     "), Info{"vfat", "CIDATA", "DEAD-BEEF"}},
		{"fat16, label in the boot sector", fat(false, ""), Info{"vfat", "BOOTSECTOR", "DEAD-BEEF"}},
		{"fat32", fat(true, "EFI        "), Info{"vfat", "EFI", "DEAD-BEEF"}},
		{"iso9660", iso("PHAROS", "other", "2026010203040506\x00", zero), Info{"iso9660", "PHAROS", "2026-01-02-03-04-05-06"}},
		{"joliet", iso("CIDATA", "cidata", "2026010203040506\x00", "2026020304050607\x00"), Info{"iso9660", "cidata", "2026-02-03-04-05-06-07"}},
	} {
		got, err := Probe(bytes.NewReader(c.image))
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", c.name, err, diff)
		}
	}
}

func TestProbeUnknown(t *testing.T) {
	mbr := image(4096, map[int][]byte{510: {0x55, 0xaa}})
	for name, data := range map[string][]byte{"empty": {}, "short": {1, 2, 3}, "zeroes": make([]byte, 1<<20), "partition table": mbr, "ones": bytes.Repeat([]byte{0xff}, 1<<17)} {
		if got, err := Probe(bytes.NewReader(data)); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

// TestProbeRealImages compares with what the tools of this machine make.
func TestProbeRealImages(t *testing.T) {
	for _, c := range []struct {
		size int64
		argv []string // IMAGE and DIR are replaced
		want Info
	}{
		{4 << 20, []string{"mkfs.ext4", "-q", "-U", testUUID, "-L", "PHAROS_STATE", "IMAGE"}, Info{"ext4", "PHAROS_STATE", testUUID}},
		{4 << 20, []string{"mkfs.ext4", "-q", "-O", "none,has_journal", "-U", testUUID, "-L", "x", "IMAGE"}, Info{"ext3", "x", testUUID}},
		{4 << 20, []string{"mkfs.vfat", "-i", "DEADBEEF", "-n", "CIDATA", "IMAGE"}, Info{"vfat", "CIDATA", "DEAD-BEEF"}},
		{64 << 20, []string{"mkfs.vfat", "-F", "32", "-i", "DEADBEEF", "-n", "EFI", "IMAGE"}, Info{"vfat", "EFI", "DEAD-BEEF"}},
		{0, []string{"mksquashfs", "DIR", "IMAGE", "-quiet", "-no-progress"}, Info{Type: "squashfs"}},
		{0, []string{"mkfs.erofs", "-U", testUUID, "IMAGE", "DIR"}, Info{"erofs", "", testUUID}},
		{0, []string{"genisoimage", "-quiet", "-J", "-V", "cidata", "-o", "IMAGE", "DIR"}, Info{Type: "iso9660", Label: "cidata"}},
		{0, []string{"xorrisofs", "-quiet", "-J", "-V", "cidata", "-o", "IMAGE", "DIR"}, Info{Type: "iso9660", Label: "cidata"}},
	} {
		t.Run(c.argv[0]+" "+c.want.Type, func(t *testing.T) {
			program, err := exec.LookPath(c.argv[0])
			if err != nil {
				t.Skipf("this machine has no %s; scripts/deps test installs it", c.argv[0])
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "image")
			if c.size > 0 {
				if err := os.WriteFile(file, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(file, c.size); err != nil {
					t.Fatal(err)
				}
			}
			content := filepath.Join(dir, "content")
			if err := os.Mkdir(content, 0o755); err != nil {
				t.Fatal(err)
			}
			argv := append([]string(nil), c.argv[1:]...)
			for i, arg := range argv {
				switch arg {
				case "IMAGE":
					argv[i] = file
				case "DIR":
					argv[i] = content
				}
			}
			if out, err := exec.Command(program, argv...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := Probe(f)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.UUID == "" && got.Type == "iso9660" {
				got.UUID = "" // the time of its making
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
