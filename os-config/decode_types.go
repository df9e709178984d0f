package osconfig

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// How each type of Config is decoded.

func (d *decoder) byType(n *Node, v reflect.Value, at place) bool {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		p := reflect.New(t.Elem())
		if !d.value(n, p.Elem(), at) {
			return false
		}
		v.Set(p)
		return true
	case isSection(t):
		return d.section(n, v, at)
	}
	switch to := v.Addr().Interface().(type) {
	case *Any:
		return true
	case *Command:
		return d.command(n, to, at)
	case *Mount:
		return d.mount(n, to, at)
	case *Texts:
		return d.texts(n, to, at)
	case *Lines:
		return d.lines(n, to, at)
	case *Pairs:
		return d.pairs(n, to, at)
	case *Dict:
		return d.dict(n, to, at)
	}
	switch t.Kind() {
	case reflect.String:
		return d.text(n, v, at)
	case reflect.Bool:
		return d.truth(n, v, at)
	case reflect.Int:
		return d.number(n, v, at)
	case reflect.Slice:
		return d.list(n, v, at)
	case reflect.Map:
		return d.free(n, v, at)
	}
	// A field of a type that nothing above decodes is a mistake in Config;
	// the test of the schema finds it.
	d.errorf(Type, n.Pos, at, "no decoder for %s", t)
	return false
}

func (d *decoder) mismatch(n *Node, at place, want string) bool {
	text := "want " + want + ", found " + n.describe()
	if n.Scalar() && unprintable(at.pattern) {
		text = "want " + want + ", found a text or number"
	}
	if n.Kind == String && n.Quoted {
		if plain := ResolvePlain(n.Pos, n.Text); plain.Kind == Int || plain.Kind == Bool {
			text += " (leave out the quotes)"
		}
	}
	if n.Kind == Map && len(n.Map) == 1 && strings.HasPrefix(want, "a text") && n.Map[0].Value.Scalar() {
		text += fmt.Sprintf(" (a text with %q in it needs quotes)", ": ")
	}
	d.errorf(Type, n.Pos, at, "%s", text)
	return false
}

func (d *decoder) section(n *Node, v reflect.Value, at place) bool {
	if n.Kind != Map {
		return d.mismatch(n, at, "a mapping")
	}
	known := d.shape.of(v.Type())
	for _, e := range n.Map {
		here := at.key(e.Key)
		f, ok := known.named(e.Key)
		if ok {
			d.sayUndone(e, here)
			d.value(e.Value, v.Field(f.index), here)
			continue
		}
		if note := legacyNote(here.pattern); note != "" {
			if !saidOfImage(n, e, here.pattern) {
				d.add(Warning, Unsupported, e.KeyPos, here, note)
			}
			continue
		}
		d.add(Error, Unknown, e.KeyPos, here, "unknown key"+d.shape.suggestion(v.Type(), here.pattern))
	}
	return true
}

// sayUndone says of a key that it does nothing yet, once.
func (d *decoder) sayUndone(e Entry, at place) {
	note := notCarriedOut(at.pattern)
	if note == "" || e.Value.IsNull() || d.said[at.pattern] {
		return
	}
	d.said[at.pattern] = true
	d.add(Warning, Unsupported, e.KeyPos, at, "not carried out yet: "+note)
}

