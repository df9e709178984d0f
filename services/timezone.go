package services

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
)

// PosixTZ reads the rule that holds from now on out of a time zone's table
// below zones, a tree like /usr/share/zoneinfo: the last line of the file, see
// RFC 9636, 3.3.
func PosixTZ(zones fs.FS, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	text, err := fs.ReadFile(zones, path.Clean(name))
	if err != nil || !bytes.HasPrefix(text, []byte("TZif")) {
		return "", fmt.Errorf("timezone %q: no such zone", name)
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	return string(text[bytes.LastIndexByte(text, '\n')+1:]), nil
}
