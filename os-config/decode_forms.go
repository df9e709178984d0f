package osconfig

import (
	"reflect"
	"strings"
)

// What can be written in more than one way.

func (d *decoder) texts(n *Node, to *Texts, at place) bool {
	if n.Scalar() {
		n = NewList(n.Pos, n)
	}
	if n.Kind != List {
		return d.mismatch(n, at, "a text or a list of texts")
	}
	var out []string
	ok := d.list(n, reflect.ValueOf(&out).Elem(), at)
	*to = out
	return ok
}

func (d *decoder) lines(n *Node, to *Lines, at place) bool {
	if n.Scalar() {
		n = linesOf(n)
	}
	if n.Kind != List {
		return d.mismatch(n, at, "a list of texts or a text with one on each line")
	}
	var out []string
	ok := d.list(n, reflect.ValueOf(&out).Elem(), at)
	*to = out
	return ok
}

// linesOf is a list of the lines of a text, without empty ones.
func linesOf(n *Node) *Node {
	list := NewList(n.Pos)
	for i, line := range strings.Split(n.Text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			pos := n.Pos
			if strings.Contains(n.Text, "\n") {
				pos = n.At(i+1, 1)
			}
			list.List = append(list.List, NewString(pos, line))
		}
	}
	return list
}

func (d *decoder) pairs(n *Node, to *Pairs, at place) bool {
	if n.Kind != Map {
		if n.Kind != List {
			return d.mismatch(n, at, "a mapping or a list of NAME=VALUE")
		}
		var out []string
		ok := d.list(n, reflect.ValueOf(&out).Elem(), at)
		*to = out
		return ok
	}
	list := NewList(n.Pos)
	for _, e := range n.Map {
		switch {
		case e.Value.IsNull():
			list.List = append(list.List, NewString(e.KeyPos, e.Key))
		case e.Value.Scalar():
			list.List = append(list.List, NewString(e.KeyPos, e.Key+"="+e.Value.Text))
		default:
			d.mismatch(e.Value, at.key(e.Key), "a text")
		}
	}
	return d.pairs(list, to, at)
}

func (d *decoder) dict(n *Node, to *Dict, at place) bool {
	if n.Kind == List {
		m := NewMap(n.Pos)
		for i, item := range n.List {
			if !item.Scalar() {
				return d.mismatch(item, at.item(i), "a text like NAME=VALUE")
			}
			name, value, _ := strings.Cut(item.Text, "=")
			m.Map = append(m.Map, Entry{Key: name, KeyPos: item.Pos, Value: NewString(item.Pos, value)})
		}
		n = m
	}
	if n.Kind != Map {
		return d.mismatch(n, at, "a mapping or a list of NAME=VALUE")
	}
	out := map[string]string{}
	ok := d.free(n, reflect.ValueOf(&out).Elem(), at)
	*to = out
	return ok
}

// mount decodes a row of mounts; a text alone is the device.
func (d *decoder) mount(n *Node, to *Mount, at place) bool {
	if n.Scalar() {
		n = NewList(n.Pos, n)
	}
	if n.Kind != List {
		return d.mismatch(n, at, "a list (device, mount point, file system, options)")
	}
	const most = 6 // those of fstab(5); dump and pass mean nothing here
	if len(n.List) == 0 || len(n.List) > most {
		d.errorf(Value, n.Pos, at, "%d fields; want device, mount point, file system, options", len(n.List))
		return false
	}
	fields := []*string{&to.Device, &to.Point, &to.FSType, &to.Options}
	for i, item := range n.List {
		switch {
		case item.IsNull():
		case !item.Scalar():
			return d.mismatch(item, at.item(i), "a text")
		case i < len(fields):
			*fields[i] = item.Text
		}
	}
	if shortDevice(to.Device) {
		to.Device = "/dev/" + to.Device
	}
	return true
}

// withDefaultFields fills what short rows leave out with mount_default_fields,
// which has the six of fstab(5).
func withDefaultFields(rows []Mount, defaults []string) []Mount {
	if len(defaults) < 4 {
		return rows
	}
	for i := range rows {
		if rows[i].FSType == "" {
			rows[i].FSType = defaults[2]
		}
		if rows[i].Options == "" {
			rows[i].Options = defaults[3]
		}
	}
	return rows
}
