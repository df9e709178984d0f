// Package edit owns changes of one configuration file: it sets, takes away,
// appends and merges, and leaves the rest of the text as its author wrote it,
// comments and order included. It is pure, and refuses to judge whether the
// result is a good configuration: that is validation's.
package edit

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// ErrNotThere is what errors wrap that say that there is nothing to take
// away.
var ErrNotThere = errors.New("is not set")

// Parse reads the file that is to be changed. The error names the first place
// at which it is no YAML.
func Parse(text []byte, file string) (*osconfig.Node, error) {
	layer, report := osconfig.Parse("", file, text)
	if layer.Doc == nil {
		return nil, fmt.Errorf("%s", firstError(report))
	}
	return own(layer.Doc), nil
}

// own leaves out the host name that parsing takes from fqdn: no line of the
// file says it.
func own(root *osconfig.Node) *osconfig.Node {
	i := slices.IndexFunc(root.Map, func(e osconfig.Entry) bool { return e.Key == "hostname" })
	full := root.Child("fqdn")
	if i < 1 || full.IsNull() || root.Map[i-1].Key != "fqdn" || root.Map[i].KeyPos != root.Map[i-1].KeyPos || root.Map[i].Value.Pos != full.Pos {
		return root
	}
	out := *root
	out.Map = slices.Delete(slices.Clone(root.Map), i, i+1)
	return &out
}

// firstError is what makes a document unreadable.
func firstError(r osconfig.Report) string {
	for _, p := range r {
		if p.Severity == osconfig.Error && p.Kind == osconfig.Syntax {
			return p.String()
		}
	}
	return "not readable as YAML"
}

// Value reads a value as `ros config set KEY VALUE` gives it: YAML, so that
// [a, b] is a list, true is a truth value and everything else is a text. Text
// of several lines that is nothing but text stays as it is, line by line.
func Value(text string) (*osconfig.Node, error) {
	if strings.TrimSpace(text) == "" {
		return osconfig.NewString(osconfig.Pos{}, text), nil
	}
	body := strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	lines := strings.Split(body, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = "  " + l
		}
	}
	layer, report := osconfig.Parse("", "value", []byte("v:\n"+strings.Join(lines, "\n")+"\n"))
	if layer.Doc == nil {
		if len(lines) > 1 {
			return nil, fmt.Errorf("the value is not YAML: %s", firstText(report))
		}
		return nil, fmt.Errorf(`the value is not YAML (%s); put a text with special characters into quotes of YAML: '"@home"'`, firstText(report))
	}
	v := layer.Doc.Child("v")
	switch {
	case v.IsNull() && !isNull(body):
		return nil, errors.New(`the value is a comment of YAML; put it into quotes of YAML: '"#1"'`)
	case v.IsNull():
		return &osconfig.Node{Kind: osconfig.Null}, nil
	case v.Kind == osconfig.String && !v.Quoted && len(lines) > 1:
		return osconfig.NewString(osconfig.Pos{}, text), nil
	}
	return v, nil
}

func firstText(r osconfig.Report) string {
	for _, p := range r {
		if p.Severity == osconfig.Error && p.Kind == osconfig.Syntax {
			return p.Text
		}
	}
	return "unreadable"
}

func isNull(text string) bool {
	switch strings.TrimSpace(text) {
	case "~", "null", "Null", "NULL":
		return true
	}
	return false
}

// Set gives the key a value; null takes it away, as Unset does when it is
// there.
func Set(text []byte, file, key string, value *osconfig.Node) ([]byte, error) {
	if value.IsNull() {
		out, err := Unset(text, file, key)
		if errors.Is(err, ErrNotThere) {
			return text, nil
		}
		return out, err
	}
	return change(text, file, func(doc *osconfig.Node) (*osconfig.Node, error) {
		keys, value, err := canonicalKey(key, value)
		if err != nil {
			return nil, err
		}
		return set(doc, keys, value, "")
	})
}

// Unset takes the key away, and the mappings that it leaves empty.
func Unset(text []byte, file, key string) ([]byte, error) {
	return change(text, file, func(doc *osconfig.Node) (*osconfig.Node, error) {
		keys, _, err := canonicalKey(key, osconfig.NewString(osconfig.Pos{}, ""))
		if err != nil {
			return nil, err
		}
		out, ok := unset(doc, keys)
		if !ok {
			return nil, fmt.Errorf("%s %w in %s", key, ErrNotThere, file)
		}
		return out, nil
	})
}

