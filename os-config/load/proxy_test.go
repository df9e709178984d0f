package load

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pharos-os/pharos/os-config/datasource/detect"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// TestProxies: what somebody wrote is asked for by the configured proxy, a
// cloud's service never.
func TestProxies(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.String()) // with the host: a proxy is asked that way
		mu.Unlock()
		fmt.Fprint(w, "#cloud-config\nhostname: by-proxy\n")
	}))
	defer proxy.Close()
	machine := func(datasources string) *Loader {
		return &Loader{
			Root: t.TempDir(), Sys: dmi("1"), Included: map[string][]byte{},
			Cmdline: "rancher.network.http_proxy=" + proxy.URL + " rancher.cloud_init.datasources=[" + datasources + "]",
			IMDS:    imds.Options{Timeout: time.Second, Backoff: func(int) time.Duration { return time.Millisecond }},
		}
	}
	l := machine("url:http://config.example/user-data")
	_, second, err := boot(t, l, 5*time.Second)
	if err != nil || second.Config.Hostname != "by-proxy" {
		t.Errorf("url: %v, hostname %q", err, second.Config.Hostname)
	}
	first := l.Load(t.Context())
	first.Includes = []string{"http://config.example/included"}
	if texts, err := l.FetchIncludes(t.Context(), first); err != nil || len(texts) != 1 {
		t.Errorf("#include: %q, %v", texts, err)
	}
	d := newDroplet(t)
	if _, second, err := boot(t, machine("digitalocean:"+d.url), 5*time.Second); err != nil || second.Config.Hostname != "user" {
		t.Errorf("digitalocean: %v, hostname %q", err, second.Config.Hostname)
	}
	if asksAnyone(detect.Choice{Source: "digitalocean", Place: "http://metadata.example"}) || asksAnyone(detect.Choice{Source: "nocloud"}) {
		t.Error("a metadata service would be asked by a proxy")
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"http://config.example/user-data", "http://config.example/included"}; !slices.Equal(asked, want) {
		t.Errorf("the proxy was asked for %q, want %q", asked, want)
	}
}
