// Package cmdline owns reading the kernel command line: the layer that its
// rancher.* and cc.* parameters make, and the values of the others. It is
// pure; it refuses to know what the settings mean.
package cmdline

import (
	"fmt"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Name is the name of the layer and of the file in positions; the line is
// always 1, the column that of the parameter.
const Name = "cmdline"

// Cmdline is a parsed command line.
type Cmdline struct {
	params []param
	layer  osconfig.Layer
}

// param is one parameter: name, or name=value.
type param struct {
	name, value string
	hasValue    bool
	col         int // of its first byte, from 1
}

// Parse reads a command line.
//
// A parameter rancher.a.b=VALUE sets that key, cc.KEY=VALUE a key of the top
// level; without "=" the value is true. VALUE is a single value by YAML's
// rules (true, 12, text; quotes make it a text) or [a,b], a list. Anything
// with a colon is a text. A later parameter wins, except that repeating
// rancher.autologin adds to its list. Blanks in quotes or inside the brackets
// of such a list do not end a parameter.
func Parse(text string) (Cmdline, osconfig.Report) {
	c := Cmdline{params: split(strings.TrimRight(text, "\n\x00"))}
	pos := osconfig.Pos{Layer: Name, File: Name, Line: 1, Col: 1}
	root := osconfig.NewMap(pos)
	var report osconfig.Report
	for _, p := range c.params {
		path, ok := configPath(p.name)
		if !ok {
			continue
		}
		pos.Col = p.col
		value := &osconfig.Node{Kind: osconfig.Bool, Text: "true", Pos: pos, Loose: true}
		if p.hasValue {
			value = parseValue(pos, p.value)
		}
		if problem := set(root, osconfig.SplitPath(path), value); problem != "" {
			report = append(report, osconfig.Problem{
				Severity: osconfig.Error, Kind: osconfig.Conflict, Layer: Name, File: Name,
				Line: 1, Col: p.col, Path: path, Text: problem,
			})
		}
	}
	c.layer = osconfig.Layer{Name: Name, File: Name, Doc: root}
	return c, report
}

// Layer is what the rancher.* and cc.* parameters say.
func (c Cmdline) Layer() osconfig.Layer { return c.layer }

// Get returns the value of a parameter, the last one when it is repeated; ""
// and true for one without "=".
func (c Cmdline) Get(name string) (string, bool) {
	value, ok := "", false
	for _, p := range c.params {
		if p.name == name {
			value, ok = p.value, true
		}
	}
	return value, ok
}

// All returns the values of a parameter that may be repeated, in order.
func (c Cmdline) All(name string) []string {
	var out []string
	for _, p := range c.params {
		if p.name == name {
			out = append(out, p.value)
		}
	}
	return out
}

// ConfigURL is where cloud-config-url= says that user-data is, or "".
func (c Cmdline) ConfigURL() string {
	for _, name := range []string{"cloud-config-url", "cloud_config_url"} {
		if url, ok := c.Get(name); ok && url != "" {
			return url
		}
	}
	return ""
}

// configPath returns the key that a parameter sets.
func configPath(name string) (string, bool) {
	if path, ok := strings.CutPrefix(name, "cc."); ok {
		return path, path != ""
	}
	return name, strings.HasPrefix(name, "rancher.") && name != "rancher."
}

// set puts value at the path below root, making mappings as needed.
func set(root *osconfig.Node, path []string, value *osconfig.Node) string {
	n := root
	for _, key := range path[:len(path)-1] {
		if key == "" {
			return "an empty part between dots"
		}
		next := n.Child(key)
		if next == nil {
			next = osconfig.NewMap(value.Pos)
			n.Map = append(n.Map, osconfig.Entry{Key: key, KeyPos: value.Pos, Value: next})
		}
		if next.Kind != osconfig.Map {
			return fmt.Sprintf("%s is set to a value before; it cannot have parts too", key)
		}
		n = next
	}
	last := path[len(path)-1]
	if last == "" {
		return "the name ends in a dot"
	}
	for i, e := range n.Map {
		if e.Key == last {
			if strings.Join(path, ".") == "rancher.autologin" {
				value = appendTo(e.Value, value)
			}
			n.Map[i] = osconfig.Entry{Key: last, KeyPos: value.Pos, Value: value}
			return ""
		}
	}
	n.Map = append(n.Map, osconfig.Entry{Key: last, KeyPos: value.Pos, Value: value})
	return ""
}

func appendTo(old, value *osconfig.Node) *osconfig.Node {
	out := osconfig.NewList(value.Pos)
	for _, n := range []*osconfig.Node{old, value} {
		if n.Kind == osconfig.List {
			out.List = append(out.List, n.List...)
		} else {
			out.List = append(out.List, n)
		}
	}
	return out
}
