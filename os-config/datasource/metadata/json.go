// Package metadata owns what the parsers of the clouds' answers have in
// common: values that come in several forms, SSH keys, host names, and the
// making of rancher.network from links with addresses. It is pure; it refuses
// to know any one cloud, and it never repeats an answer in an error, because
// answers hold secrets.
package metadata

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
)

// JSON reads one JSON value. Its error says where and what, without the data.
func JSON(where string, data []byte, v any) error {
	err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), v)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: no usable JSON at byte %d of %d", where, syntax.Offset, len(data))
	case errors.As(err, &kind):
		return fmt.Errorf("%s: unexpected JSON %s at byte %d", where, kindOf(kind.Value), kind.Offset)
	}
	return fmt.Errorf("%s: no usable JSON", where)
}

// kindOf leaves the number out of "number 12".
func kindOf(s string) string {
	kind, _, _ := strings.Cut(s, " ")
	return kind
}

// Text is a JSON text, number or truth value as text; of everything else it
// is empty. Clouds are not of one mind whether an MTU is a number.
type Text string

// UnmarshalJSON never fails.
func (t *Text) UnmarshalJSON(data []byte) error {
	*t = ""
	switch {
	case len(data) == 0 || data[0] == '{' || data[0] == '[' || bytes.Equal(data, []byte("null")):
	case data[0] == '"':
		var s string
		if err := json.Unmarshal(data, &s); err == nil {
			*t = Text(strings.TrimSpace(s))
		}
	default:
		*t = Text(data)
	}
	return nil
}

// Bool says whether it is true.
func (t Text) Bool() bool {
	switch strings.ToLower(string(t)) {
	case "true", "1", "yes":
		return true
	}
	return false
}

// Lines is a JSON text of several lines, a list of texts, or an object whose
// values are, in the order of its keys. Empty lines are left out.
type Lines []string

// UnmarshalJSON never fails.
func (l *Lines) UnmarshalJSON(data []byte) error {
	*l = nil
	if len(data) == 0 || depth(data) > maxDepth {
		return nil
	}
	switch data[0] {
	case '[':
		var list []Lines
		if err := json.Unmarshal(data, &list); err == nil {
			*l = slices.Concat(list...)
		}
	case '{':
		var object map[string]Lines
		if err := json.Unmarshal(data, &object); err == nil {
			for _, k := range slices.Sorted(maps.Keys(object)) {
				*l = append(*l, object[k]...)
			}
		}
	case '"':
		var s string
		if err := json.Unmarshal(data, &s); err == nil {
			*l = SplitLines(s)
		}
	}
	return nil
}

// maxDepth bounds how deep lists of lines may be in each other, for each is
// read again in the one around it. Clouds have two.
const maxDepth = 8

// depth is how deep the lists and objects of a JSON value are in each other.
func depth(data []byte) int {
	now, most, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++ // what follows does not end the text
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			now++
			most = max(most, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return most
}

// SplitLines returns the lines of a text that are not empty, without space
// around them.
func SplitLines(s string) []string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// Keys returns the lines that may be OpenSSH public keys, each once: no empty
// ones, no comments.
func Keys(lines ...string) []string {
	var out []string
	for _, line := range lines {
		for _, k := range SplitLines(line) {
			if k[0] != '#' && !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

// Hostname makes a host name of what a cloud calls one: the first of several
// words, without the domain, with hyphens for what a host name cannot have. An
// address becomes ip-10-0-0-5.
func Hostname(s string) string {
	words := strings.Fields(s)
	if len(words) == 0 {
		return ""
	}
	name, _, _ := strings.Cut(words[0], ".")
	if a, err := netip.ParseAddr(words[0]); err == nil {
		name = "ip-" + a.WithZone("").String()
	}
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
	const most = 63 // RFC 1123
	return strings.Trim(name[:min(len(name), most)], "-")
}

// Optional takes away the error of what is not there.
func Optional(data []byte, err error) ([]byte, error) {
	if errors.Is(err, datasource.ErrNotFound) {
		return nil, nil
	}
	return data, err
}

// Base64 decodes a text in base64, with or without padding and line breaks.
func Base64(s string) ([]byte, error) {
	s = strings.Join(strings.Fields(s), "")
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, errors.New("no usable base64")
	}
	return data, nil
}

// UserData64 puts user-data in base64 into a result; reports call them file.
// What is none is told in the report: the rest of the result is of use.
func UserData64(out *datasource.Result, file, text string) {
	data, err := Base64(text)
	out.UserData, out.UserDataFile = data, file
	if err != nil {
		out.Report = append(out.Report, osconfig.Problem{
			Severity: osconfig.Error, Kind: osconfig.Source, Layer: "user-data", File: file, Text: err.Error(),
		})
	}
}

// Token checks what a service calls a token before it becomes a header.
func Token(data []byte) (string, error) {
	const most = 4096
	s := strings.TrimSpace(string(data))
	if s == "" || len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("what the service gives is no token")
	}
	return s, nil
}
