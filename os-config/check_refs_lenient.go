package osconfig

import (
	"strings"
)

// settled leaves out of a document what is wrong with layers together that are
// right one by one: at boot nothing is carried out that the whole document
// speaks against.
func settled(root *Node) (*Node, Report) {
	var report Report
	const rounds = 4 // what is left may be wrong again: a key whose other half went
	for range rounds {
		drop := map[string]bool{}
		var wrong []place
		for _, p := range references(root) {
			if p.Severity != Error {
				continue
			}
			drop[wholeUnit(root, p.Path)] = true
			wrong = append(wrong, place{p.Path, p.Path})
			p.Text += "; left out"
			report = append(report, p)
		}
		if len(drop) == 0 {
			break
		}
		if path, more := unguarded(root, wrong); path != "" {
			drop[path] = true
			report = append(report, more...)
		}
		root = withoutEmptyInterfaces(without(root, "", drop), drop)
	}
	return root, report
}

// wholeUnit is unit for the path of a problem of the whole document: services,
// Wi-Fi networks and credentials go as a whole.
func wholeUnit(root *Node, path string) string {
	rancher := root.Child("rancher")
	for section, n := range map[string]*Node{
		servicesPath:                    rancher.Child("services"),
		"rancher.network.wifi_networks": rancher.Child("network").Child("wifi_networks"),
		"rancher.registry_auths":        rancher.Child("registry_auths"),
	} {
		rest, ok := strings.CutPrefix(path, section+".")
		if !ok || n.IsNull() {
			continue
		}
		var best string // names may hold dots: the longest that fits
		for _, e := range n.Map {
			if (rest == e.Key || strings.HasPrefix(rest, e.Key+".")) && len(e.Key) >= len(best) {
				best = e.Key
			}
		}
		return section + "." + best
	}
	return path
}
