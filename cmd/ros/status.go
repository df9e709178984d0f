package main

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pharos-os/pharos/system/control/api"
)

func statusCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "show how the machine is; exit code 0 only when it is ready",
		Description: "States: booting, ready, degraded (it works, but not all of it: the reasons are listed), failed.",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			s, err := t.manager.Status(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = t.json(s)
			} else {
				t.status(s)
			}
			if err == nil && s.State != api.StateReady {
				return &exitError{Code: 1}
			}
			return err
		},
	}
}

func (t *terminal) status(s api.Status) {
	t.fact("state", t.paintState(s.State))
	for _, reason := range s.Reasons {
		t.fact("", t.paint(yellow, "• "+reason))
	}
	for i, n := range s.Notes {
		t.fact(first(i, "note"), n)
	}
	for i, w := range s.Waiting {
		t.fact(first(i, "waiting for"), w)
	}
	t.fact("version", join(" ", s.Version, parenthesis(s.Slot, "slot ")))
	t.fact("host", s.Hostname)
	t.fact("kernel", s.Kernel)
	t.fact("uptime", (time.Duration(s.Uptime) * time.Second).String())
	if s.Engine.Name != "" {
		t.fact("engine", join(" ", s.Engine.Name, s.Engine.Version, t.engineState(s.Engine.Ready)))
	}
	t.fact("storage", storage(s.Storage))
	for i, l := range s.Network {
		t.fact(first(i, "network"), t.link(l))
	}
}

func (t *terminal) engineState(ready bool) string {
	if ready {
		return t.paint(green, "ready")
	}
	return t.paint(yellow, "not ready")
}

func (t *terminal) link(l api.Link) string {
	state := l.State
	if state != api.LinkUp {
		state = t.paint(yellow, state)
	}
	text := join(" ", l.Name, state, strings.Join(l.Addresses, " "))
	if l.Gateway != "" {
		text += " via " + l.Gateway
	}
	if l.Source == "none" {
		return text
	}
	return join(" ", text, parenthesis(l.Source, ""))
}

// fact prints one labelled line; nothing is printed for an empty value.
func (t *terminal) fact(label, value string) {
	if value != "" {
		t.printf("%-12s %s\n", label, value)
	}
}

func storage(s string) string {
	if s == "ram" {
		return "ram (nothing outlives a reboot)"
	}
	return s
}

// first is label for the first of several lines, nothing for the others.
func first(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

func parenthesis(s, prefix string) string {
	if s == "" {
		return ""
	}
	return "(" + prefix + s + ")"
}

// join is strings.Join without the empty ones.
func join(sep string, parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, sep)
}
