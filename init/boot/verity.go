package boot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pharos-os/pharos/system/linux"
)

// errNoImage means that a device is not the system image that is looked for.
var errNoImage = errors.New("not this system image")

// superblock is the header that veritysetup writes before a hash tree, see
// struct verity_sb in cryptsetup's lib/verity/verity.c.
type superblock struct {
	Signature [8]byte
	Version   uint32
	HashType  uint32
	UUID      [16]byte
	Algorithm [32]byte
	DataBlock uint32 // bytes
	HashBlock uint32 // bytes
	Blocks    uint64 // of data
	SaltSize  uint16
	_         [6]byte
	Salt      [256]byte
	_         [168]byte
}

// image is a verified description of where a system image is in a device.
type image struct {
	blocks   uint64 // of data, blockSize each
	hashes   uint64 // first block of the tree
	rootHash []byte
	salt     []byte
}

// probe reads the superblock at o.HashOffset and checks that the tree behind
// it has the wanted root hash: the hash of salt and top block. The rest of the
// tree and the data are checked by the kernel as they are read.
func probe(r io.ReaderAt, o Options) (image, error) {
	raw := make([]byte, binary.Size(superblock{}))
	if _, err := r.ReadAt(raw, o.HashOffset); err != nil {
		if errors.Is(err, io.EOF) {
			return image{}, fmt.Errorf("%w: smaller than pharos.hashoffset", errNoImage)
		}
		return image{}, fmt.Errorf("verity superblock: %w", err)
	}
	var sb superblock
	if _, err := binary.Decode(raw, binary.LittleEndian, &sb); err != nil {
		return image{}, fmt.Errorf("verity superblock: %w", err)
	}
	algorithm := string(bytes.TrimRight(sb.Algorithm[:], "\x00"))
	switch {
	case string(sb.Signature[:]) != "verity\x00\x00":
		return image{}, fmt.Errorf("%w: no verity superblock", errNoImage)
	case sb.Version != 1 || sb.HashType != 1 || algorithm != "sha256" || sb.DataBlock != blockSize || sb.HashBlock != blockSize:
		return image{}, fmt.Errorf("%w: verity version %d type %d %s %d/%d", errNoImage, sb.Version, sb.HashType, algorithm, sb.DataBlock, sb.HashBlock)
	case sb.SaltSize > 256 || sb.Blocks < 2 || sb.Blocks > uint64(o.HashOffset)/blockSize:
		return image{}, fmt.Errorf("%w: verity superblock damaged", errNoImage)
	}
	// The top of the tree is the first block after the superblock.
	img := image{blocks: sb.Blocks, hashes: uint64(o.HashOffset)/blockSize + 1, rootHash: o.RootHash, salt: sb.Salt[:sb.SaltSize]}
	top := make([]byte, blockSize)
	if _, err := r.ReadAt(top, int64(img.hashes)*blockSize); err != nil {
		return image{}, fmt.Errorf("verity tree: %w", err)
	}
	if got := sha256.Sum256(append(bytes.Clone(img.salt), top...)); !bytes.Equal(got[:], o.RootHash) {
		return image{}, fmt.Errorf("%w: root hash %x", errNoImage, got)
	}
	return img, nil
}

// target is the device-mapper table of the image on a device, see the kernel's
// admin-guide/device-mapper/verity.rst. A block whose hash is wrong fails to be
// read with EIO and a line in the kernel's log. (Not restart_on_corruption: a
// bad sector in a file that nobody needs must not keep the machine from
// running; one that PID 1 needs ends in a panic, and panic=10 in a restart.)
func (i image) target(device string) linux.Target {
	salt := "-"
	if len(i.salt) > 0 {
		salt = fmt.Sprintf("%x", i.salt)
	}
	return linux.Target{
		Type:    "verity",
		Sectors: i.blocks * (blockSize / 512),
		Params: strings.Join([]string{"1", device, device, fmt.Sprint(blockSize), fmt.Sprint(blockSize),
			fmt.Sprint(i.blocks), fmt.Sprint(i.hashes), "sha256", fmt.Sprintf("%x", i.rootHash), salt}, " "),
	}
}
