package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

func serviceCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:    "service",
		Aliases: []string{"s"},
		Usage:   "list and control the system's services",
		Action:  group,
		Subcommands: []*cli.Command{
			{
				Name:    "list",
				Aliases: []string{"ls"},
				Usage:   "list the services and how they are",
				Flags: []cli.Flag{
					boolFlag("quiet", "print names only", "q"),
					jsonFlag(),
				},
				Action: t.serviceList,
			},
			logsOf(t),
			verbCommand(t, "start", "start a service and wait until it runs", "started", (*client.Client).Start),
			verbCommand(t, "stop", "stop a service and wait until it has stopped", "stopped", (*client.Client).Stop),
			verbCommand(t, "restart", "stop and start a service", "restarted", (*client.Client).Restart),
			{
				Name:      "ps",
				Usage:     "list the processes of services",
				ArgsUsage: "[NAME]…",
				Flags:     []cli.Flag{jsonFlag()},
				Action:    t.servicePs,
			},
		},
	}
}

func (t *terminal) serviceList(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	services, err := t.manager.Services(c.Context)
	if err != nil {
		return err
	}
	slices.SortFunc(services, func(a, b api.Service) int { return strings.Compare(a.Name, b.Name) })
	switch {
	case c.Bool("json"):
		return t.json(services)
	case c.Bool("quiet"):
		for _, s := range services {
			t.printf("%s\n", s.Name)
		}
		return nil
	}
	t.services(services)
	return nil
}

func (t *terminal) services(services []api.Service) {
	columns := []column{{Title: "NAME"}, {Title: "STATE", State: true}, {Title: "SINCE", Right: true},
		{Title: "PID", Right: true}, {Title: "RESTARTS", Right: true}, {Title: "MEMORY", Right: true}, {Title: "MESSAGE"}}
	var rows [][]string
	for _, s := range services {
		rows = append(rows, []string{s.Name, s.State, t.since(s.Since), orDash(s.PID > 0, strconv.Itoa(s.PID)),
			strconv.Itoa(s.Restarts), orDash(s.Memory > 0, size(s.Memory)), s.Message})
	}
	t.table(columns, rows)
}

// verbCommand is one of the commands that do something to services.
func verbCommand(t *terminal, name, usage, done string, do func(*client.Client, context.Context, string) error) *cli.Command {
	return &cli.Command{
		Name:      name,
		Usage:     usage,
		ArgsUsage: "NAME…",
		Action: func(c *cli.Context) error {
			units, err := arguments(c, 1, -1)
			if err != nil {
				return err
			}
			for _, unit := range units {
				if err := do(t.manager, c.Context, unit); err != nil {
					return err
				}
				t.printf("%s %s\n", unit, done)
			}
			return nil
		},
	}
}

// unitProcess is one process of `ros service ps --json`.
type unitProcess struct {
	Unit string `json:"unit"`
	api.Process
}

func (t *terminal) servicePs(c *cli.Context) error {
	units := c.Args().Slice()
	if len(units) == 0 {
		services, err := t.manager.Services(c.Context)
		if err != nil {
			return err
		}
		for _, s := range services {
			if s.PID > 0 {
				units = append(units, s.Name)
			}
		}
		slices.Sort(units)
	}
	all := []unitProcess{}
	for _, unit := range units {
		ps, err := t.manager.Processes(c.Context, unit)
		if err != nil {
			return err
		}
		for _, p := range ps {
			all = append(all, unitProcess{unit, p})
		}
	}
	if c.Bool("json") {
		return t.json(all)
	}
	var rows [][]string
	for _, p := range all {
		rows = append(rows, []string{p.Unit, strconv.Itoa(p.PID), p.State, size(p.RSS), p.Command})
	}
	t.table([]column{{Title: "SERVICE"}, {Title: "PID", Right: true}, {Title: "STATE"}, {Title: "RSS", Right: true}, {Title: "COMMAND"}}, rows)
	return nil
}

// since is how long ago then was.
func (t *terminal) since(then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	return age(t.now().Sub(then))
}

func orDash(ok bool, text string) string {
	if !ok {
		return "-"
	}
	return text
}
