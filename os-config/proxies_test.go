package osconfig_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func TestProxies(t *testing.T) {
	n := osconfig.Network{HTTPProxy: "http://proxy.example:3128"}
	p := n.Proxies(map[string]string{
		"http_proxy": "http://other.example:1", "HTTPS_PROXY": "http://secure.example:3129", "no_proxy": ".corp.example,10.0.0.0/8", "NO_PROXY": "x",
	})
	want := []string{
		"HTTP_PROXY=http://proxy.example:3128", "http_proxy=http://proxy.example:3128",
		"HTTPS_PROXY=http://secure.example:3129", "https_proxy=http://secure.example:3129",
		"NO_PROXY=.corp.example,10.0.0.0/8", "no_proxy=.corp.example,10.0.0.0/8",
	}
	if d := cmp.Diff(want, p.Environment()); d != "" {
		t.Error(d)
	}
	for address, want := range map[string]string{
		"http://www.example/x":                "http://proxy.example:3128",
		"https://www.example/x":               "http://secure.example:3129",
		"https://git.corp.example/":           "",
		"http://10.1.2.3/":                    "",
		"http://169.254.169.254/":             "",
		"http://169.254.169.254:8080/":        "",
		"http://[fe80::1]/":                   "",
		"http://[fe80::a9fe:a9fe%25eth0]:80/": "",
		"http://127.0.0.1:8080/":              "",
		"http://localhost/":                   "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		proxy, err := p.For(u)
		if err != nil {
			t.Errorf("%s: %v", address, err)
		} else if proxy != nil {
			got = proxy.String()
		}
		if got != want {
			t.Errorf("%s: by %q, want %q", address, got, want)
		}
	}
	if got := (osconfig.Network{}).Proxies(nil); got != (osconfig.Proxies{}) || got.Environment() != nil {
		t.Errorf("none: %v", got)
	}
}
