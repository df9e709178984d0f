package units

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/coreunit"
)

// Apply makes the units those of a plan: new ones start as they say, changed
// ones start again, those that are gone stop, and all others are left alone.
// It returns when what had to stop has stopped; starting goes on. The units
// stop when ctx ends.
func (r *Runner) Apply(ctx context.Context, plan []osconfig.CoreOSUnit) {
	next, faults := r.load(plan)
	gone, again := r.replaced(next)
	for _, ended := range gone {
		<-ended
	}
	r.mu.Lock()
	for name, u := range r.units {
		if next[name] == nil || !reflect.DeepEqual(next[name].source, u.source) {
			delete(r.units, name)
		}
	}
	for name, u := range next {
		if r.units[name] == nil {
			r.units[name] = u
		}
	}
	r.faults = append(faults, r.link()...)
	for _, name := range r.names() {
		if u := r.units[name]; u.boot && !u.began || slices.Contains(again, name) {
			r.start(ctx, u)
		}
	}
	for _, fault := range r.faults {
		r.o.Log.Error("unit", "problem", fault)
	}
	r.mu.Unlock()
	r.changed()
}

// replaced stops what is gone or changed, and says which of those ran.
// What is replaced starts no more, whoever wants it: a timer for instance.
func (r *Runner) replaced(next map[string]*unit) (gone []chan struct{}, again []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, u := range r.units {
		if n := next[name]; n != nil && reflect.DeepEqual(n.source, u.source) {
			continue
		}
		r.stop(u)
		u.refuse = true
	}
	for name, u := range r.units {
		if u.cancel != nil && closed(u.asked) {
			gone = append(gone, u.ended)
			again = append(again, name)
		}
	}
	return gone, again
}

// load reads the units of a plan. What is wrong with one is a sentence, and
// the unit does not run.
func (r *Runner) load(plan []osconfig.CoreOSUnit) (map[string]*unit, []string) {
	out := map[string]*unit{}
	var faults []string
	templates := map[string]osconfig.CoreOSUnit{}
	for _, c := range plan {
		if template, instance := coreunit.Template(c.Name); template != "" && instance == "" {
			templates[c.Name] = c
		}
	}
	for _, c := range plan {
		template, instance := coreunit.Template(c.Name)
		switch t, ok := templates[template]; {
		case template != "" && instance == "":
			continue // runs as its instances only
		case c.Content == "" && ok:
			c.Content, c.DropIns = t.Content, slices.Concat(t.DropIns, c.DropIns)
		}
		if c.Content == "" && !c.Mask {
			if _, known := coreunit.KnownUnit(c.Name); !known {
				faults = append(faults, fmt.Sprintf("unit %s has no content", c.Name))
			}
			continue
		}
		u, problems := r.unit(c)
		faults = append(faults, problems...)
		if len(problems) == 0 {
			out[c.Name] = u
		}
	}
	return out, faults
}

func (r *Runner) unit(c osconfig.CoreOSUnit) (*unit, []string) {
	u := &unit{name: c.Name, source: c, state: Inactive, since: time.Now(), masked: c.Mask, wake: make(chan struct{}, 1)}
	if c.Mask {
		u.text = "masked"
		return u, nil
	}
	var dropIns []coreunit.File
	for _, d := range c.DropIns {
		dropIns = append(dropIns, coreunit.File{Name: d.Name, Content: d.Content})
	}
	spec, problems := coreunit.Parse(c.Name, c.Content, dropIns, coreunit.Host{Hostname: r.o.Hostname})
	var faults []string
	for _, p := range problems {
		if p.Severity != osconfig.Error {
			continue
		}
		where := ""
		if p.Line > 0 {
			where = fmt.Sprintf("line %d: ", p.Line)
		}
		if p.File != "" {
			where = p.File + " " + where
		}
		faults = append(faults, fmt.Sprintf("unit %s is not run: %s%s", c.Name, where, p.Text))
	}
	u.spec = spec
	switch c.Command {
	case "start", "restart", "reload-or-restart":
		u.boot = true
	case "":
		wanted := slices.ContainsFunc(slices.Concat(spec.WantedBy, spec.RequiredBy), coreunit.StartTarget)
		u.boot = c.Enable && wanted
	}
	return u, faults
}

