package dhcp

import "strings"

// Bounds of a search list. Names are at most 255 bytes on the wire (RFC 1035,
// section 2.3.4); resolvers take few.
const (
	longestName   = 255
	longestSearch = 32
)

// searchList reads option 119 (RFC 3397): names in the form of RFC 1035,
// compressed within the option. Names that cannot be are left out, and a list
// that cannot be read as a whole; both are bad.
func searchList(b []byte) (list []string, bad bool) {
	for at := 0; at < len(b); {
		name, next, ok := readName(b, at)
		if !ok {
			return nil, true
		}
		at = next
		if name == "" || len(list) == longestSearch {
			bad = true
			continue
		}
		list = append(list, name)
	}
	return list, bad
}

// readName reads the name at an offset and returns where the next one begins.
// A pointer has to point before the name or pointer that it belongs to, so
// that no loop is possible. The name is empty if it has bytes that names
// cannot have, or is the root.
func readName(b []byte, at int) (name string, next int, ok bool) {
	var labels []string
	limit, length, clean := at, 0, true
	for at < len(b) {
		n := int(b[at])
		at++
		switch {
		case n == 0:
			if next == 0 {
				next = at
			}
			if !clean {
				labels = nil
			}
			return strings.Join(labels, "."), next, true
		case n&0xc0 == 0xc0:
			if at == len(b) {
				return "", 0, false
			}
			target := n&0x3f<<8 | int(b[at])
			if next == 0 {
				next = at + 1
			}
			if target >= limit {
				return "", 0, false
			}
			at, limit = target, target
		case n&0xc0 != 0 || at+n > len(b) || length+n+1 >= longestName:
			return "", 0, false
		default:
			label := string(b[at : at+n])
			clean = clean && !strings.ContainsFunc(label, func(r rune) bool { return r > 0x7f || !nameByte(byte(r)) })
			labels = append(labels, label)
			length += n + 1
			at += n
		}
	}
	return "", 0, false
}
