package osconfig

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// What YAML has besides keys and values: aliases, merge keys, tags, blocks.

// foldedEntry warns of a text that goes on over an entry of a list: YAML makes
// one line of a text without quotes and the deeper lines below it.
func (c *converter) foldedEntry(in *ast.StringNode) {
	if !strings.Contains(in.Value, " - ") {
		return
	}
	first := true
	for line := range strings.SplitSeq(in.Token.Origin, "\n") {
		if !first && strings.HasPrefix(strings.TrimLeft(line, " "), "- ") {
			pos := c.pos(in) // the line of the dash
			pos.Col = len(line) - len(strings.TrimLeft(line, " ")) + 1
			c.report = append(c.report, problemAt(pos, Warning, Value, "",
				fmt.Sprintf("one text of several lines, %s; put the dashes below each other if these are entries", quote(in.Value))))
			return
		}
		first = false
	}
}

// blockIndent is Node.Block of a block scalar. The lines of a folded one (">")
// are not those of its text.
func blockIndent(in *ast.LiteralNode) int {
	if !strings.HasPrefix(in.Start.Value, "|") {
		return 0
	}
	leading := func(text string) int {
		for line := range strings.SplitSeq(text, "\n") {
			if rest := strings.TrimLeft(line, " "); rest != "" {
				return len(line) - len(rest)
			}
		}
		return 0
	}
	return max(leading(in.Value.Token.Origin)-leading(in.Value.Value), 0) + 1
}

func (c *converter) alias(pos Pos, in *ast.AliasNode) *Node {
	name := in.Value.GetToken().Value
	out, ok := c.anchors[name]
	if !ok {
		return c.fail(pos, "alias *%s has no anchor &%s before it (a text that begins with \"*\" needs quotes)", name, name)
	}
	// What the alias stands for counts each time: that is what bounds
	// documents that multiply themselves.
	c.nodes += out.size(maxNodes)
	if c.nodes > maxNodes {
		return c.fail(pos, "aliases expand to more than %d values", maxNodes)
	}
	if c.text += out.length(maxText); c.text > maxText {
		return c.fail(pos, "aliases expand to more than %d bytes", maxText)
	}
	return out
}

// size counts nodes, but not beyond most.
func (n *Node) size(most int) int {
	total := 1
	for _, e := range n.Map {
		if total > most {
			return total
		}
		total += e.Value.size(most - total)
	}
	for _, v := range n.List {
		if total > most {
			return total
		}
		total += v.size(most - total)
	}
	return total
}

// inherited is what "<<: *base" brings: a mapping or a list of mappings.
func (c *converter) inherited(v *ast.MappingValueNode) []Entry {
	n := c.node(v.Value)
	switch {
	case n.Kind == Map:
		return n.Map
	case n.Kind == List:
		var out []Entry
		for _, item := range n.List {
			if item.Kind != Map {
				c.fail(item.Pos, "<< wants mappings, found %s", item.describe())
				return nil
			}
			out = append(out, item.Map...)
		}
		return out
	}
	c.fail(n.Pos, "<< wants a mapping, found %s", n.describe())
	return nil
}

func (c *converter) tagged(pos Pos, in *ast.TagNode) *Node {
	n := c.node(in.Value)
	if c.broken {
		return n
	}
	tag := in.Start.Value
	out := *n
	switch tag {
	case "!!str", "!":
		if n.Kind == Map || n.Kind == List {
			return c.fail(pos, "%s on %s", tag, n.describe())
		}
		out.Kind, out.Quoted = String, true
	case "!!binary":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Text), ""))
		if err != nil {
			return c.fail(pos, "!!binary is not base64")
		}
		out.Kind, out.Quoted, out.Text = String, true, string(raw)
	case "!!map", "!!seq", "!!int", "!!float", "!!bool", "!!null":
	default:
		return c.fail(pos, "tag %s is not usable in a configuration", tag)
	}
	return &out
}
