package osconfig

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// suggestion is the end of the sentence about an unknown key: what people
// mean by it, the nearest known one in the same section, else the one place
// nearby where that key belongs.
func (s shape) suggestion(t reflect.Type, pattern string) string {
	if meant := synonym(pattern); meant != "" {
		return "; use " + meant
	}
	key := pattern[strings.LastIndexByte(pattern, '.')+1:]
	if strings.TrimFunc(key, unicode.IsSpace) != key {
		return "; a no-break space stands before or after it, as in texts from web pages: write plain spaces"
	}
	best, distance := "", 0
	switch {
	case len(key) <= 4:
		distance = 1
	case len(key) <= 8:
		distance = 2
	default:
		distance = 3
	}
	written := plain(key)
	for _, f := range s.of(t).fields {
		name := plain(f.name)
		if len(name) > len(written)+distance || len(written) > len(name)+distance {
			continue
		}
		if d := editDistance(written, name); d <= distance {
			best, distance = f.name, d-1
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	if strings.Contains(pattern, "[]") || strings.Contains(pattern, "*") {
		return ""
	}
	section := strings.TrimSuffix(pattern, key)
	for _, p := range allPaths() {
		inside := section != "" && strings.HasPrefix(p, section)
		short := !strings.Contains(strings.TrimPrefix(p, "rancher."), ".")
		if p != key && !strings.HasSuffix(p, "."+key) || !inside && !short || strings.ContainsAny(p, "*[") ||
			strings.HasPrefix(p, "rancher.defaults.") && section != "rancher.defaults." {
			continue
		}
		if best != "" {
			return "" // it has several places
		}
		best = p
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return ""
}

// synonym is what people mean by a key that no spelling explains.
func synonym(pattern string) string {
	switch pattern {
	case "write_files[].mode", "write_files[].perms", "write_files[].chmod":
		return "permissions"
	case "write_files[].user", "write_files[].group":
		return "owner: USER:GROUP"
	case "write_files[].text", "write_files[].data":
		return "content"
	case "write_files[].name", "write_files[].file", "write_files[].filename", "write_files[].dest":
		return "path"
	case "users[].password":
		return "passwd with a hash (openssl passwd -6), or plain_text_passwd"
	case "users[].user", "users[].username", "users[].login":
		return "name"
	case "users[].ssh_keys", "users[].ssh_key", "users[].authorized_keys", "users[].ssh_public_keys":
		return "ssh_authorized_keys"
	case "users[].comment", "users[].fullname", "users[].real_name":
		return "gecos"
	case "groups[].users", "groups[].user":
		return "members"
	case "ssh_key", "ssh_public_keys", "authorized_keys":
		return "ssh_authorized_keys"
	case "commands", "run", "script":
		return "runcmd"
	case "files":
		return "write_files"
	case "services":
		return "rancher.services"
	case "dns", "nameservers":
		return "rancher.network.dns.nameservers"
	case "interfaces":
		return "rancher.network.interfaces"
	case "time_zone", "tz":
		return "timezone"
	case "units":
		return "coreos.units"
	}
	return ""
}

// plain makes spellings equal that differ in case and separators only.
func plain(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(key), "-", ""), "_", "")
}

// editDistance counts inserted, deleted, replaced and swapped letters
// (optimal string alignment).
func editDistance(a, b string) int {
	const most = 64
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
