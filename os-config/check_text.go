package osconfig

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Checks of single values. Each returns what is wrong as the end of a
// sentence that begins with the path, or "".

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

// domain checks a name by RFC 1123.
func domain(s string) string {
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if !matches(`[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?`, label) {
			return fmt.Sprintf("%s is no host name: letters, digits and inner hyphens, parts of 1 to 63 of them between dots", quote(s))
		}
	}
	return ""
}

func authorizedKey(n *Node) []finding {
	s := strings.TrimSpace(n.Text)
	switch {
	case s == "":
		return wrong("an empty key")
	case strings.Contains(s, "-----BEGIN") && strings.Contains(s, "PRIVATE KEY"):
		return wrong("this is a private key; put the public one here (the file that ends in .pub), and make a new pair")
	case strings.HasPrefix(s, "-----BEGIN"), strings.HasPrefix(s, "---- BEGIN"):
		return wrong("this is not the format of OpenSSH; ssh-keygen -i -f FILE converts it")
	case strings.ContainsAny(s, "\n\r"):
		return wrong("more than one line; each entry is one key")
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
	if err != nil {
		return wrong(fmt.Sprintf("%s is no OpenSSH public key%s", quote(s), keyFault(s)))
	}
	if key.Type() == "ssh-dss" {
		return doubtful("a DSA key; OpenSSH does not accept these any more")
	}
	return nil
}

// keyFault guesses why a key does not parse.
func keyFault(s string) string {
	fields := strings.Fields(s)
	i := slices.IndexFunc(fields, func(f string) bool {
		return matches(`(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9-]+(@openssh\.com)?`, f)
	})
	switch {
	case i < 0:
		return ": it names no key type (ssh-ed25519 …)"
	case i+1 >= len(fields):
		return ": nothing follows the key type"
	}
	if _, err := base64.StdEncoding.DecodeString(fields[i+1]); err != nil {
		return ": its base64 is damaged or cut short"
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
	case !matches(`[A-Za-z0-9][A-Za-z0-9_-]*`, fields[0]):
		return fmt.Sprintf("%s is no module name; write NAME or NAME PARAMETER=VALUE", quote(fields[0]))
	}
	return ""
}

func sysctlKey(key string, _ *Node) string {
	if !matches(`[A-Za-z0-9_][A-Za-z0-9_*:@-]*([./][A-Za-z0-9_*:@-]+)+`, key) {
		return fmt.Sprintf("%s is no sysctl; write it like net.ipv4.ip_forward", quote(key))
	}
	return ""
}

func environmentKey(key string, _ *Node) string {
	name := key
	if service, rest, ok := strings.Cut(key, "/"); ok {
		if !matches(`[A-Za-z0-9][A-Za-z0-9_.-]*`, service) {
			return fmt.Sprintf("%s is no service name", quote(service))
		}
		name = rest
	}
	if !matches(`[A-Za-z_][A-Za-z0-9_]*`, name) {
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
	if matches(`[A-Za-z0-9][A-Za-z0-9_.-]*|https?://\S+|/\S+`, key) {
		return ""
	}
	return fmt.Sprintf("%s is no service: a name, a URL or an absolute path", quote(key))
}

func terminal(s string) string {
	switch {
	case strings.HasPrefix(s, "/dev/"):
		return fmt.Sprintf("write %s without /dev/", strings.TrimPrefix(s, "/dev/"))
	case !matches(`[A-Za-z]+[0-9]*`, s):
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
	if !matches(`[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|[0-9]{1,10}`, s) {
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
		return fmt.Sprintf("%s is no URL that begins with %s://", quote(redact(s)), strings.Join(schemes, ":// or "))
	}
	return ""
}

// redact takes a password out of a URL before it is printed.
func redact(s string) string {
	return regexp.MustCompile(`//[^/@]*@`).ReplaceAllString(s, "//***@")
}

func engineHost(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		return fmt.Sprintf("%s has no scheme; write unix:///run/NAME.sock or tcp://ADDRESS:PORT", quote(s))
	case scheme == "unix":
		return absolutePath(rest)
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
		return fmt.Sprintf("%s: write HOST:PORT without a scheme", quote(s))
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
