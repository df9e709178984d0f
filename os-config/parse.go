package osconfig

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a document. They are far above any real one and far below what
// would cost a small machine its memory.
const (
	MaxSize  = 1 << 20 // bytes
	maxDepth = 48      // mappings and lists inside each other
	maxNodes = 100_000 // after aliases are expanded
	maxText  = 4 << 20 // bytes of texts that aliases stand for; each is checked anew
	maxKeys  = 20_000
	// The YAML library's time and memory grow with the square of this.
	maxKeysInOne = 2_500
)

// Layer is one source's document. Doc is nil when the source could not be
// parsed, else a mapping.
type Layer struct {
	Name string // what `ros config` calls it: "user-data", "cmdline", …
	File string // what positions call it
	Doc  *Node
}

// yamlError is what the errors of the YAML library have in common.
type yamlError interface {
	error
	GetToken() *token.Token
	GetMessage() string
}

// Parse reads a YAML or JSON mapping. It never panics, whatever data is. The
// layer's Doc is nil when there is a problem of kind Syntax; duplicate keys
// and further documents are errors too, but leave a document, in which the
// last key and the first document count.
func Parse(name, file string, data []byte) (Layer, Report) {
	layer := Layer{Name: name, File: file}
	doc, report := ParseTree(name, file, data)
	switch {
	case doc == nil:
		if n := len(report); n > 0 && !tooLarge(report[n-1]) {
			report = append(report, beside(name, file, data, report[n-1])...).Sorted()
		}
	case doc.Kind == Null:
		layer.Doc = &Node{Kind: Map, Pos: doc.Pos}
	case doc.Kind != Map:
		report = append(report, problemAt(doc.Pos, Error, Syntax, "",
			"want a mapping (key: value), found "+doc.describe()))
	default:
		doc, more := withoutInternal(doc)
		report = append(report, more...)
		layer.Doc, more = canonical(doc)
		report = append(report, more...)
	}
	return layer, report
}

// TooLarge is what is said of a text of more than MaxSize bytes.
func TooLarge() string { return fmt.Sprintf("too large; the limit is %d bytes", MaxSize) }

// ParseTree reads one YAML or JSON document of any shape, as it stands there.
// It is nil when there is a problem of kind Syntax; an empty one is Null.
func ParseTree(name, file string, data []byte) (doc *Node, report Report) {
	fail := func(line, col int, text string) {
		doc = nil
		pos := Pos{Layer: name, File: file, Line: line, Col: col}
		report = append(report, problemAt(pos, Error, Syntax, "", text))
	}
	// The library is large and has panicked on odd input before; its
	// recursion is bounded below, everything else ends here.
	defer func() {
		if r := recover(); r != nil {
			report = nil
			fail(0, 0, fmt.Sprintf("not readable as YAML (%v)", r))
		}
	}()

	if len(data) > MaxSize {
		fail(1, 1, TooLarge())
		return nil, report
	}
	text, line, col, problem := normalise(data)
	if problem != "" {
		fail(line, col, problem)
		return nil, report
	}
	tokens := lexer.Tokenize(text)
	if tk, problem := tooMuch(tokens); tk != nil {
		fail(tk.Position.Line, tk.Position.Column, problem)
		return nil, report
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, col, problem := explain(text, tokens, err)
		fail(line, col, problem)
		return nil, report
	}
	body, second := documents(tree)
	c := converter{layer: name, file: file, anchors: map[string]*Node{}}
	if second != nil {
		c.report = append(c.report, problemAt(c.pos(second), Error, Duplicate, "",
			"a second YAML document, which is left out; one file holds one document (put the keys into one, or make two files)"))
	}
	doc = &Node{Kind: Null, Pos: Pos{Layer: name, File: file, Line: 1, Col: 1}}
	if body != nil {
		doc = c.node(body)
	}
	report = c.report
	if c.broken {
		doc = nil
	}
	return doc, report
}

// NewLayer makes a layer of a document that is no YAML text.
func NewLayer(name, file string, doc *Node) Layer {
	doc, _ = canonical(doc)
	return Layer{Name: name, File: file, Doc: doc}
}

// withoutInternal refuses the keys that only we may set: in a text they are
// as unknown as any other.
func withoutInternal(doc *Node) (*Node, Report) {
	var report Report
	out := *doc
	out.Map = nil
	for _, e := range doc.Map {
		if e.Key == "scripts" || e.Key == "boothooks" {
			report = append(report, problemAt(e.KeyPos, Error, Unknown, e.Key,
				"unknown key"+shape{}.suggestion(reflect.TypeFor[Config](), e.Key)))
			continue
		}
		out.Map = append(out.Map, e)
	}
	return &out, report
}

// normalise checks the encoding, takes away a byte order mark and turns CRLF
// into LF, so that positions and values do not depend on the editor used.
func normalise(data []byte) (text string, line, col int, problem string) {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return "", 1, 1, "UTF-16; save the file as UTF-8"
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		return "", 1, 1, "gzip data where YAML is expected"
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	line, col = 1, 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			return "", line, col, fmt.Sprintf("byte 0x%02x is not UTF-8; save the file as UTF-8", rest[0])
		case r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f:
			return "", line, col, fmt.Sprintf("control character 0x%02x", r)
		case r == '\n':
			line, col = line+1, 0
		}
		col++
		rest = rest[size:]
	}
	text = strings.ReplaceAll(string(data), "\r\n", "\n")
	return strings.ReplaceAll(text, "\r", "\n"), 0, 0, ""
}

// documents returns the body of the first document and of a second one that
// is not empty.
func documents(file *ast.File) (first, second ast.Node) {
	for _, doc := range file.Docs {
		body := doc.Body
		if body == nil {
			continue
		}
		switch body.Type() {
		case ast.DirectiveType, ast.CommentType:
			continue
		}
		if first == nil {
			first = body
		} else if second == nil {
			second = body
		}
	}
	return first, second
}
