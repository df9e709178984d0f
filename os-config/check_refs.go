package osconfig

import (
	"fmt"
	"slices"
	"strings"
)

// What only the whole document can tell: names that nothing has, what is
// missing, and what does not go together. None of it is looked for in a layer
// alone, because layers complete each other. An address that is
// still a variable ($private_ipv4) is not compared with others.

// references reports it, and the keys that stand where they have no effect.
func references(root *Node) Report {
	rancher := root.Child("rancher")
	r := &referee{}
	r.network(rancher)
	r.services(rancher)
	if docker := rancher.Child("docker"); docker != nil && docker.Kind == Map {
		r.findings("rancher.docker", docker, engineConflicts(docker))
	}
	r.daemonFiles(root.Child("write_files"), rancher.Child("docker"))
	r.registries(rancher.Child("registry_auths"))
	return append(r.report, effects(root)...)
}

// besides leaves out of more what stands where errors are already: one
// problem of a value at a time.
func besides(said, more Report) Report {
	type spot struct {
		file      string
		line, col int
	}
	errors := map[spot]bool{}
	for _, p := range said {
		if p.Severity == Error && p.Line > 0 {
			errors[spot{p.File, p.Line, p.Col}] = true
		}
	}
	return slices.DeleteFunc(more, func(p Problem) bool { return errors[spot{p.File, p.Line, p.Col}] })
}

// referee collects what the whole document tells.
type referee struct {
	report Report
	hints  int // names that were guessed
}

// near is the end of a sentence about a name that is none of the known. Who
// has got hundreds of names wrong is not helped by guesses, and each looks at
// all names.
func (r *referee) near(name string, known []string) string {
	const most = 20
	if r.hints++; r.hints > most {
		return ""
	}
	return nearest(name, known)
}

func (r *referee) say(sev Severity, pos Pos, path, text string) {
	r.report = append(r.report, problemAt(pos, sev, Conflict, path, text))
}

// at reports about a key of a mapping, at its value.
func (r *referee) at(sev Severity, path string, n *Node, key, format string, args ...any) {
	pos := n.Pos
	if c := n.Child(key); c != nil {
		pos = c.Pos
	}
	r.say(sev, pos, join(path, key), fmt.Sprintf(format, args...))
}

// findings reports what a check found about n.
func (r *referee) findings(path string, n *Node, all []finding) {
	for _, f := range all {
		pos, where := n.Pos, path
		if f.key != "" {
			where = join(path, f.key)
			if c := n.Child(f.key); c != nil {
				pos = c.Pos
			}
		}
		if f.node != nil {
			pos = f.node.Pos
		}
		r.report = append(r.report, problemAt(pos, f.severity, f.kind, where, f.text))
	}
}

// registries looks at rancher.registry_auths.
func (r *referee) registries(n *Node) {
	if n.IsNull() {
		return
	}
	for _, e := range n.Map {
		path := join("rancher.registry_auths", e.Key)
		if e.Value.IsNull() || e.Value.Kind != Map {
			continue
		}
		set := func(key string) bool { return textAt(e.Value, key) != "" }
		switch {
		case set("auth") && (set("username") || set("password")):
			r.at(Warning, path, e.Value, "auth", "username and password are set too; auth wins")
		case set("auth"), set("identitytoken"), set("registrytoken"):
		case set("username") && !set("password"):
			r.say(Error, e.KeyPos, path, "password is missing")
		case set("password") && !set("username"):
			r.say(Error, e.KeyPos, path, "username is missing")
		case !set("username"):
			r.say(Error, e.KeyPos, path, "auth is missing, or username and password")
		}
	}
}

// edge says that one thing needs another, and where that was written.
type edge struct {
	from, to string
	node     *Node
	path     string
}

// loops reports each circle of edges once, at the edge that closes it.
func (r *referee) loops(edges []edge, text string) {
	next := map[string][]edge{}
	for _, e := range edges {
		next[e.from] = append(next[e.from], e)
	}
	const open, done = 1, 2
	state := map[string]int{}
	var way []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = open
		way = append(way, name)
		for _, e := range next[name] {
			switch state[e.to] {
			case open:
				circle := append(slices.Clone(way[slices.Index(way, e.to):]), e.to)
				r.say(Error, e.node.Pos, e.path, fmt.Sprintf(text, strings.Join(circle, " → ")))
			case 0:
				visit(e.to)
			}
		}
		way = way[:len(way)-1]
		state[name] = done
	}
	for _, e := range edges {
		if state[e.from] == 0 {
			visit(e.from)
		}
	}
}
