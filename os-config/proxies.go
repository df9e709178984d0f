package osconfig

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Proxies are the proxies of a configuration, for every program that has to
// use them: the engine, the console's sessions, commands and units, the
// network's commands, and what the machine itself downloads.
type Proxies struct{ HTTP, HTTPS, No string }

// Proxies joins the section's with those of rancher.environment, whose names
// have either case. The section's win.
func (n Network) Proxies(environment map[string]string) Proxies {
	pick := func(value, name string) string {
		for _, v := range []string{value, environment[name], environment[strings.ToUpper(name)]} {
			if v != "" {
				return v
			}
		}
		return ""
	}
	return Proxies{
		HTTP: pick(n.HTTPProxy, "http_proxy"), HTTPS: pick(n.HTTPSProxy, "https_proxy"), No: pick(n.NoProxy, "no_proxy"),
	}
}

// Environment is what programs look for, as NAME=VALUE: some want the names in
// capitals, curl wants them small. What is not set is left out.
func (p Proxies) Environment() []string {
	var out []string
	for _, v := range []struct{ name, value string }{{"http_proxy", p.HTTP}, {"https_proxy", p.HTTPS}, {"no_proxy", p.No}} {
		if v.value != "" {
			out = append(out, strings.ToUpper(v.name)+"="+v.value, v.name+"="+v.value)
		}
	}
	return out
}

// For is the proxy by which a URL is asked for; nil is none. No proxy ever
// gets what is for the machine itself or for its link: a metadata service's
// answers are nobody else's business.
func (p Proxies) For(u *url.URL) (*url.URL, error) {
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && (a.IsLinkLocalUnicast() || a.IsLoopback()) {
		return nil, nil
	}
	c := httpproxy.Config{HTTPProxy: p.HTTP, HTTPSProxy: p.HTTPS, NoProxy: p.No}
	return c.ProxyFunc()(u)
}
