package osconfig

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// converter makes nodes of the YAML library's syntax tree: anchors, aliases,
// merge keys and tags are resolved, duplicate keys found.
type converter struct {
	layer, file string
	anchors     map[string]*Node
	nodes       int
	text        int // bytes that aliases stand for
	depth       int
	broken      bool
	report      Report
}

func (c *converter) pos(n ast.Node) Pos {
	line, col := tokenPos(n)
	return Pos{Layer: c.layer, File: c.file, Line: line, Col: col}
}

// tokenPos is where a value begins: for a block mapping its first key, for a
// block scalar its header.
func tokenPos(n ast.Node) (line, col int) {
	var tk *token.Token
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return tokenPos(n.Values[0])
		}
		tk = n.Start
	case *ast.MappingValueNode:
		return tokenPos(n.Key)
	case *ast.LiteralNode:
		tk = n.Start
	default:
		tk = n.GetToken()
	}
	if tk == nil || tk.Position == nil {
		return 0, 0
	}
	return tk.Position.Line, tk.Position.Column
}

func (c *converter) fail(pos Pos, format string, args ...any) *Node {
	if !c.broken {
		c.report = append(c.report, problemAt(pos, Error, Syntax, "", fmt.Sprintf(format, args...)))
	}
	c.broken = true
	return &Node{Kind: Null, Pos: pos}
}

func (c *converter) node(in ast.Node) *Node {
	if in == nil {
		return &Node{Kind: Null, Pos: Pos{Layer: c.layer, File: c.file}}
	}
	pos := c.pos(in)
	if c.broken {
		return &Node{Kind: Null, Pos: pos}
	}
	c.depth++
	defer func() { c.depth-- }()
	c.nodes++
	if c.depth > 2*maxDepth || c.nodes > maxNodes {
		return c.fail(pos, "too large; the limit is %d values", maxNodes)
	}
	switch in := in.(type) {
	case *ast.NullNode:
		return &Node{Kind: Null, Pos: pos}
	case *ast.BoolNode:
		return &Node{Kind: Bool, Text: in.Token.Value, Pos: pos}
	case *ast.IntegerNode:
		return &Node{Kind: Int, Text: in.Token.Value, Pos: pos}
	case *ast.FloatNode:
		return &Node{Kind: Float, Text: in.Token.Value, Pos: pos}
	case *ast.InfinityNode:
		return &Node{Kind: Float, Text: in.Token.Value, Pos: pos}
	case *ast.NanNode:
		return &Node{Kind: Float, Text: in.Token.Value, Pos: pos}
	case *ast.StringNode:
		c.foldedEntry(in)
		quoted := in.Token.Type == token.DoubleQuoteType || in.Token.Type == token.SingleQuoteType
		return &Node{Kind: String, Text: in.Value, Quoted: quoted, Pos: pos}
	case *ast.LiteralNode:
		return &Node{Kind: String, Text: in.Value.Value, Quoted: true, Pos: pos, Block: blockIndent(in)}
	case *ast.MappingNode:
		return c.mapping(pos, in.Values)
	case *ast.MappingValueNode:
		return c.mapping(pos, []*ast.MappingValueNode{in})
	case *ast.SequenceNode:
		out := &Node{Kind: List, Pos: pos}
		for _, v := range in.Values {
			out.List = append(out.List, c.node(v))
		}
		return out
	case *ast.AnchorNode:
		out := c.node(in.Value)
		c.anchors[in.Name.GetToken().Value] = out
		return out
	case *ast.AliasNode:
		return c.alias(pos, in)
	case *ast.TagNode:
		return c.tagged(pos, in)
	}
	return c.fail(pos, "%s is not usable in a configuration", in.Type())
}

// length counts the bytes of the texts of a node, but not far beyond most.
func (n *Node) length(most int) int {
	total := len(n.Text)
	for _, e := range n.Map {
		if total > most {
			return total
		}
		total += len(e.Key) + e.Value.length(most-total)
	}
	for _, v := range n.List {
		if total > most {
			return total
		}
		total += v.length(most - total)
	}
	return total
}

func (c *converter) mapping(pos Pos, values []*ast.MappingValueNode) *Node {
	out := &Node{Kind: Map, Pos: pos}
	seen := make(map[string]int, len(values))
	var inherited []Entry
	var merged *ast.MappingValueNode
	for _, v := range values {
		if _, ok := v.Key.(*ast.MergeKeyNode); ok {
			if merged != nil {
				c.report = append(c.report, problemAt(c.pos(v.Key), Error, Duplicate, "", fmt.Sprintf(
					"key \"<<\" a second time in one mapping; the first is on line %d (write <<: [*one, *two])", c.pos(merged.Key).Line)))
			}
			merged = v
			inherited = append(inherited, c.inherited(v)...)
			continue
		}
		key, ok := c.key(v.Key)
		if !ok {
			return out
		}
		e := Entry{Key: key, KeyPos: c.pos(v.Key), Value: c.node(v.Value)}
		if e.Value.Kind == Null {
			e.Value = &Node{Kind: Null, Pos: e.KeyPos}
		}
		if i, dup := seen[key]; dup {
			c.report = append(c.report, problemAt(e.KeyPos, Error, Duplicate, "", fmt.Sprintf(
				"key %s a second time in one mapping; the first is on line %d", quote(key), out.Map[i].KeyPos.Line)))
			out.Map[i] = e
			continue
		}
		seen[key] = len(out.Map)
		out.Map = append(out.Map, e)
	}
	for _, e := range inherited {
		if _, ok := seen[e.Key]; !ok {
			seen[e.Key] = len(out.Map)
			out.Map = append(out.Map, e)
		}
	}
	return out
}

func (c *converter) key(in ast.Node) (string, bool) {
	n := c.node(in)
	if k, ok := in.(*ast.MappingKeyNode); ok {
		n = c.node(k.Value)
	}
	if c.broken {
		return "", false
	}
	if n.Kind != Null && !n.Scalar() {
		c.fail(c.pos(in), "a key must be a single word or number, found %s", n.describe())
		return "", false
	}
	return n.Text, true
}
