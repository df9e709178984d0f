package nd

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxLabel = 63  // octets (RFC 1035, section 2.3.4)
	maxName  = 253 // octets as text, of 255 on the wire
)

// ParseNames reads domain names as RFC 1035, section 3.1, encodes them, one
// after the other; zeros may follow. DHCPv6 has the same list (RFC 3646,
// section 4). A name that no host could have is left out: names end up in
// files, where a newline or a space would mean something. Compression is
// refused, as RFC 8106, section 5.2, and RFC 8415, section 10, forbid it; what
// comes after it is lost, because nobody can tell where it begins.
func ParseNames(b []byte) ([]string, error) {
	var names []string
	var errs []error
	for len(b) > 0 {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		labels, n, err := cutName(b)
		if err != nil {
			errs = append(errs, err)
			break
		}
		b = b[n:]
		name := strings.Join(labels, ".")
		switch {
		case len(name) > maxName:
			errs = append(errs, fmt.Errorf("a name of %d octets", len(name)))
		case !printable(labels):
			errs = append(errs, fmt.Errorf("%q is no name", name))
		default:
			names = append(names, name)
		}
	}
	return names, errors.Join(errs...)
}

// cutName returns the labels of the first name and its length in octets.
func cutName(b []byte) (labels []string, n int, err error) {
	for {
		if n == len(b) {
			return nil, 0, errors.New("a name without an end")
		}
		length := int(b[n])
		n++
		switch {
		case length == 0:
			return labels, n, nil
		case length > maxLabel:
			return nil, 0, errors.New("a compressed name")
		case n+length > len(b):
			return nil, 0, errors.New("a label without an end")
		}
		labels = append(labels, string(b[n:n+length]))
		n += length
	}
}

// printable tells whether labels are of letters, digits, hyphens and
// underscores, none of them with a hyphen first.
func printable(labels []string) bool {
	for _, l := range labels {
		for i, c := range []byte(l) {
			switch {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
			case c == '-' && i > 0:
			default:
				return false
			}
		}
	}
	return true
}
