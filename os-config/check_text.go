package osconfig

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Checks of single values. Each returns what is wrong as the end of a
// sentence that begins with the path, or "".

// spelled says whether s begins with a byte of the set first and goes on with
// those of rest; sets are written like "A-Za-z_". For what thousands of values
// are asked: a regular expression costs a hundred times as much.
func spelled(s, first, rest string) bool {
	if s == "" || !inSet(s[0], first) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !inSet(s[i], rest) {
			return false
		}
	}
	return true
}

func inSet(c byte, set string) bool {
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			if set[i] <= c && c <= set[i+2] {
				return true
			}
			i += 2
		} else if set[i] == c {
			return true
		}
	}
	return false
}

func matches(pattern, s string) bool {
	return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(s)
}

func hostname(s string) string {
	const most = 64 // HOST_NAME_MAX of Linux
	switch {
	case s == "":
		return ""
	case len(s) > most:
		return fmt.Sprintf("%d characters; a host name has at most %d", len(s), most)
	}
	return domain(s)
}

// fullName checks a fully qualified name.
func fullName(n *Node) []finding {
	const most = 253 // RFC 1035 without the final dot
	switch s := n.Text; {
	case s == "":
		return nil
	case len(s) > most:
		return wrong(fmt.Sprintf("%d characters; a full name has at most %d", len(s), most))
	case domain(s) != "":
		return wrong(domain(s))
	case !strings.Contains(s, "."):
		return doubtful(fmt.Sprintf("%s has no domain; use hostname for a name alone", quote(s)))
	}
	return nil
}

// IsDomain says whether a name is one by RFC 1123.
func IsDomain(s string) bool { return domain(s) == "" }

// domain checks a name by RFC 1123.
func domain(s string) string {
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if len(label) > 63 || !spelled(label, "A-Za-z0-9", "A-Za-z0-9-") || strings.HasSuffix(label, "-") {
			return fmt.Sprintf("%s is no host name: letters, digits and inner hyphens, parts of 1 to 63 of them between dots", quote(s))
		}
	}
	return ""
}

func oneLine(s string) string {
	if strings.ContainsAny(s, "\n\r") {
		return "more than one line"
	}
	return ""
}

func moduleLine(s string) string {
	fields := strings.Fields(s)
	switch {
	case len(fields) == 0:
		return "an empty module name"
	case !spelled(fields[0], "A-Za-z0-9", "A-Za-z0-9_-"):
		return fmt.Sprintf("%s is no module name; write NAME or NAME PARAMETER=VALUE", quote(fields[0]))
	}
	return ""
}

func sysctlKey(key string, _ *Node) string {
	parts := strings.FieldsFunc(key, func(r rune) bool { return r == '.' || r == '/' })
	ok := len(parts) > 1 && spelled(key, "A-Za-z0-9_", "A-Za-z0-9_*:@./-") && strings.Count(key, ".")+strings.Count(key, "/") == len(parts)-1
	if !ok {
		return fmt.Sprintf("%s is no sysctl; write it like net.ipv4.ip_forward", quote(key))
	}
	return ""
}

// SysctlPath is the file of a kernel parameter below /proc/sys.
func SysctlPath(key string) string {
	if !strings.Contains(key, "/") {
		key = strings.ReplaceAll(key, ".", "/")
	}
	return strings.TrimPrefix(path.Clean("/"+key), "/")
}

// forwardingValues checks the switches that make a machine a router. The kernel
// refuses other values or takes them for "on", and what it refuses must not be
// found out at the boot only.
func forwardingValues(n *Node) []finding {
	var out found
	for _, e := range n.Map {
		if e.Value.IsNull() || !e.Value.Scalar() || !forwardingSwitch(SysctlPath(e.Key)) {
			continue
		}
		if v := e.Value.Text; v != "0" && v != "1" {
			out.wrong(e.Key, fmt.Sprintf("invalid value %s; write \"1\" to forward packets or \"0\" not to", quote(v)))
		}
	}
	return out
}

func forwardingSwitch(file string) bool {
	for _, pattern := range []string{"net/ipv4/ip_forward", "net/ipv4/conf/*/forwarding", "net/ipv6/conf/*/forwarding"} {
		if ok, _ := path.Match(pattern, file); ok {
			return true
		}
	}
	return false
}

func environmentKey(key string, _ *Node) string {
	name := key
	if service, rest, ok := strings.Cut(key, "/"); ok {
		if !spelled(service, "A-Za-z0-9", "A-Za-z0-9_.-") {
			return fmt.Sprintf("%s is no service name", quote(service))
		}
		name = rest
	}
	if !spelled(name, "A-Za-z_", "A-Za-z0-9_") {
		return fmt.Sprintf("%s is no name of a variable", quote(name))
	}
	return ""
}

