package netconf

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// commands are argument vectors that run one after the other, once. The
// fields belong to the Manager's goroutine.
type commands struct {
	list    [][]string
	cancel  context.CancelFunc
	done    bool
	problem string // a sentence; empty: all worked
}

// commandsEnded is the report that commands have run.
type commandsEnded struct {
	commands *commands
	problem  string
}

// run starts a list of commands, unless old is the same one, in a goroutine of
// its own: what waits for them waits, nothing else. What they are for is the
// start of the sentence about a failure, which does not keep the others from
// running.
func (m *Manager) run(ctx context.Context, old *commands, what, iface string, list [][]string) *commands {
	if old != nil && reflect.DeepEqual(old.list, list) {
		return old
	}
	old.stop()
	if m.opts.Runner == nil || len(list) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &commands{list: list, cancel: cancel}
	m.running.Add(1)
	go func() {
		defer m.running.Done()
		defer cancel()
		var failed []string
		for _, args := range list {
			vector := make([]string, 0, len(args))
			for _, a := range args {
				vector = append(vector, strings.ReplaceAll(a, "$iface", iface))
			}
			if err := m.opts.Runner.Run(ctx, vector); err != nil {
				failed = append(failed, err.Error())
			}
		}
		ended := commandsEnded{commands: c}
		if len(failed) > 0 {
			ended.problem = what + ": " + strings.Join(failed, "; ")
		}
		select {
		case m.reports <- report{what: ended}:
		case <-ctx.Done():
		}
	}()
	return c
}

// stop ends the commands. They may be nil.
func (c *commands) stop() {
	if c != nil {
		c.cancel()
	}
}

// ran tells whether a list has run, or nobody can run it.
func (m *Manager) ran(c *commands, list [][]string) bool {
	return m.opts.Runner == nil || len(list) == 0 || c != nil && c.done && reflect.DeepEqual(c.list, list)
}

func (m *Manager) commandsEnded(e commandsEnded) {
	e.commands.done, e.commands.problem = true, e.problem
	m.adopt()
}

// upCommands starts the PreUp of links that are as they are to be before they
// are set up.
func (m *Manager) upCommands(ctx context.Context) {
	for _, mb := range m.graph.members {
		p := m.ports[mb.link.Index]
		if p == nil || p.spec.Down {
			continue
		}
		p.pre = m.run(ctx, p.pre, fmt.Sprintf("interfaces.%s.pre_up", p.spec.Key), p.link.Name, p.spec.PreUp)
	}
}

// postCommands starts what is to run after a link, or all of them, have been
// configured; for the latter no longer than a lease may take. It returns when
// to look again.
func (m *Manager) postCommands(ctx context.Context, s State, now time.Time) (next time.Time) {
	for _, l := range s.Links {
		if p := m.ports[l.Index]; p != nil && !p.spec.Down && len(l.Waiting) == 0 {
			p.post = m.run(ctx, p.post, fmt.Sprintf("interfaces.%s.post_up", p.spec.Key), p.link.Name, p.spec.PostUp)
		}
	}
	if m.applied.IsZero() || m.ran(m.post, m.spec.PostCmds) {
		return next
	}
	if limit := m.applied.Add(m.spec.DHCPTimeout); len(s.Waiting) > 0 && now.Before(limit) {
		return limit
	}
	m.post = m.run(ctx, m.post, "post_cmds", "", m.spec.PostCmds)
	return next
}

// commandProblems lists what commands have failed.
func (m *Manager) commandProblems() []string {
	var out []string
	add := func(c *commands) {
		if c != nil && c.problem != "" {
			out = append(out, c.problem)
		}
	}
	add(m.pre)
	for _, l := range m.seen.Links {
		if p := m.ports[l.Index]; p != nil {
			add(p.pre)
			add(p.post)
		}
	}
	add(m.post)
	return out
}
