package osconfig

import (
	"fmt"
	"reflect"
	"strings"
)

// Validate reports everything that is wrong with a document.
func (dec Decoder) Validate(doc Document) Report {
	_, report := dec.Decode(doc)
	return report
}

// Validate is Decoder.Validate without a check of units' content.
func Validate(doc Document) Report { return Decoder{}.Validate(doc) }

// DecodeLenient makes the best configuration that the layers allow: the boot
// must go on. Out of each layer it drops the smallest piece that stands on its
// own around each error (an option, an interface's option, one file, one key,
// all of runcmd), so that what earlier layers say there holds, and reports
// that. Unknown keys are warnings here. The built-in defaults are added.
func (dec Decoder) DecodeLenient(layers ...Layer) (Config, Document, Report) {
	var report Report
	clean := make([]Layer, 0, len(layers))
	for _, l := range layers {
		c, r := dec.dropAllWrong(l)
		report = append(report, r...)
		clean = append(clean, c)
	}
	root, more := settled(Merge(clean...).Root)
	report = append(report, more...)
	// The defaults come after that: a machine whose only interface was left out
	// has them.
	doc := Merge(WithDefaults(Layer{Doc: root})...)
	cfg, merged := dec.Decode(doc)
	report = append(report, lenient(merged)...)
	return cfg, doc, report.Sorted()
}

// DecodeLenient is Decoder.DecodeLenient without a check of units' content.
func DecodeLenient(layers ...Layer) (Config, Document, Report) {
	return Decoder{}.DecodeLenient(layers...)
}

// Mend leaves out of a layer that stands by itself what DecodeLenient would
// leave out of it, and reports that.
func Mend(l Layer) (Layer, Report) {
	l, report := Decoder{}.dropAllWrong(l)
	root, more := settled(l.Doc)
	l.Doc = root
	return l, append(report, more...)
}

func lenient(r Report) Report {
	for i := range r {
		if r[i].Kind == Unknown {
			r[i].Severity = Warning
		}
	}
	return r
}

// dropAllWrong is dropWrong until nothing is wrong: what is left of a section
// without what was wrong in it may be wrong itself, as a login whose password
// was dropped.
func (dec Decoder) dropAllWrong(l Layer) (Layer, Report) {
	var report Report
	const rounds = 4
	for range rounds {
		c, r := dec.dropWrong(l)
		report = append(report, r...)
		if c.Doc == l.Doc {
			break
		}
		l = c
	}
	return l, report
}

// dropWrong returns the layer without what is wrong in it, and the problems.
func (dec Decoder) dropWrong(l Layer) (Layer, Report) {
	if l.Doc == nil {
		return l, nil
	}
	d := dec.decoder()
	var cfg Config
	d.value(l.Doc, reflect.ValueOf(&cfg).Elem(), place{})
	drop := map[string]bool{}
	for _, at := range d.wrong {
		drop[unit(at)] = true
	}
	if path, more := unguarded(l.Doc, d.wrong); path != "" {
		drop[path] = true
		d.report = append(d.report, more...)
	}
	if len(drop) == 0 {
		return l, lenient(d.report)
	}
	for i, p := range d.report {
		if p.Severity == Error && p.Kind != Unknown {
			d.report[i].Text += "; left out"
		}
	}
	l.Doc = without(l.Doc, "", drop)
	l.Doc = withoutEmptyInterfaces(l.Doc, drop)
	return l, lenient(d.report)
}

// unit is the path of what is dropped for an error at a place: normally the
// place itself. What would do harm by halves goes as a whole: commands, files,
// a switch-off whose condition is wrong, an account that would be more open
// than was asked for.
func unit(at place) string {
	for _, whole := range []string{"runcmd", "bootcmd", "swap", "power_state", "phone_home", "rancher.docker.extra_args"} {
		if at.pattern == whole || strings.HasPrefix(at.pattern, whole+"[") || strings.HasPrefix(at.pattern, whole+".") {
			return whole
		}
	}
	if whole := rancherUnit(at); whole != "" {
		return whole
	}
	if at.pattern == "users[].ssh_authorized_keys[]" {
		return at.path
	}
	for _, list := range []string{"write_files", "users", "groups", "mounts", "chpasswd.users", "coreos.units"} {
		if strings.HasPrefix(at.pattern, list+"[]") {
			return at.path[:strings.Index(at.path, "]")+1]
		}
	}
	return at.path
}

func without(n *Node, path string, drop map[string]bool) *Node {
	if n == nil || n.Kind != Map && n.Kind != List {
		return n
	}
	out := *n
	out.Map, out.List = nil, nil
	for _, e := range n.Map {
		if p := join(path, e.Key); !drop[p] {
			e.Value = without(e.Value, p, drop)
			out.Map = append(out.Map, e)
		}
	}
	for i, v := range n.List {
		if p := fmt.Sprintf("%s[%d]", path, i); !drop[p] {
			out.List = append(out.List, without(v, p, drop))
		}
	}
	return &out
}

// withoutEmptyInterfaces drops interfaces that errors left with nothing to
// do: an entry that configures nothing would also turn the built-in DHCP off,
// and leave the machine without a network.
func withoutEmptyInterfaces(root *Node, dropped map[string]bool) *Node {
	const section = "rancher.network.interfaces"
	empty := map[string]bool{}
	interfaces := root.Child("rancher").Child("network").Child("interfaces")
	if interfaces == nil {
		return root
	}
	left := 0
	for _, e := range interfaces.Map {
		v, here, hit := e.Value, section+"."+e.Key, false
		for p := range dropped {
			hit = hit || strings.HasPrefix(p, here+".")
		}
		addresses := v.Child("addresses")
		idle := v.Child("dhcp").IsNull() && v.Child("dhcp6").IsNull() && v.Child("address").IsNull() &&
			(addresses.IsNull() || len(addresses.List) == 0)
		// A part of a bond or bridge has nothing to do itself.
		joins := !v.Child("bond").IsNull() || bridgeToJoin(v.Child("bridge")) != ""
		switch {
		case joins:
		case hit && idle:
			empty[here] = true
		default:
			left++
		}
	}
	touched := false
	for p := range dropped {
		touched = touched || strings.HasPrefix(p, section+".")
	}
	if left == 0 && touched {
		empty[section] = true
	}
	return without(root, "", empty)
}
