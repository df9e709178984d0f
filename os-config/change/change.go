// Package change owns what it takes to bring a running machine from one
// configuration to another: which keys differ, and whether each is carried
// out at once, by restarting a unit, or by a reboot. It is pure: it describes,
// and refuses to carry out.
package change

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// How a change is carried out.
type How string

// The ways. Nothing is for keys that are accepted and have no effect.
const (
	Live    How = "live"
	Restart How = "restart"
	Reboot  How = "reboot"
	Nothing How = "nothing"
)

// Change is one thing that differs between two configurations.
type Change struct {
	Key  string // "rancher.docker.debug"
	How  How
	Unit string // what restarts, when How is Restart
	Text string // a sentence without secrets
}

// Between lists the changes that lead from one configuration to another, in
// the order of the configuration's keys. containersEnd says whether the engine's
// unit restarts or stops: more than rancher.docker decides that.
func Between(before, after osconfig.Config, containersEnd bool) []Change {
	var out []Change
	swarm, inSwarm := swarmChange(before.Rancher.Docker, after.Rancher.Docker), before.Rancher.Docker.Swarm.On()
	before.Rancher.Docker.Swarm, after.Rancher.Docker.Swarm = osconfig.Swarm{}, osconfig.Swarm{}
	for _, r := range rules() {
		a, b := at(before, r.Key), at(after, r.Key)
		if r.Key == "rancher.docker" {
			out = append(out, swarm...)
		}
		if equal(a, b) {
			continue
		}
		if osconfig.AboutKey(r.Key).Missing != "" { // it is accepted, with a warning
			r = rule{Key: r.Key, How: Nothing, Show: r.Show, Does: "not carried out yet"}
		}
		c := Change{Key: r.Key, How: r.How, Unit: r.Unit, Text: sentence(r, a, b)}
		if r.Key == "rancher.docker" {
			c.Text += engineNote(before.Rancher.Docker, after.Rancher.Docker, inSwarm, containersEnd)
		}
		out = append(out, c)
		if r.Stays != "" && loses(a, b) {
			out = append(out, Change{Key: r.Key, How: Reboot, Text: r.Stays})
		}
	}
	return out
}

// Apart splits off the changes that a reboot carries out.
func Apart(all []Change) (now, reboot []Change) {
	for _, c := range all {
		if c.How == Reboot {
			reboot = append(reboot, c)
		} else {
			now = append(now, c)
		}
	}
	return now, reboot
}

// at is the field of a key: "hostname", "rancher.docker",
// "rancher.network.dns".
func at(cfg osconfig.Config, key string) reflect.Value {
	v := reflect.ValueOf(cfg)
	for part := range strings.SplitSeq(key, ".") {
		v = field(v, part)
	}
	return v
}

func field(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ","); tag == name {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// equal takes an empty list or mapping for none.
func equal(a, b reflect.Value) bool {
	if (a.Kind() == reflect.Slice || a.Kind() == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func sentence(r rule, a, b reflect.Value) string {
	what := ""
	switch {
	case r.Show:
		what = fmt.Sprintf("%s is %s instead of %s", r.Key, shown(b), shown(a))
	case a.IsZero():
		what = r.Key + " is set" + members(a, b)
	case b.IsZero():
		what = r.Key + " is no longer set"
	default:
		what = r.Key + " changes" + members(a, b)
	}
	return what + ": " + r.Does
}

func shown(v reflect.Value) string {
	switch {
	case v.IsZero():
		return "unset"
	case v.Kind() == reflect.Pointer:
		return fmt.Sprint(v.Elem().Interface())
	case v.Kind() == reflect.String:
		return fmt.Sprintf("%q", v.Interface())
	}
	return fmt.Sprint(v.Interface())
}

// members names the keys of a section or mapping that differ.
func members(a, b reflect.Value) string {
	var names []string
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("yaml"), ",")
			if name != "" && !equal(a.Field(i), b.Field(i)) {
				names = append(names, name)
			}
		}
	case reflect.Map:
		for _, k := range slices.Concat(a.MapKeys(), b.MapKeys()) {
			x, y := a.MapIndex(k), b.MapIndex(k)
			if x.IsValid() && y.IsValid() && reflect.DeepEqual(x.Interface(), y.Interface()) || slices.Contains(names, k.String()) {
				continue
			}
			names = append(names, k.String())
		}
		slices.Sort(names)
	}
	const most = 5
	switch {
	case len(names) == 0:
		return ""
	case len(names) > most:
		return fmt.Sprintf(" (%s and %d more)", strings.Join(names[:most], ", "), len(names)-most)
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// loses reports whether something that was in a list or mapping is not any
// more, or, in a single value, that it is not set any more.
func loses(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Slice:
		for i := range a.Len() {
			kept := false
			for j := range b.Len() {
				kept = kept || sameItem(a.Index(i), b.Index(j))
			}
			if !kept {
				return true
			}
		}
		return false
	case reflect.Map:
		return slices.ContainsFunc(a.MapKeys(), func(k reflect.Value) bool { return !b.MapIndex(k).IsValid() })
	}
	return b.IsZero()
}

// sameItem compares items by their name or path, when they have one.
func sameItem(a, b reflect.Value) bool {
	if a.Kind() == reflect.Struct {
		for _, key := range []string{"name", "path"} {
			if f := field(a, key); f.IsValid() {
				return f.Interface() == field(b, key).Interface()
			}
		}
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// stops is what a restart of the engine's unit means for containers, with and
// without live restore: that is for dockerd alone.
const stops = "; containers stop, and those with a restart policy start again"

// engineNote says what the engine's restart means for containers.
func engineNote(before, after osconfig.Engine, inSwarm, containersEnd bool) string {
	on := func(b *bool) bool { return b == nil || *b }
	switch {
	case on(before.Enabled) && !on(after.Enabled):
		return "; enabled is false: it stops, and so do its containers"
	case !on(before.Enabled) && on(after.Enabled):
		return "; it starts"
	case inSwarm:
		return "; a swarm's containers stop with it"
	case containersEnd:
		return stops
	}
	return "; containers go on"
}

// DaemonOnly reports whether a change of the engine needs another dockerd and
// nothing else: live restore keeps containers over that. It does not over a
// change of what dockerd made their networks and roots with.
func DaemonOnly(before, after osconfig.Engine) bool {
	keeps := func(e osconfig.Engine) bool {
		return (e.LiveRestore == nil || *e.LiveRestore) && !e.Swarm.On() && e.ConfigFile == "" &&
			!slices.ContainsFunc(slices.Concat(e.ExtraArgs, e.TLSArgs), osconfig.SwarmRefuses)
	}
	rest := func(e osconfig.Engine) osconfig.Engine {
		e.Debug, e.Host, e.InsecureRegistry, e.RegistryMirror, e.LogDriver, e.LogOpts = false, nil, nil, nil, "", nil
		return e
	}
	return keeps(before) && keeps(after) && reflect.DeepEqual(rest(before), rest(after))
}
