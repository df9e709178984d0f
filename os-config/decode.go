package osconfig

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Decoder makes configurations of documents. The zero value checks all that
// this package knows by itself.
type Decoder struct {
	// Units checks the content of coreos.units; nil leaves it unchecked.
	Units UnitChecker
	// Now is what dates are compared with; zero is the clock.
	Now time.Time
}

// UnitChecker checks the text of a unit file or a drop-in of the unit name.
type UnitChecker func(name, content string) []UnitProblem

// UnitProblem is one thing that is wrong in the text of a unit. Lines and
// columns count from 1 in that text; 0 is unknown.
type UnitProblem struct {
	Line, Col int
	Severity  Severity
	Text      string
}

// Decode makes the configuration of a document and reports everything that is
// wrong with it, at once. What is wrong is left out of the Config.
func (dec Decoder) Decode(doc Document) (Config, Report) {
	d := dec.decoder()
	var cfg Config
	d.value(doc.Root, reflect.ValueOf(&cfg).Elem(), place{})
	d.report = append(d.report, besides(d.report, references(doc.Root))...)
	for i, f := range cfg.WriteFiles {
		cfg.WriteFiles[i] = f.text()
	}
	cfg.Mounts = withDefaultFields(cfg.Mounts, cfg.MountDefaultFields)
	return cfg, d.report.Sorted()
}

func (dec Decoder) decoder() *decoder {
	now := dec.Now
	if now.IsZero() {
		now = time.Now()
	}
	return &decoder{rules: rules(dec.Units, now), shape: shape{}, said: map[string]bool{}}
}

// Decode is Decoder.Decode without a check of units' content.
func Decode(doc Document) (Config, Report) { return Decoder{}.Decode(doc) }

// place is where the decoder is: the path for people, and the same with "*"
// and "[]" for what is free, to look rules up.
type place struct {
	path, pattern string
}

func (p place) key(k string) place { return place{join(p.path, k), join(p.pattern, k)} }
func (p place) any(k string) place { return place{join(p.path, k), join(p.pattern, "*")} }
func (p place) item(i int) place {
	return place{p.path + "[" + strconv.Itoa(i) + "]", p.pattern + "[]"}
}

type decoder struct {
	rules  map[string]rule
	shape  shape
	report Report
	wrong  []place         // where the errors are, for DecodeLenient
	said   map[string]bool // keys of which it was said that they do nothing yet
}

func (d *decoder) add(sev Severity, kind ProblemKind, pos Pos, at place, text string) {
	d.report = append(d.report, problemAt(pos, sev, kind, at.path, text))
	if sev == Error && kind != Unknown {
		d.wrong = append(d.wrong, at)
	}
}

func (d *decoder) errorf(kind ProblemKind, pos Pos, at place, format string, args ...any) {
	d.add(Error, kind, pos, at, fmt.Sprintf(format, args...))
}

// value decodes n into v and says whether it did. Null leaves v as it is.
// What is wrong inside does not keep the whole from being checked: all
// problems are said at once, but only one of each value.
func (d *decoder) value(n *Node, v reflect.Value, at place) bool {
	if n.IsNull() {
		return false
	}
	inside := len(d.wrong)
	if !d.byType(n, v, at) {
		return false
	}
	ok := true
	check := d.rules[at.pattern].check
	if check == nil {
		return ok
	}
	said := map[string]bool{}
	for _, w := range d.wrong[inside:] {
		said[w.path] = true
	}
	var places map[*Node]place // made when it is asked for
	for _, f := range safely(check, n) {
		pos, where := n.Pos, at
		if f.key != "" {
			where = at.key(f.key)
			if c := n.Child(f.key); c != nil {
				pos = c.Pos
			}
		}
		if f.node != nil {
			if places == nil {
				places = map[*Node]place{}
				locate(n, at, places)
			}
			pos = f.node.Pos
			if known, ok := places[f.node]; ok {
				where = known
			}
		}
		if f.pos.Line > 0 {
			pos = f.pos
		}
		if f.severity == Error {
			ok = false
		}
		if !said[where.path] {
			d.add(f.severity, f.kind, pos, where, f.text)
		}
	}
	return ok
}

// locate notes the places of all nodes in n; an alias has that of its first.
func locate(n *Node, at place, out map[*Node]place) {
	if n == nil {
		return
	}
	if _, ok := out[n]; !ok {
		out[n] = at
	}
	for _, e := range n.Map {
		locate(e.Value, at.key(e.Key), out)
	}
	for i, item := range n.List {
		locate(item, at.item(i), out)
	}
}

// safely keeps a mistake in one check from stopping the boot.
func safely(check func(*Node) []finding, n *Node) (out []finding) {
	defer func() {
		if r := recover(); r != nil {
			out = wrong(fmt.Sprintf("not checkable (%v); this is a mistake in Pharos, please report it", r))
		}
	}()
	n, restore := sampled(n)
	out = check(n)
	for i := range out {
		out[i].text = restore(out[i].text)
	}
	return out
}

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
	if secretAt(at.pattern) && n.Scalar() {
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
			d.add(Warning, Unsupported, e.KeyPos, here, note)
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
	case n.Kind == String && !secretAt(at.pattern):
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
