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
	d.strict = true
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
	alone  bool            // check single values only
	strict bool            // what follows from another mistake is not said
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
	inside, reported := len(d.wrong), len(d.report)
	if !d.byType(n, v, at) {
		return false
	}
	ok := true
	check := d.rules[at.pattern].check
	if check == nil || d.alone && !n.Scalar() {
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
		if d.strict && f.lack != "" && (said[at.key(f.lack).path] || explained(d.report[reported:], n, at.path, f.lack)) {
			d.wrong = append(d.wrong, where)
			continue
		}
		if !said[where.path] {
			d.add(f.severity, f.kind, pos, where, f.text)
		}
	}
	return ok
}

// explained says whether a report of what is in n tells already why a key is
// not there: it is misspelt, or nothing in n is supported.
func explained(r Report, n *Node, path, key string) bool {
	unsupported := 0
	for _, p := range r {
		switch name, ok := strings.CutPrefix(p.Path, path+"."); {
		case !ok || strings.ContainsAny(name, ".["): // further inside
		case p.Kind == Unknown && (strings.HasSuffix(p.Text, "; did you mean "+key+"?") || strings.HasSuffix(p.Text, "; use "+key)):
			return true
		case p.Kind == Unsupported:
			unsupported++
		}
	}
	return unsupported > 0 && unsupported == len(n.Map)
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
