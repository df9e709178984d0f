package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

// network prints the whole state: what people look for first comes first.
// Columns are ordered so that 80 of them hold what is common.
func (t *terminal) network(n api.Network) {
	t.networkHead(n)
	t.printf("\n")
	t.networkLinks(n.Links)
	t.networkAddresses(n.Links)
	t.networkLeases(n.Links)
	t.networkRoutes(n)
}

func (t *terminal) networkHead(n api.Network) {
	state := t.paint(yellow, "not online")
	if n.Online {
		state = t.paint(green, "online") + " for " + t.since(n.Since)
	}
	t.fact("state", state)
	for _, p := range n.Problems {
		t.fact("", t.paint(yellow, "• "+p))
	}
	for i, w := range n.Waiting {
		t.fact(first(i, "waiting for"), w)
	}
	t.fact("hostname", from(n.Hostname))
	t.fact("full name", n.FQDN)
	for _, part := range []struct {
		label  string
		values []api.NetworkValue
	}{{"nameservers", n.Nameservers}, {"search", n.Search}, {"ntp", n.NTP}} {
		for i, v := range part.values {
			t.fact(first(i, part.label), from(v))
		}
	}
	t.fact("firewall", firewallText(n.Firewall))
}

// from is a value and where it is from.
func from(v api.NetworkValue) string { return join(" ", v.Value, parenthesis(v.From, "")) }

func firewallText(f api.NetworkFirewall) string {
	if f.Policy == "" {
		return "off"
	}
	text := f.Policy + " what no rule allows, "
	if f.Rules == 1 {
		text += "1 rule"
	} else {
		text += strconv.Itoa(f.Rules) + " rules"
	}
	if f.PublishedPorts {
		return text + ", published container ports too"
	}
	return text
}

func (t *terminal) networkLinks(links []api.NetworkLink) {
	var rows [][]string
	for _, l := range links {
		rows = append(rows, []string{l.Name, linkKind(l), l.State, orDash(l.Master != "", l.Master),
			strconv.Itoa(l.MTU), orDash(l.MAC != "", l.MAC), orDash(l.Key != "", l.Key)})
	}
	t.table([]column{{Title: "LINK"}, {Title: "KIND"}, {Title: "STATE", State: true}, {Title: "MASTER"},
		{Title: "MTU", Right: true}, {Title: "MAC"}, {Title: "KEY"}}, rows)
	for _, l := range links {
		for _, w := range l.Waiting {
			t.printf("%s\n", t.paint(yellow, l.Name+" waits for "+w))
		}
	}
}

// linkKind is the kind with what tells links of that kind apart.
func linkKind(l api.NetworkLink) string {
	kind := l.Kind
	if l.ID > 0 {
		kind += " " + strconv.Itoa(l.ID)
	}
	if l.Mode != "" {
		kind += " " + l.Mode
	}
	if l.Parent != "" {
		kind += " on " + l.Parent
	}
	return kind
}

func (t *terminal) networkAddresses(links []api.NetworkLink) {
	var rows [][]string
	for _, l := range links {
		for _, a := range l.Addresses {
			left := "-"
			if a.Valid > 0 {
				left = age(time.Duration(a.Valid) * time.Second)
			}
			rows = append(rows, []string{l.Name, a.Address, a.Source, left, a.State})
		}
	}
	if len(rows) > 0 {
		t.printf("\n")
		t.table([]column{{Title: "LINK"}, {Title: "ADDRESS"}, {Title: "SOURCE"}, {Title: "VALID", Right: true}, {Title: ""}}, rows)
	}
}

func (t *terminal) networkLeases(links []api.NetworkLink) {
	var rows [][]string
	for _, l := range links {
		for _, lease := range l.Leases {
			rows = append(rows, []string{l.Name, leaseText(lease)})
		}
	}
	if len(rows) > 0 {
		t.printf("\n")
		t.table([]column{{Title: "LINK"}, {Title: "LEASE"}}, rows)
	}
}

func (t *terminal) networkRoutes(n api.Network) {
	var rows [][]string
	for _, r := range n.Routes {
		rows = append(rows, []string{orDash(r.Link != "", r.Link), strconv.Itoa(r.Metric), tableName(r.Table), routeText(r)})
	}
	if len(rows) > 0 {
		t.printf("\n")
		t.table([]column{{Title: "LINK"}, {Title: "METRIC", Right: true}, {Title: "TABLE", Right: true}, {Title: "ROUTE"}}, rows)
	}
	rows = nil
	for _, r := range n.Rules {
		rows = append(rows, []string{strconv.Itoa(r.Priority), tableName(r.Table), ruleText(r)})
	}
	if len(rows) > 0 {
		t.printf("\n")
		t.table([]column{{Title: "PRIORITY", Right: true}, {Title: "TABLE", Right: true}, {Title: "RULE"}}, rows)
	}
}

// tableName names the table that everybody has; see rt_tables of iproute2.
func tableName(table int) string {
	if table == 0 || table == 254 {
		return "main"
	}
	return strconv.Itoa(table)
}

func routeText(r api.NetworkRoute) string {
	text := join(" ", r.Type, r.To)
	if r.Via != "" {
		text += " via " + r.Via
	}
	if r.Source != "" {
		text += " from " + r.Source
	}
	if r.MTU > 0 {
		text += fmt.Sprintf(" mtu %d", r.MTU)
	}
	return text
}

func ruleText(r api.NetworkRule) string {
	text := ""
	for _, part := range []struct{ word, value string }{
		{"from", r.From}, {"to", r.To}, {"in by", r.IIF}, {"out by", r.OIF},
	} {
		if part.value != "" {
			text = join(" ", text, part.word, part.value)
		}
	}
	if r.Mark != 0 {
		text = join(" ", text, fmt.Sprintf("mark %#x", r.Mark))
	}
	if text == "" {
		return "all"
	}
	return text
}