func assignment(s string) string {
	name, _, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Sprintf("%s has no \"=\"; write NAME=VALUE", quote(s))
	}
	if problem := environmentKey(name, nil); problem != "" {
		return problem
	}
	return oneLine(s)
}

func serviceName(key string, _ *Node) string {
	if spelled(key, "A-Za-z0-9", "A-Za-z0-9_.-") || matches(`https?://\S+|/\S+`, key) {
		return ""
	}
	return fmt.Sprintf("%s is no service: a name, a URL or an absolute path", quote(key))
}

func terminal(s string) string {
	switch {
	case strings.HasPrefix(s, "/dev/"):
		return fmt.Sprintf("write %s without /dev/", strings.TrimPrefix(s, "/dev/"))
	case !spelled(strings.TrimRight(s, "0123456789"), "A-Za-z", "A-Za-z"):
		return fmt.Sprintf("%s is no terminal; write it like tty1 or ttyS0", quote(s))
	}
	return ""
}

func between(low, high int) func(string) string {
	return func(s string) string {
		if i, err := strconv.Atoi(s); err != nil || i < low || i > high {
			return fmt.Sprintf("%s is not between %d and %d", s, low, high)
		}
		return ""
	}
}

// zeroOr is between for keys whose 0 stands for the default.
func zeroOr(low, high int) func(string) string {
	return func(s string) string {
		if s == "0" {
			return ""
		}
		return between(low, high)(s)
	}
}

func oneOf(values ...string) func(string) string {
	return func(s string) string {
		if s == "" || slices.Contains(values, s) {
			return ""
		}
		return fmt.Sprintf("%s is not one of: %s", quote(s), strings.Join(values, ", "))
	}
}

func absolutePath(s string) string {
	switch {
	case !strings.HasPrefix(s, "/"):
		return fmt.Sprintf("%s is no absolute path", quote(s))
	case path.Clean(s) == "/":
		return "the path is a directory, /"
	case slices.Contains(strings.Split(s, "/"), ".."):
		return fmt.Sprintf("%s has \"..\" in it", quote(s))
	}
	return ""
}

func userName(s string) string {
	name := strings.TrimSuffix(s, "$")
	if (len(name) > 32 || !spelled(name, "A-Za-z_", "A-Za-z0-9_.-")) && (len(s) > 10 || !spelled(s, "0-9", "0-9")) {
		return fmt.Sprintf("%s is no name of a user or group", quote(s))
	}
	return ""
}

func webURL(s string) string { return urlWith(s, "http", "https") }

func proxy(s string) string {
	if s == "" {
		return ""
	}
	return urlWith(s, "http", "https", "socks5", "socks5h")
}

func urlWith(s string, schemes ...string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return fmt.Sprintf("%s is no URL that begins with %s://", quote(ShownText(s)), strings.Join(schemes, ":// or "))
	}
	return ""
}

func engineHost(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		return fmt.Sprintf("%s has no scheme; write unix:///run/NAME.sock or tcp://ADDRESS:PORT", quote(s))
	case scheme == "unix":
		return absolutePath(rest)
	case scheme == "tcp" && strings.Contains(rest, "@"):
		return fmt.Sprintf("%s: write tcp://ADDRESS:PORT without a login", quote(ShownText(s)))
	case scheme == "tcp":
		host, port, _ := strings.Cut(rest, ":")
		if strings.HasPrefix(rest, "[") {
			host, port, _ = strings.Cut(strings.TrimPrefix(rest, "["), "]:")
		}
		if host != "" && ipAddress(host) != "" && domain(host) != "" {
			return fmt.Sprintf("%s is no address", quote(host))
		}
		if port == "" {
			return fmt.Sprintf("%s has no port", quote(s))
		}
		return between(1, 65535)(port)
	case scheme == "fd":
		return "fd:// needs systemd; use unix:// or tcp://"
	}
	return fmt.Sprintf("%s:// is no scheme of the engine: unix or tcp", scheme)
}

func registry(s string) string {
	if _, err := netip.ParsePrefix(s); err == nil {
		return ""
	}
	if strings.Contains(s, "://") {
		return fmt.Sprintf("%s: write HOST:PORT without a scheme", quote(ShownText(s)))
	}
	if strings.Contains(s, "@") {
		return fmt.Sprintf("%s: write HOST:PORT without a login", quote(ShownText(s)))
	}
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		if problem := between(1, 65535)(port); problem != "" {
			return fmt.Sprintf("port of %s: %s", quote(s), problem)
		}
	}
	host = strings.Trim(host, "[]")
	if ipAddress(host) != "" && domain(host) != "" {
		return fmt.Sprintf("%s is no registry: HOST, HOST:PORT or a network like 10.0.0.0/8", quote(s))
	}
	return ""
}
