package osconfig

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is what a node of a document is.
type Kind int

// Kinds of nodes. Null says nothing: a layer that gives a key no value leaves
// what earlier layers said.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Map
	List
)

// Pos is where a node was written.
type Pos struct {
	Layer string // Layer.Name
	File  string
	Line  int // from 1; 0 is unknown
	Col   int // from 1; 0 is unknown
}

// Node is one value of a document tree: plain data with a position. Nodes are
// shared between documents and never changed once made.
type Node struct {
	Kind   Kind
	Text   string // scalars: a String's value, of the others what was written
	Quoted bool   // a String in quotes or a block
	// Loose marks values from where types cannot be written (the kernel
	// command line): a single value will do for a list.
	Loose bool
	// Block is set for a literal block ("|"): its lines stand in the file
	// after the header, indented by Block-1 columns.
	Block int
	Map   []Entry
	List  []*Node
	Pos   Pos

	reset bool // merge.go, law 5
}

// Entry is one key of a mapping.
type Entry struct {
	Key    string
	KeyPos Pos
	Value  *Node
}

// NewString, NewMap and NewList make nodes for layers that come from
// elsewhere than a YAML text.
func NewString(pos Pos, text string) *Node {
	return &Node{Kind: String, Text: text, Quoted: true, Pos: pos}
}

// NewMap makes a mapping; keys take the position of the map.
func NewMap(pos Pos, entries ...Entry) *Node {
	return &Node{Kind: Map, Map: entries, Pos: pos}
}

// NewList makes a list.
func NewList(pos Pos, items ...*Node) *Node {
	return &Node{Kind: List, List: items, Pos: pos}
}

// Child returns the value of a mapping's key, nil when there is none or n is
// no mapping.
func (n *Node) Child(key string) *Node {
	if n == nil || n.Kind != Map {
		return nil
	}
	for _, e := range n.Map {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// At is where the line and column of a text, counted from 1, stand in the
// file. Only of a literal block is that more than where the text begins.
func (n *Node) At(line, col int) Pos {
	pos := n.Pos
	if n.Block == 0 || line < 1 || pos.Line < 1 {
		return pos
	}
	pos.Line += line
	pos.Col = n.Block + max(col, 1) - 1
	return pos
}

// Scalar says whether n is a single value other than null.
func (n *Node) Scalar() bool {
	switch n.Kind {
	case Bool, Int, Float, String:
		return true
	}
	return false
}

// IsNull says whether n says nothing.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Null }

// describe names what was found, for "want X, found Y".
func (n *Node) describe() string {
	switch n.Kind {
	case Null:
		return "nothing"
	case Bool:
		return "the truth value " + n.Text
	case Int, Float:
		return "the number " + n.Text
	case String:
		return "the text " + quote(n.Text)
	case Map:
		return "a mapping"
	}
	return "a list"
}

// quote shortens a text for a message. It may be a URL with a password.
func quote(s string) string {
	const most = 40
	s = redact(s)
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

// ResolvePlain makes a node of an unquoted scalar by YAML's core rules.
func ResolvePlain(pos Pos, text string) *Node {
	n := &Node{Kind: String, Text: text, Pos: pos}
	switch text {
	case "", "~", "null", "Null", "NULL":
		n.Kind = Null
	case "true", "True", "TRUE", "false", "False", "FALSE":
		n.Kind = Bool
	default:
		switch {
		case isInt(text):
			n.Kind = Int
		case isFloat(text):
			n.Kind = Float
		}
	}
	return n
}

func isInt(s string) bool {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" {
		return false
	}
	_, err := strconv.ParseInt(s, 0, 64)
	if err == nil {
		return !strings.Contains(s, "_")
	}
	return strings.Trim(digits, "0123456789") == ""
}

func isFloat(s string) bool {
	if strings.Trim(s, "+-.0123456789eE") != "" || !strings.ContainsAny(s, "0123456789") {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func (p Pos) String() string {
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}
