package osconfig

import (
	"fmt"
	"strings"
)

// Some keys are read before most layers are: where they stand decides whether
// they do anything. A document whose layer is not known has no such warnings.

// early are the keys that count only in some layers.
func early() []struct{ path, why string } {
	return []struct{ path, why string }{
		{"rancher.state", "state is mounted before this is read"},
		{"rancher.recovery", "the recovery console starts before this is read"},
		{"rancher.cloud_init.datasources", "the datasources are chosen before this is read"},
	}
}

// counts says whether an early key has an effect in a layer.
func counts(path, layer string) bool {
	layer, _, _ = strings.Cut(layer, "/")
	var dead []string
	switch path {
	case "rancher.state", "rancher.recovery":
		dead = []string{"vendor-data", "metadata", "user-data", "cloud-config.d", "cloud-config"}
	default:
		dead = []string{"vendor-data", "metadata", "user-data"}
	}
	for _, name := range dead {
		if layer == name {
			return false
		}
	}
	return true
}

// effects reports keys that have no effect in the layer in which they stand.
func effects(root *Node) Report {
	var out Report
	for _, key := range early() {
		n := root
		for part := range strings.SplitSeq(key.path, ".") {
			n = n.Child(part)
		}
		if n.IsNull() {
			continue
		}
		if n.Kind != Map {
			out = append(out, noEffectHere(n, key.path, key.why)...)
			continue
		}
		for _, e := range n.Map {
			if !e.Value.IsNull() && legacyNote(join(key.path, e.Key)) == "" {
				out = append(out, noEffectHere(e.Value, join(key.path, e.Key), key.why)...)
			}
		}
	}
	return out
}

func noEffectHere(n *Node, path, why string) Report {
	section := path
	if strings.HasPrefix(path, "rancher.state.") {
		section = "rancher.state"
	}
	if path == "rancher.state.directories" || counts(section, n.Pos.Layer) { // these are bound once all layers are known
		return nil
	}
	example := "…"
	switch {
	case n.Scalar() && !isSecret(path) && !strings.ContainsAny(n.Text, " \n"):
		example = n.Text
	case n.Kind == List:
		var texts []string
		for _, item := range items(n) {
			texts = append(texts, ShownText(item.Text)) // a datasource's URL
		}
		example = "[" + strings.Join(texts, ",") + "]"
	}
	return Report{problemAt(n.Pos, Warning, Conflict, path, fmt.Sprintf(
		"has no effect in %s: %s; write it on the kernel command line (%s=%s)", n.Pos.Layer, why, path, example))}
}
