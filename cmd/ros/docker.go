package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func dockerCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:   "docker",
		Usage:  "look at how containers use the machine",
		Action: group,
		Subcommands: []*cli.Command{{
			Name:  "doctor",
			Usage: "list what containers write to places that the next boot empties",
			Description: "With a state disk, " + strings.Join(osconfig.LastingDirectories(), ", ") + ", the directories of " +
				"rancher.state.directories and what is mounted last. Ends with 1 when something is listed.",
			Flags: []cli.Flag{jsonFlag()},
			Action: func(c *cli.Context) error {
				if _, err := arguments(c, 0, 0); err != nil {
					return err
				}
				binds, err := t.manager.Binds(c.Context)
				if err != nil {
					return err
				}
				if c.Bool("json") {
					err = t.json(binds)
				} else {
					if len(binds) == 0 {
						t.printf("everything that containers write to lasts\n")
					}
					for _, b := range binds {
						t.printf("%s %s\n", b.Container, parenthesis(b.Project, "project "))
						t.printf("  writes to %s (in the container %s), which the next boot empties\n  %s\n", b.Source, b.Target, b.Advice)
					}
				}
				if err == nil && len(binds) > 0 {
					return &exitError{Code: 1}
				}
				return err
			},
		}},
	}
}