// link works out who waits for whom, and returns a sentence for each unit
// that cannot have what it requires; the lock is held.
func (r *Runner) link() []string {
	var faults []string
	names := r.names()
	for _, name := range names {
		u := r.units[name]
		u.before = slices.Concat(u.spec.After, u.spec.Requires, u.spec.BindsTo)
		u.refuse = false
	}
	for _, name := range names {
		u := r.units[name]
		for _, later := range u.spec.Before {
			if other := r.units[later]; other != nil {
				other.before = append(other.before, name)
			}
		}
		r.installed(u)
	}
	faults = append(faults, r.timersOf()...)
	for again := true; again; { // one that does not run may be required itself
		again = false
		for _, name := range names {
			u := r.units[name]
			if why := r.lacks(u); why != "" && !u.refuse {
				u.refuse, again = true, true
				faults = append(faults, fmt.Sprintf("unit %s is not run: %s", name, why))
			}
		}
	}
	return append(faults, r.cycles()...)
}

// lacks says what a unit requires and cannot have.
func (r *Runner) lacks(u *unit) string {
	for _, need := range slices.Concat(u.spec.Requires, u.spec.BindsTo) {
		_, known := coreunit.KnownUnit(need)
		switch other := r.units[need]; {
		case other == nil && !known:
			return fmt.Sprintf("it requires %s, which does not exist", need)
		case other != nil && other.masked:
			return fmt.Sprintf("it requires %s, which is masked", need)
		case other != nil && other.refuse:
			return fmt.Sprintf("it requires %s, which is not run either", need)
		}
	}
	return ""
}

func (r *Runner) names() []string {
	var out []string
	for name := range r.units {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// installed gives a unit to those that its [Install] section names.
func (r *Runner) installed(u *unit) {
	c, ok := u.source.(osconfig.CoreOSUnit)
	if !ok || !c.Enable {
		return
	}
	add := func(names []string, list func(*unit) *[]string) {
		for _, name := range names {
			if other := r.units[name]; other != nil && !slices.Contains(*list(other), u.name) {
				*list(other) = append(*list(other), u.name)
			}
		}
	}
	add(u.spec.WantedBy, func(o *unit) *[]string { return &o.spec.Wants })
	add(u.spec.RequiredBy, func(o *unit) *[]string { return &o.spec.Requires })
	for _, name := range u.spec.Also {
		if other := r.units[name]; other != nil && slices.ContainsFunc(other.spec.WantedBy, coreunit.StartTarget) {
			other.boot = other.boot || !other.masked
		}
	}
}

// timersOf says which timers have nothing to start.
func (r *Runner) timersOf() []string {
	var faults []string
	for _, name := range r.names() {
		if u := r.units[name]; u.spec.Timer != nil && !u.masked && r.units[u.spec.Timer.Unit] == nil {
			faults = append(faults, fmt.Sprintf("unit %s is not run: there is no %s for it to start", name, u.spec.Timer.Unit))
			u.refuse = true
		}
	}
	return faults
}

// cycles takes out of the order what closes a circle, as systemd does.
func (r *Runner) cycles() []string {
	var faults []string
	done := map[string]bool{}
	var path []string
	var visit func(name string)
	visit = func(name string) {
		u := r.units[name]
		path = append(path, name)
		u.before = slices.DeleteFunc(slices.Compact(u.before), func(dep string) bool {
			if r.units[dep] == nil || done[dep] {
				return false
			}
			if i := slices.Index(path, dep); i >= 0 {
				circle := strings.Join(append(slices.Clone(path[i:]), dep), " after ")
				faults = append(faults, fmt.Sprintf("units wait for each other: %s; %s does not wait for %s", circle, name, dep))
				return true
			}
			visit(dep)
			return false
		})
		path = path[:len(path)-1]
		done[name] = true
	}
	for _, name := range r.names() {
		if !done[name] {
			visit(name)
		}
	}
	return faults
}
