package cloudconfig

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// include reads the URLs of an #include, each as user-data of its own, in
// their order.
func (r *run) include(p part, text []byte) {
	first := true
	for i, line := range strings.Split(string(text), "\n") {
		address := strings.TrimSpace(line)
		// The mark may have a URL on its own line.
		for _, mark := range []string{"#include-once", "#include"} {
			if rest, ok := cutFold(address, mark); ok && first {
				address = strings.TrimSpace(rest)
				break
			}
		}
		first = false
		if address == "" || strings.HasPrefix(address, "#") {
			continue
		}
		r.fetch(p, i+1, address)
	}
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// fetch takes in what one URL holds.
func (r *run) fetch(p part, line int, address string) {
	wrong := func(kind osconfig.ProblemKind, format string, args ...any) {
		r.problem(p, osconfig.Error, kind, line, fmt.Sprintf(format, args...))
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		wrong(osconfig.Value, "%q is no URL that begins with http:// or https://", shorten(osconfig.ShownText(address)))
		return
	}
	shown := osconfig.ShownURL(address)
	r.urls++
	switch {
	case r.urls > maxIncludes:
		if r.urls == maxIncludes+1 { // once
			wrong(osconfig.Value, "more than %d includes; this one and the next are left out", maxIncludes)
		}
		return
	case slices.Contains(p.chain, address):
		wrong(osconfig.Conflict, "%s includes itself", shown)
		return
	case len(p.chain) >= maxChain:
		wrong(osconfig.Value, "includes inside each other more than %d deep", maxChain)
		return
	case r.parser.Fetcher == nil:
		r.problem(p, osconfig.Warning, osconfig.Source, line, shown+" is fetched at boot, when there is a network; what it holds is not checked here")
		return
	}
	data, err := r.parser.Fetcher.Fetch(r.ctx, address)
	if err == nil && len(data) > osconfig.MaxSize {
		err = errors.New(osconfig.TooLarge())
	}
	if err != nil {
		wrong(osconfig.Source, "%s not read: %v", shown, err)
		return
	}
	r.read(part{file: shown, data: data, depth: p.depth + 1, chain: append(slices.Clip(p.chain), address)})
}

func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