func (d *decoder) free(n *Node, v reflect.Value, at place) bool {
	if n.Kind != Map {
		return d.mismatch(n, at, "a mapping")
	}
	out := reflect.MakeMap(v.Type())
	checkKey := d.rules[at.pattern].key
	for _, e := range n.Map {
		here := at.any(e.Key)
		if checkKey != nil {
			if problem := checkKey(e.Key, e.Value); problem != "" {
				d.errorf(Value, e.KeyPos, here, "%s", problem)
				continue
			}
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if d.value(e.Value, item, here) {
			out.SetMapIndex(reflect.ValueOf(e.Key), item)
		}
	}
	if out.Len() > 0 {
		v.Set(out)
	}
	return true
}

func (d *decoder) list(n *Node, v reflect.Value, at place) bool {
	items := n.List
	switch {
	case n.Kind == List:
	case n.Loose && n.Scalar():
		items = []*Node{n}
	case n.Kind == String && !unprintable(at.pattern):
		d.errorf(Type, n.Pos, at, "want a list, found %s (%s)", n.describe(), asEntry(n))
		return false
	case n.Kind == Map:
		d.errorf(Type, n.Pos, at, "want a list, found a mapping (begin each entry with \"- \")")
		return false
	default:
		return d.mismatch(n, at, "a list")
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	used := 0
	for i, item := range items {
		here := at.item(i)
		if item.IsNull() {
			d.add(Warning, Value, item.Pos, here, "an empty entry; it has no effect")
			continue
		}
		if d.value(item, out.Index(used), here) {
			used++
		} else {
			out.Index(used).SetZero()
		}
	}
	v.Set(out.Slice(0, used))
	return true
}

// asEntry says how a text becomes an entry of a list.
func asEntry(n *Node) string {
	text := n.Text
	for _, dash := range []string{"-", "–", "—", "•", "*"} {
		if rest, ok := strings.CutPrefix(text, dash); ok && !n.Quoted && !strings.HasPrefix(rest, "-") {
			return fmt.Sprintf("an entry begins with \"-\" and a blank: \"- %s\"", cut(strings.TrimSpace(rest)))
		}
	}
	return fmt.Sprintf("write it as \"- %s\" on a line of its own", cut(text))
}

func cut(s string) string {
	const most = 20
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// text accepts every single value: 1500 or true where a text is wanted is
// what was written.
func (d *decoder) text(n *Node, v reflect.Value, at place) bool {
	if !n.Scalar() {
		return d.mismatch(n, at, "a text")
	}
	if strings.ContainsRune(n.Text, 0) && at.pattern != "write_files[].content" {
		d.errorf(Value, n.Pos, at, "a NUL byte in the text")
		return false
	}
	if text := trap(n, at.pattern); text != "" && !secretAt(at.pattern) {
		d.add(Warning, Value, n.Pos, at, text)
	}
	v.SetString(n.Text)
	return true
}

func (d *decoder) truth(n *Node, v reflect.Value, at place) bool {
	switch {
	case n.Kind == Bool:
		v.SetBool(strings.EqualFold(n.Text, "true"))
		return true
	case n.Kind == String && !n.Quoted:
		// What YAML 1.1, and with it RancherOS, read as truth values.
		switch strings.ToLower(n.Text) {
		case "yes", "on", "y":
			v.SetBool(true)
			return true
		case "no", "off", "n":
			v.SetBool(false)
			return true
		}
	}
	return d.mismatch(n, at, "true or false")
}

func (d *decoder) number(n *Node, v reflect.Value, at place) bool {
	if n.Kind != Int {
		return d.mismatch(n, at, "a whole number")
	}
	if text := leadingZero(n.Text); text != "" {
		d.errorf(Value, n.Pos, at, "%s", text)
		return false
	}
	i, err := strconv.ParseInt(strings.ReplaceAll(n.Text, "_", ""), 10, 32)
	if err != nil {
		d.errorf(Value, n.Pos, at, "%s is not a decimal number in range", n.Text)
		return false
	}
	v.SetInt(i)
	return true
}

func (d *decoder) command(n *Node, c *Command, at place) bool {
	if n.Scalar() {
		c.Shell = n.Text
		return true
	}
	if n.Kind != List {
		return d.mismatch(n, at, "a text or a list of texts")
	}
	for i, arg := range n.List {
		if !arg.Scalar() {
			return d.mismatch(arg, at.item(i), "a text")
		}
		c.Args = append(c.Args, arg.Text)
	}
	if len(c.Args) == 0 {
		d.errorf(Value, n.Pos, at, "an empty command")
		return false
	}
	return true
}
