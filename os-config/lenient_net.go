package osconfig

import "slices"

// onCards are the kinds of links that are made of network cards, or on them.
func onCards() []string { return []string{"bond", "bridge", "vlan", "macvlan", "ipvlan"} }

// KeepReachable keeps a machine reachable whose network is on links that
// nothing makes yet, and reports that: the links below them ask for addresses by DHCP, as every
// other Ethernet link without an entry does. Without that, the entries of the
// links below, which say nothing of addresses, would turn the built-in DHCP
// off. The document, of which cfg was made, stays as it was written.
func KeepReachable(cfg *Config, doc Document) Report {
	if notCarriedOut(interfacesPath+".*.type") == "" {
		return nil
	}
	links := cfg.Rancher.Network.Interfaces
	t := newTopology(doc.Root.Child("rancher").Child("network").Child("interfaces"))
	var lost []*link
	below := map[string]bool{}
	for _, l := range t.links {
		c, made := links[l.key], slices.Contains(onCards(), l.kind)
		switch {
		case made && c.reaches():
			lost = append(lost, l)
		case l.kind == "" && l.owner == "" && c.reaches():
			return nil // there is a way in
		}
		if l.kind == "" && (l.owner != "" || c.VLANs != "") {
			below[l.key] = true
		}
		if base := t.entry(c.Link); made && base != nil && base.kind == "" {
			below[base.key] = true
		}
	}
	if len(lost) == 0 {
		return nil
	}
	yes := true
	for key := range below {
		l := links[key]
		l.DHCP = &yes
		links[key] = l
	}
	if l := links["e*"]; l.DHCP == nil {
		l.DHCP = &yes
		links["e*"] = l
	}
	var out Report
	for _, l := range lost {
		out = append(out, problemAt(l.pos, Warning, Unsupported, l.path,
			"not carried out yet: no "+l.kind+" is made; for the machine to have a network its Ethernet links ask for addresses by DHCP"))
	}
	return out
}

// reaches says whether a link is given addresses.
func (c Interface) reaches() bool {
	yes := func(b *bool) bool { return b != nil && *b }
	return yes(c.DHCP) || yes(c.DHCP6) || c.Address != "" || len(c.Addresses) > 0
}
