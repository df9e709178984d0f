package osconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/robfig/cron/v3"
)

// labelValues are the labels with a meaning, and the values of each; nil is
// free. They are RancherOS's, and those of its cron service.
func labelValues() map[string][]string {
	truth := []string{"true", "false"}
	return map[string][]string{
		"io.rancher.os.scope":        {"system", "user"},
		"io.rancher.os.detach":       truth,
		"io.rancher.os.createonly":   truth,
		"io.rancher.os.reloadconfig": truth,
		"io.rancher.os.after":        nil,
		"io.rancher.os.before":       nil,
		"io.rancher.os.console":      nil,
		"io.docker.compose.rebuild":  {"always", "false", "true"},
		"cron.schedule":              nil,
	}
}

// labels checks the labels that have a meaning.
func labels(n *Node) []finding {
	var out []finding
	known := labelValues()
	for _, e := range pairsOf(n) {
		add := func(severity Severity, text string) {
			out = append(out, finding{severity: severity, kind: Value, key: keyIn(n, e.Key), node: e.Value, text: text})
		}
		values, ok := known[e.Key]
		switch {
		case e.Key == "":
			add(Error, "a label without a name")
		case !ok && strings.HasPrefix(e.Key, "io.rancher.os."):
			add(Warning, fmt.Sprintf("%s has no meaning%s", e.Key, nearest(e.Key, slices.Sorted(maps.Keys(known)))))
		case e.Value.IsNull() || !e.Value.Scalar():
		case e.Key == "cron.schedule":
			if problem := schedule(e.Value.Text); problem != "" {
				add(Error, problem)
			}
		case len(values) > 0 && !slices.Contains(values, e.Value.Text):
			add(Error, fmt.Sprintf("%s of %s is not one of: %s", quote(e.Value.Text), e.Key, strings.Join(values, ", ")))
		}
	}
	return out
}

// keyIn is the key to put behind the path of a mapping; the items of a list
// have none.
func keyIn(n *Node, key string) string {
	if n.Kind == Map {
		return key
	}
	return ""
}

// pairsOf are the entries of a mapping, or of a list of NAME=VALUE.
func pairsOf(n *Node) []Entry {
	if n == nil {
		return nil
	}
	if n.Kind == Map {
		return n.Map
	}
	var out []Entry
	for _, item := range n.List {
		if !item.IsNull() && item.Scalar() {
			name, value, _ := strings.Cut(item.Text, "=")
			out = append(out, Entry{Key: name, KeyPos: item.Pos, Value: NewString(item.Pos, value)})
		}
	}
	return out
}

// schedule checks a cron expression with its seconds first, as the cron
// service of RancherOS reads it.
func schedule(s string) string {
	const fields = 6
	s = strings.TrimSpace(s)
	rest := s
	if zone, after, ok := strings.Cut(s, " "); strings.HasPrefix(s, "TZ=") || strings.HasPrefix(s, "CRON_TZ=") {
		if !ok {
			return fmt.Sprintf("%s has a time zone and no schedule", quote(zone))
		}
		rest = strings.TrimSpace(after)
	}
	if n := len(strings.Fields(rest)); !strings.HasPrefix(rest, "@") && n == fields-1 {
		return fmt.Sprintf("%s has five fields; the first of six is the seconds, so write %s", quote(s), quote("0 "+rest))
	}
	parser := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	if _, err := parser.Parse(s); err != nil {
		return fmt.Sprintf("%s is no schedule: six fields (second minute hour day month weekday), or @hourly, @daily, @every 5m; %s", quote(s), err)
	}
	return ""
}
