package boot

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Options is what stage 1 reads from the kernel command line; everything else
// on it is the manager's.
type Options struct {
	RootHash   []byte        // of the dm-verity tree, pharos.roothash
	HashOffset int64         // bytes, where the verity superblock is, pharos.hashoffset
	Slot       string        // "A", "B" or empty, pharos.slot
	Timeout    time.Duration // for finding the image, pharos.init_timeout
	Recovery   bool          // rancher.recovery
}

const (
	defaultTimeout = 30 * time.Second
	blockSize      = 4096 // of data and of hashes
)

// ParseCmdline reads Options. What is wrong is reported; Recovery is valid
// even then.
func ParseCmdline(line string) (Options, error) {
	o := Options{Timeout: defaultTimeout}
	values := map[string]string{}
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		values[strings.ReplaceAll(key, "-", "_")] = value // the last one wins
	}
	if v, ok := values["rancher.recovery"]; ok {
		o.Recovery = v != "false" && v != "0" && v != "no"
	}
	o.Slot = values["pharos.slot"]
	if v, ok := values["pharos.init_timeout"]; ok {
		seconds, err := strconv.Atoi(v)
		if err != nil || seconds < 1 {
			return o, fmt.Errorf("pharos.init_timeout=%s: want seconds", v)
		}
		o.Timeout = time.Duration(seconds) * time.Second
	}
	var err error
	if o.RootHash, err = hex.DecodeString(values["pharos.roothash"]); err != nil || len(o.RootHash) != 32 {
		return o, fmt.Errorf("pharos.roothash=%s: want 64 hexadecimal digits", values["pharos.roothash"])
	}
	o.HashOffset, err = strconv.ParseInt(values["pharos.hashoffset"], 10, 64)
	if err != nil || o.HashOffset <= 0 || o.HashOffset%blockSize != 0 {
		return o, fmt.Errorf("pharos.hashoffset=%s: want a positive multiple of %d", values["pharos.hashoffset"], blockSize)
	}
	return o, nil
}
