package netconf

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// reconcile brings the kernel to the desired state as far as it lets itself
// be brought; m.trouble says what is missing.
func (m *Manager) reconcile(ctx context.Context) {
	t := &m.trouble
	t.begin(time.Now())
	failed := make(map[string]bool)
	for pass := 0; ; pass++ {
		if err := m.look(ctx); err != nil {
			t.errs = append(t.errs, err.Error())
			return
		}
		plan, sentences := m.plan()
		plan = slices.DeleteFunc(plan, func(o Op) bool { return failed[o.String()] || t.unkept[o.String()] })
		if len(t.unkept) > 0 {
			text := strings.Join(slices.Sorted(maps.Keys(t.unkept)), "; ")
			sentences = append(sentences, "the kernel does not keep: "+text)
		}
		if len(plan) == 0 {
			t.errs = append(t.errs, sentences...)
			m.settled()
			m.upCommands(ctx)
			return
		}
		if t.vain(plan, pass) {
			continue
		}
		m.apply(plan, failed)
	}
}

// apply carries a plan out and notes what does not work.
func (m *Manager) apply(plan Plan, failed map[string]bool) {
	t := &m.trouble
	plan.Apply(m.kernel, func(o Op, err error) {
		if err == nil {
			m.log.Info("apply", "change", o.String())
			t.made[o.String()]++
			m.done(o)
			return
		}
		failed[o.String()] = true
		if o.Kind > OpDelLink && o.Kind < OpSetUp {
			if t.refused == nil {
				t.refused = make(map[refusal]string)
			}
			text := err.Error()
			if o.Kind == OpAddLink {
				text = fmt.Sprintf("interfaces.%s: cannot be made: %v", o.Key, err)
			}
			t.refused[refusal{o.Link.Name, o.Kind}] = text
			return
		}
		if o.Kind == OpDelAddr {
			t.addresses[o.Link.Index] = true
		}
		t.errs = append(t.errs, err.Error())
	})
}

// withhold takes out of the targets what was refused a moment ago.
func (m *Manager) withhold(want *Desired) {
	refused := func(t *Target, kind OpKind) bool {
		return m.trouble.refused[refusal{t.final(), kind}] != "" || m.trouble.refused[refusal{t.Link.Name, kind}] != ""
	}
	want.Targets = slices.DeleteFunc(want.Targets, func(t Target) bool {
		return t.Link.Index == 0 && refused(&t, OpAddLink)
	})
	for i := range want.Targets {
		t := &want.Targets[i]
		if refused(t, OpSetName) {
			t.Name = ""
		}
		if refused(t, OpSetMAC) {
			t.MAC = ""
		}
		if refused(t, OpSetMTU) {
			t.MTU = 0
		}
		if refused(t, OpSetHardware) {
			t.Hardware = Hardware{}
		}
		if refused(t, OpSetIPv6) {
			t.IPv6 = nil
		}
		for _, l := range m.seen.Links {
			if l.Index != t.Link.Index {
				continue
			}
			if t.Make != nil && (refused(t, OpSetDevice) || refused(t, OpAddLink)) {
				same := l.Device
				same.Kind = l.Kind
				t.Make = &same
			}
			if refused(t, OpSetMaster) {
				t.Master = m.linkName(l.Master)
			}
			if refused(t, OpSetDown) {
				t.Down, t.MAC, t.Master = false, "", m.linkName(l.Master)
			}
		}
	}
}

// linkName is the name of the link with an index, empty if there is none.
func (m *Manager) linkName(index int) string {
	for _, l := range m.seen.Links {
		if l.Index == index {
			return l.Name
		}
	}
	return ""
}

// linkKind is the kind of the link with an index, empty if there is none.
func (m *Manager) linkKind(index int) string {
	for _, l := range m.seen.Links {
		if l.Index == index {
			return l.Kind
		}
	}
	return ""
}

// look asks the kernel for its state and lets the ports follow it.
func (m *Manager) look(ctx context.Context) error {
	seen, err := m.observe()
	if err != nil {
		return err
	}
	m.seen = seen
	if !m.applied.IsZero() {
		m.graph = newGraph(m.spec, seen.Links)
		m.updatePorts(ctx)
	}
	return nil
}

// observe asks the kernel for its state.
func (m *Manager) observe() (Observed, error) {
	links, err := m.kernel.Links()
	if err != nil {
		return Observed{}, err
	}
	routes, err := m.kernel.Routes()
	if err != nil {
		return Observed{}, err
	}
	rules, err := m.kernel.Rules()
	if err != nil {
		return Observed{}, err
	}
	return Observed{Links: links, Routes: routes, Rules: rules}, nil
}

// plan computes what is to be done. Before the first Apply nobody knows what
// is wanted, except that the loopback link is to be up.
func (m *Manager) plan() (Plan, []string) {
	if m.applied.IsZero() {
		var only Observed
		var want Desired
		for _, l := range m.seen.Links {
			if l.Loopback {
				only.Links = append(only.Links, l)
				want.Targets = append(want.Targets, Target{Link: l.LinkID, Keep: true})
			}
		}
		return Diff(want, only)
	}
	want := m.desired(m.graph, false)
	m.withhold(&want)
	return Diff(want, m.seen)
}

// conclude writes the names, runs the commands that are due, publishes the
// state and returns when to look again at the latest; zero is never.
func (m *Manager) conclude(ctx context.Context, looked bool) time.Time {
	now := time.Now()
	errs := m.trouble.sentences()
	if err := m.writeNames(); err != nil {
		errs = append(errs, err.Error())
	}
	state, wake := m.assess(errs, now)
	wake = sooner(wake, m.postCommands(ctx, state, now))
	m.publish(state)
	m.trouble.conclude(len(errs) > 0, looked, m.opts.RetryInterval, now)
	retry := m.trouble.retryAt
	if len(errs) > 0 && looked && !wake.After(now) { // what was due could not be done
		return retry
	}
	return sooner(wake, retry)
}

// sooner is the earlier of two times; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// writeNames hands merged names on when they have changed.
func (m *Manager) writeNames() error {
	if m.applied.IsZero() {
		return nil
	}
	now := time.Now()
	names := merge(m.spec, m.sources(now))
	m.namesAt = m.inherited(names, now)
	if names.equal(m.written) || !m.namesAt.IsZero() {
		return nil
	}
	if err := m.names.Write(names); err != nil {
		return fmt.Errorf("names: %w", err)
	}
	m.written = names
	return nil
}
