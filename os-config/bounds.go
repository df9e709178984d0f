package osconfig

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// level is an open block of a document.
type level struct {
	kind token.Type // MappingValueType, SequenceEntryType, or of what stands before a value
	col  int        // where its keys or dashes stand
	keys int
}

// bounds follows the tokens of a document and finds the one at which it is
// nested too deep or has too many keys. It looks at tokens because the parser
// is recursive, by depth and by the keys of a mapping, and because its time is
// not linear: such a document must be refused before it.
type bounds struct {
	keys   int
	flow   int // open brackets
	chain  int // what is stacked within brackets without any of its own
	blocks []level
}

func tooMuch(tokens token.Tokens) (*token.Token, string) {
	b := bounds{}
	for _, tk := range tokens {
		b.add(tk)
		switch {
		case b.flow+b.chain+len(b.blocks) > maxDepth:
			return tk, fmt.Sprintf("nested more than %d deep", maxDepth)
		case b.keys > maxKeys:
			return tk, fmt.Sprintf("more than %d keys", maxKeys)
		case len(b.blocks) > 0 && b.blocks[len(b.blocks)-1].keys > maxKeysInOne:
			return tk, fmt.Sprintf("more than %d keys in one mapping", maxKeysInOne)
		}
	}
	return nil, ""
}

func (b *bounds) add(tk *token.Token) {
	switch tk.Type {
	case token.SequenceStartType, token.MappingStartType:
		b.flow, b.chain = b.flow+1, 0
	case token.SequenceEndType, token.MappingEndType:
		b.flow, b.chain = max(b.flow-1, 0), 0
	case token.CollectEntryType:
		b.chain = 0
	case token.SequenceEntryType, token.MappingValueType, token.MappingKeyType, token.AnchorType, token.TagType:
		if tk.Type == token.MappingValueType {
			b.keys++
		}
		if b.flow > 0 {
			b.chain++
		} else {
			b.open(tk)
		}
	}
}

// open closes what a token of a block ends, and opens what it begins.
func (b *bounds) open(tk *token.Token) {
	col := tk.Position.Column
	if tk.Type == token.MappingValueType && tk.Prev != nil && tk.Prev.Position.Line == tk.Position.Line {
		col = tk.Prev.Position.Column // of the key, not of the colon
	}
	for len(b.blocks) > 0 {
		top := b.blocks[len(b.blocks)-1]
		list := top.kind == token.SequenceEntryType && tk.Type == token.MappingValueType
		if top.col < col || top.col == col && top.kind == token.MappingValueType || top.col == col && top.kind == tk.Type && !list {
			break
		}
		b.blocks = b.blocks[:len(b.blocks)-1]
	}
	if last := len(b.blocks) - 1; last < 0 || b.blocks[last].col != col || b.blocks[last].kind != tk.Type {
		b.blocks = append(b.blocks, level{kind: tk.Type, col: col})
	}
	if tk.Type == token.MappingValueType {
		b.blocks[len(b.blocks)-1].keys++
	}
}
