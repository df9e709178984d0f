package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/pharos-os/pharos/os-config/schema"
)

func configSchema(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "schema",
		Usage: "print the JSON schema of the configuration",
		Description: "An editor checks and completes with it: write it to a file and put at the top of a cloud-config\n\n" +
			"   # yaml-language-server: $schema=/path/to/schema.json\n\n" +
			"   It needs neither root nor Pharos.",
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			_, err := t.out.Write(schema.JSON())
			return err
		},
	}
}

func configSources(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "sources",
		Usage:       "say where the configuration comes from",
		Description: "Lists the datasources that were looked for, with what was found and how long it took, and the layers from the weakest to the strongest.",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			s, err := t.manager.ConfigSources(c.Context)
			switch {
			case err != nil:
				return err
			case c.Bool("json"):
				return t.json(s)
			}
			if s.Instance != "" {
				t.printf("instance %s\n\n", s.Instance)
			}
			if len(s.Probes) > 0 {
				var rows [][]string
				for _, p := range s.Probes {
					rows = append(rows, []string{p.Name, orDash(p.Where != "", p.Where), p.State, fmt.Sprintf("%.3fs", p.Seconds), p.Detail})
				}
				t.table([]column{{Title: "DATASOURCE"}, {Title: "WHERE"}, {Title: "STATE"}, {Title: "TOOK", Right: true}, {Title: "DETAIL"}}, rows)
				t.printf("\n")
			}
			var rows [][]string
			for _, l := range s.Layers {
				rows = append(rows, []string{l.Layer, l.State, l.File})
			}
			t.table([]column{{Title: "LAYER"}, {Title: "STATE"}, {Title: "FILE"}}, rows)
			return nil
		},
	}
}
