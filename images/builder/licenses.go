package main

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readLicenses fills in each package's licences from the copyright file that
// Debian's policy (section 12.5) puts in its documentation directory.
func readLicenses(root string, pkgs []Package) error {
	for i := range pkgs {
		name := filepath.Join(root, "usr/share/doc", pkgs[i].Name, "copyright")
		data, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		pkgs[i].Licenses = parseLicenses(data)
	}
	return nil
}

// parseLicenses returns the licences that a copyright file names: the License
// fields of the machine-readable format, else the texts in
// /usr/share/common-licenses that a free-form file points at, else the GNU
// licence that it speaks of, else "unknown".
func parseLicenses(data []byte) []string {
	var found []string
	for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); {
		if name, ok := strings.CutPrefix(sc.Text(), "License:"); ok && strings.TrimSpace(name) != "" {
			found = append(found, strings.Join(strings.Fields(name), " "))
		}
	}
	if len(found) == 0 {
		const dir = "/usr/share/common-licenses/"
		for rest := string(data); ; {
			i := strings.Index(rest, dir)
			if i < 0 {
				break
			}
			rest = rest[i+len(dir):]
			end := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("-.", r) && !isAlnum(r) })
			if end < 0 {
				end = len(rest)
			}
			if name := strings.Trim(rest[:end], ".-"); name != "" {
				found = append(found, name)
			}
		}
	}
	if prose := strings.Join(strings.Fields(string(data)), " "); len(found) == 0 {
		switch {
		case strings.Contains(prose, "Lesser General Public License"):
			found = append(found, "LGPL")
		case strings.Contains(prose, "GNU General Public License"):
			found = append(found, "GPL")
		}
	}
	if len(found) == 0 {
		return []string{"unknown"}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func isAlnum(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}