// Append adds to the list at the key: the items of value when it is a list,
// else value. What is in the list already is not added again; an item with
// the identity of another one takes its place. When the file has no such list,
// it begins with the items of base, which may be nil.
func Append(text []byte, file, key string, value, base *osconfig.Node) ([]byte, error) {
	return change(text, file, func(doc *osconfig.Node) (*osconfig.Node, error) {
		keys, value, err := canonicalKey(key, asList(value))
		if err != nil {
			return nil, err
		}
		list := find(doc, keys)
		if list.IsNull() {
			list = base
		}
		switch {
		case !list.IsNull() && list.Kind == osconfig.Map:
			return nil, fmt.Errorf("%s is a mapping, not a list: set its keys, or use merge", key)
		case value.Kind != osconfig.List: // the schema made one text of it
			return nil, fmt.Errorf("%s is no list", key)
		}
		return set(doc, keys, appended(asList(list), value.List), "")
	})
}

// Remove takes items out of the list at the key: those that are equal to
// what, and those whose identity it is (the name of a user, the path of a
// file, the comment of an SSH key, the device or mount point of a mount). In a
// mapping it takes the key away. base is as for Append.
func Remove(text []byte, file, key, what string, base *osconfig.Node) ([]byte, error) {
	return change(text, file, func(doc *osconfig.Node) (*osconfig.Node, error) {
		keys, _, err := canonicalKey(key, osconfig.NewList(osconfig.Pos{}))
		if err != nil {
			return nil, err
		}
		n := find(doc, keys)
		if n.IsNull() {
			n = base
		}
		if n.IsNull() {
			return nil, fmt.Errorf("%s %w in %s", key, ErrNotThere, file)
		}
		left, ok := removed(n, what)
		switch {
		case !ok:
			return nil, fmt.Errorf("%q %w at %s in %s", what, ErrNotThere, key, file)
		case len(left.List)+len(left.Map) > 0:
			return set(doc, keys, left, "")
		case find(doc, keys).IsNull(): // an empty list says: nothing of what lower layers say
			return set(doc, keys, osconfig.NewList(osconfig.Pos{}), "")
		}
		out, _ := unset(doc, keys)
		return out, nil
	})
}

// Merge merges another document into the file by the law of layers.
func Merge(text []byte, file string, other []byte, otherFile string) ([]byte, error) {
	layer, report := osconfig.Parse("", otherFile, other)
	if layer.Doc == nil {
		return nil, fmt.Errorf("%s", firstError(report))
	}
	return change(text, file, func(doc *osconfig.Node) (*osconfig.Node, error) {
		return osconfig.Merge(osconfig.Layer{Doc: doc}, layer).Root, nil
	})
}

// change parses, edits the tree and brings the text in line with it.
func change(text []byte, file string, do func(*osconfig.Node) (*osconfig.Node, error)) ([]byte, error) {
	old, err := Parse(text, file)
	if err != nil {
		return nil, err
	}
	want, err := do(old)
	if err != nil {
		return nil, err
	}
	want = own(osconfig.NewLayer("", file, want).Doc)
	if same(old, want) {
		return text, nil
	}
	return patch(text, file, old, want)
}

// keysOf splits a dotted path; write_files[0] and write_files.0 are an item.
func keysOf(path string) ([]string, error) {
	if strings.TrimSpace(path) == "" {
		return nil, errors.New("the key is empty")
	}
	item := regexp.MustCompile(`^([A-Za-z0-9_-]+)((?:\[[0-9]+\])+)$`)
	var keys []string
	for _, k := range osconfig.SplitPath(path) {
		if k == "" {
			return nil, fmt.Errorf("the key %q has an empty part", path)
		}
		m := item.FindStringSubmatch(k)
		if m == nil {
			keys = append(keys, k)
			continue
		}
		keys = append(keys, m[1])
		for index := range strings.SplitSeq(strings.Trim(m[2], "[]"), "][") {
			keys = append(keys, index)
		}
	}
	return keys, nil
}

// canonicalKey gives a key and its value the spelling and form that parsed
// documents have. A key that leads through lists has it already.
func canonicalKey(path string, value *osconfig.Node) ([]string, *osconfig.Node, error) {
	keys, err := keysOf(path)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range keys {
		if _, err := strconv.Atoi(k); err == nil {
			return keys, value, nil
		}
	}
	doc := value
	for i := len(keys) - 1; i >= 0; i-- {
		doc = osconfig.NewMap(osconfig.Pos{}, osconfig.Entry{Key: keys[i], Value: doc})
	}
	doc = osconfig.NewLayer("", "", doc).Doc
	for i := range keys {
		if doc == nil || len(doc.Map) != 1 {
			return keys, value, nil
		}
		keys[i] = doc.Map[0].Key
		doc = doc.Map[0].Value
	}
	return keys, doc, nil
}
