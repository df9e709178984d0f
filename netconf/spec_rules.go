package netconf

import (
	"fmt"
	"net/netip"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// firstRule is the priority of the first rule that has none of its own. The
// kernel would choose one by what is there, which differs from boot to boot.
const firstRule = 30000

// rules reads the policy rules. One that names no network is for both
// families, which are two rules to the kernel.
func (p *parser) rules(list []osconfig.RouteRule) []Rule {
	const most, last = 1<<31 - 1, 32765 // the kernel's own are 32766 and 32767
	var out []Rule
	for i, c := range list {
		path, bad := fmt.Sprintf("rules[%d]", i), len(p.errs)
		r := Rule{
			Mark: p.number(path+".mark", c.Mark, 1, most, ""), Table: p.number(path+".table", c.Table, 1, most, ""),
			IIF: p.linkName(c.IIF), OIF: p.linkName(c.OIF), Priority: p.number(path+".priority", c.Priority, 1, last, ""),
		}
		if c.Table == 0 {
			p.wrong(path, "lacks the table to look in")
		}
		family := 0
		for _, end := range []struct {
			key, text string
			to        *netip.Prefix
		}{{"from", c.From, &r.From}, {"to", c.To, &r.To}} {
			if end.text == "" {
				continue
			}
			n, ok := p.network(path+"."+end.key, end.text)
			if !ok {
				continue
			}
			if family != 0 && family != n.Addr().BitLen() {
				p.bad(path+"."+end.key, end.text, "is of another family than from")
			}
			family = n.Addr().BitLen()
			if n.Bits() > 0 {
				*end.to = n
			}
		}
		for _, name := range []string{r.IIF, r.OIF} {
			if m, err := ParseMatch(name); name != "" && (err != nil || m.Name == "") {
				p.bad(path, name, "is not the name of a link")
			}
		}
		if len(p.errs) > bad {
			continue
		}
		if r.Priority == 0 {
			r.Priority = min(firstRule+i, last)
		}
		if r.IPv6 = family == 128; family != 0 {
			out = append(out, r)
			continue
		}
		v6 := r
		v6.IPv6 = true
		out = append(out, r, v6)
	}
	return out
}

// linkName is the name of the link that a reference means, as far as it is
// known before the link is there.
func (p *parser) linkName(reference string) string {
	if link := p.links[p.key(reference)]; reference != "" && link != nil && link.name() != "" {
		return link.name()
	}
	return reference
}
