package boot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/init/kmsg"
)

const goodHash = "dff06f4334a27eeb21f765240252f1233d402c2aef6263225a977db827739f8d"

func TestParseCmdline(t *testing.T) {
	hash, _ := hex.DecodeString(goodHash)
	base := "pharos.roothash=" + goodHash + " pharos.hashoffset=8511488"
	full := Options{RootHash: hash, HashOffset: 8511488, Timeout: 30 * time.Second}
	with := func(f func(*Options)) Options {
		o := full
		f(&o)
		return o
	}
	for _, c := range []struct {
		line string
		want Options
		ok   bool
	}{
		{"quiet " + base + "\n", full, true},
		{base + " pharos.slot=B", with(func(o *Options) { o.Slot = "B" }), true},
		{base + " pharos.init_timeout=5", with(func(o *Options) { o.Timeout = 5 * time.Second }), true},
		{base + " rancher.recovery", with(func(o *Options) { o.Recovery = true }), true},
		{base + " rancher.recovery=true rancher.recovery=false", full, true},
		{base + " pharos.init_timeout=soon", Options{Timeout: 30 * time.Second}, false},
		{"rancher.recovery", Options{Timeout: 30 * time.Second, Recovery: true}, false},
		{"pharos.roothash=abc pharos.hashoffset=4096", Options{}, false},
		{"pharos.roothash=" + goodHash + " pharos.hashoffset=4097", Options{}, false},
		{"pharos.roothash=" + goodHash + " pharos.hashoffset=-4096", Options{}, false},
		{"pharos.roothash=" + goodHash, Options{}, false},
	} {
		got, err := ParseCmdline(c.line)
		if (err == nil) != c.ok {
			t.Errorf("%q: err %v", c.line, err)
		}
		if c.ok {
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%q: %s", c.line, diff)
			}
		} else if got.Recovery != c.want.Recovery {
			t.Errorf("%q: recovery %v", c.line, got.Recovery)
		}
	}
}

// makeImage builds data, superblock and hash tree as veritysetup format does.
func makeImage(t *testing.T, blocks int, salt []byte) (image []byte, o Options) {
	t.Helper()
	image = make([]byte, blocks*blockSize)
	source := rand.NewChaCha8([32]byte{1})
	source.Read(image)
	o.HashOffset = int64(len(image))
	hash := func(block []byte) []byte {
		sum := sha256.Sum256(append(bytes.Clone(salt), block...))
		return sum[:]
	}
	// Each level is the hashes of the one below, padded to whole blocks; the
	// top stands first.
	var levels [][]byte
	for below := image; len(below) > blockSize; {
		var level []byte
		for ; len(below) > 0; below = below[blockSize:] {
			level = append(level, hash(below[:blockSize])...)
		}
		level = append(level, make([]byte, (blockSize-len(level)%blockSize)%blockSize)...)
		levels = append([][]byte{level}, levels...)
		below = level
	}
	o.RootHash = hash(levels[0])
	var sb superblock
	copy(sb.Signature[:], "verity")
	copy(sb.Algorithm[:], "sha256")
	sb.Version, sb.HashType, sb.DataBlock, sb.HashBlock = 1, 1, blockSize, blockSize
	sb.Blocks, sb.SaltSize = uint64(blocks), uint16(copy(sb.Salt[:], salt))
	var header bytes.Buffer
	if err := binary.Write(&header, binary.LittleEndian, sb); err != nil || header.Len() != 512 {
		t.Fatal(header.Len(), err)
	}
	image = append(image, header.Bytes()...)
	image = append(image, make([]byte, blockSize-512)...)
	for _, level := range levels {
		image = append(image, level...)
	}
	return image, o
}

func TestProbe(t *testing.T) {
	salt := []byte("0123456789abcdef")
	for _, blocks := range []int{2, 128, 129, 400} {
		data, o := makeImage(t, blocks, salt)
		img, err := probe(bytes.NewReader(data), o)
		if err != nil {
			t.Errorf("%d blocks: %v", blocks, err)
			continue
		}
		if img.blocks != uint64(blocks) || img.hashes != uint64(blocks)+1 || !bytes.Equal(img.salt, salt) {
			t.Errorf("%d blocks: %+v", blocks, img)
		}
	}
}

