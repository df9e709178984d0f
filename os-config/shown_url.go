package osconfig

import (
	"net/url"
	"regexp"
	"strings"
)

// redact takes a password out of a URL before it is printed. Most of what is
// printed is none.
func redact(s string) string {
	if !strings.Contains(s, "//") {
		return s
	}
	return regexp.MustCompile(`//[^/@]*@`).ReplaceAllString(s, "//***@")
}

// ShownURL is a URL without what may be secret in it: user, password and query,
// which is where clouds put signatures.
func ShownURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(no URL)"
	}
	u.User, u.Fragment = nil, ""
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	shown := u.String()
	if again, err := url.Parse(shown); err == nil && again.User != nil { // a path that reads like a login: //@//a:b@c
		return "(no URL)"
	}
	return strings.ReplaceAll(shown, "%E2%80%A6", "…")
}

// ShownText is a text that is wrong as a URL, without what may be secret in
// it: the scheme may be missing, and a password may have what belongs into
// none.
func ShownText(s string) string {
	begin := 0
	if i := strings.Index(s, "://"); i >= 0 {
		begin = i + len("://")
	}
	if end := strings.LastIndexByte(s, '@'); end >= begin {
		s = s[:begin] + "***" + s[end:]
	}
	if address, _, ok := strings.Cut(s, "?"); ok {
		s = address + "?…"
	}
	return s
}
