package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// trusted refuses a path that goes through a symbolic link of somebody else's
// to a thing that is not theirs: in a directory of their own they could have
// root write anywhere. Links of root's are fine. last says that the path's
// end is followed, too; otherwise it is replaced.
func trusted(root, path string, last bool) error {
	parts := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	if !last {
		parts = parts[:len(parts)-1]
	}
	at := root
	for _, part := range parts {
		at = filepath.Join(at, part)
		link, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // to be made
		}
		if err != nil {
			return err
		}
		if link.Mode()&fs.ModeSymlink == 0 || ownerOf(link) == 0 {
			continue
		}
		target, err := os.Stat(at)
		if err != nil {
			return err
		}
		if ownerOf(target) != ownerOf(link) {
			return fmt.Errorf("%s is a link of user %d's to something that is not theirs: not followed", at, ownerOf(link))
		}
	}
	return nil
}

func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return 0
}