func TestProbeRefuses(t *testing.T) {
	good, o := makeImage(t, 200, []byte("salt"))
	at := o.HashOffset
	for name, damage := range map[string]func(b []byte) []byte{
		"signature":  func(b []byte) []byte { b[at] = 'V'; return b },
		"version":    func(b []byte) []byte { b[at+8] = 2; return b },
		"hash type":  func(b []byte) []byte { b[at+12] = 0; return b },
		"algorithm":  func(b []byte) []byte { b[at+32+3] = '5'; return b },
		"block size": func(b []byte) []byte { b[at+64] = 1; return b },
		"blocks":     func(b []byte) []byte { b[at+72+6] = 1; return b },
		"no blocks":  func(b []byte) []byte { b[at+72] = 0; return b },
		"salt size":  func(b []byte) []byte { b[at+81] = 255; return b },
		"salt":       func(b []byte) []byte { b[at+88] ^= 1; return b },
		"top block":  func(b []byte) []byte { b[at+blockSize] ^= 1; return b },
		"short":      func(b []byte) []byte { return b[:at+100] },
		"empty":      func(b []byte) []byte { return nil },
	} {
		if _, err := probe(bytes.NewReader(damage(bytes.Clone(good))), o); !errors.Is(err, errNoImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestProbeVeritysetup compares with the tool that makes release images, where
// this machine has it.
func TestProbeVeritysetup(t *testing.T) {
	tool, err := exec.LookPath("veritysetup")
	if err != nil {
		t.Skip("this machine has no veritysetup; scripts/deps test installs it")
	}
	want, o := makeImage(t, 300, []byte("0123456789abcdef"))
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, want[:o.HashOffset], 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "format", "--hash-offset=1228800", "--salt="+hex.EncodeToString([]byte("0123456789abcdef")), file, file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), hex.EncodeToString(o.RootHash)) {
		t.Fatalf("%v: %s, want root hash %x", err, out, o.RootHash)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := probe(f, o); err != nil || img.blocks != 300 {
		t.Errorf("%+v %v", img, err)
	}
}

func TestTarget(t *testing.T) {
	img := image{blocks: 2078, hashes: 2079, rootHash: []byte{0xab, 0xcd}, salt: []byte{1, 2}}
	got := img.target("/dev/vda")
	if got.Type != "verity" || got.Sectors != 2078*8 || got.Params != "1 /dev/vda /dev/vda 4096 4096 2078 2079 sha256 abcd 0102" {
		t.Errorf("%+v", got)
	}
	img.salt = nil
	if !strings.HasSuffix(img.target("/dev/vda").Params, " -") {
		t.Error("no salt is written as a hyphen")
	}
}

func TestCandidates(t *testing.T) {
	sys := t.TempDir()
	for name, uevent := range map[string]string{
		"sda": "DEVTYPE=disk\n", "sda1": "DEVTYPE=partition\nPARTNAME=EFI\n",
		"sda2": "DEVTYPE=partition\nPARTNAME=SYSTEM-A\n", "sda3": "DEVTYPE=partition\nPARTNAME=SYSTEM-B\n",
		"sr0": "DEVTYPE=disk\n", "loop0": "DEVTYPE=disk\n", "dm-0": "DEVTYPE=disk\n", "fd0": "DEVTYPE=disk\n",
	} {
		dir := filepath.Join(sys, "class/block", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "uevent"), []byte(uevent), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := newFinder(kmsg.NewLogger(io.Discard, "init"), Options{Slot: "B", RootHash: make([]byte, 32)}, nil)
	f.sys = sys
	if diff := cmp.Diff([]string{"sda3", "sda2", "sda", "sr0", "sda1"}, f.candidates()); diff != "" {
		t.Error(diff)
	}
	f.refused["sda"], f.refused["sr0"] = "no", "no medium"
	if diff := cmp.Diff([]string{"sda3", "sda2", "sda1"}, f.candidates()); diff != "" {
		t.Error(diff)
	}
	f.forget("sr0") // a medium was inserted
	if got := f.candidates(); len(got) != 4 {
		t.Errorf("after a change of sr0: %v", got)
	}
	f.refused["sr0"] = "no medium"
	if err := f.notFound(); !strings.Contains(err.Error(), "sda: no; sr0: no medium") {
		t.Error(err)
	}
}
