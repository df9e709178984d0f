package edit

import (
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// identity is what makes an item the same one although it says other things:
// the name of a user, group or unit, the path of a file, an SSH key without
// its comment. "" is like no other.
func identity(n *osconfig.Node) string {
	if n.IsNull() {
		return ""
	}
	for _, key := range []string{"name", "path"} {
		if c := n.Child(key); !c.IsNull() && c.Scalar() {
			return key + " " + c.Text
		}
	}
	if key, _, err := sshKey(n); err == nil {
		return key
	}
	return ""
}

func sshKey(n *osconfig.Node) (key, comment string, err error) {
	if n.Kind != osconfig.String || !strings.Contains(n.Text, " ") {
		return "", "", errors.New("no key")
	}
	k, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(n.Text))
	if err != nil {
		return "", "", err
	}
	return "ssh " + string(k.Marshal()), comment, nil
}

// meant reports whether an item is the one that a value or text stands for.
func meant(item, value *osconfig.Node, text string) bool {
	switch {
	case item.IsNull():
		return false
	case same(item, value), item.Scalar() && item.Text == text:
		return true
	case identity(item) != "" && identity(item) == identity(value):
		return true
	}
	for _, key := range []string{"name", "path"} {
		if c := item.Child(key); !c.IsNull() && c.Scalar() && c.Text == text {
			return true
		}
	}
	if item.Kind == osconfig.List { // a row of mounts: its device or mount point
		for i, field := range item.List {
			if i < 2 && !field.IsNull() && field.Scalar() && field.Text == text {
				return true
			}
		}
		return false
	}
	_, comment, err := sshKey(item)
	return err == nil && comment == text
}

// same reports whether two trees hold the same values; the order of keys, how
// they are written and where does not count.
func same(a, b *osconfig.Node) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	if a.Kind != b.Kind || a.Text != b.Text || len(a.Map) != len(b.Map) || len(a.List) != len(b.List) {
		return false
	}
	for i := range a.List {
		if !same(a.List[i], b.List[i]) {
			return false
		}
	}
	others := map[string]*osconfig.Node{}
	for _, e := range b.Map {
		others[e.Key] = e.Value
	}
	for _, e := range a.Map {
		if v, ok := others[e.Key]; !ok || !same(e.Value, v) {
			return false
		}
	}
	return true
}
