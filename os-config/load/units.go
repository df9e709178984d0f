package load

import (
	"fmt"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/coreunit"
)

// unitReport says which units of a document ask for units that it lacks.
func unitReport(doc osconfig.Document) osconfig.Report {
	var out osconfig.Report
	for _, p := range coreunit.Together(unitsOf(doc)) {
		path, n := unitText(doc, p.Unit, p.DropIn)
		if n == nil {
			continue
		}
		pos := n.At(p.Line, p.Col)
		out = append(out, osconfig.Problem{
			Severity: p.Severity, Kind: osconfig.Value, Layer: pos.Layer, File: pos.File, Line: pos.Line, Col: pos.Col, Path: path, Text: p.Text,
		})
	}
	return out
}

// unitsOf takes the units out of a document, also those with errors, which
// are in no Config.
func unitsOf(doc osconfig.Document) []osconfig.CoreOSUnit {
	text := func(n *osconfig.Node, key string) string {
		if c := n.Child(key); c != nil {
			return c.Text
		}
		return ""
	}
	list := doc.Lookup("coreos.units")
	if list == nil {
		return nil
	}
	var out []osconfig.CoreOSUnit
	for _, n := range list.List {
		u := osconfig.CoreOSUnit{Name: text(n, "name"), Content: text(n, "content"), Mask: slices.Contains([]string{"true", "yes", "on", "y"}, strings.ToLower(text(n, "mask")))}
		if drops := n.Child("drop_ins"); drops != nil {
			for _, d := range drops.List {
				u.DropIns = append(u.DropIns, osconfig.CoreOSDropIn{Name: text(d, "name"), Content: text(d, "content")})
			}
		}
		out = append(out, u)
	}
	return out
}

// unitText finds the text of a unit file or a drop-in by their names.
func unitText(doc osconfig.Document, unit, dropIn string) (path string, text *osconfig.Node) {
	path, n := entryNamed("coreos.units", doc.Lookup("coreos.units"), unit)
	if dropIn != "" {
		path, n = entryNamed(path+".drop_ins", n.Child("drop_ins"), dropIn)
	}
	return path + ".content", n.Child("content")
}

// entryNamed finds the entry of a list that has a name.
func entryNamed(path string, list *osconfig.Node, name string) (string, *osconfig.Node) {
	if list == nil {
		return path, nil
	}
	i := slices.IndexFunc(list.List, func(n *osconfig.Node) bool {
		own := n.Child("name")
		return own != nil && own.Text == name
	})
	if i < 0 {
		return path, nil
	}
	return fmt.Sprintf("%s[%d]", path, i), list.List[i]
}
