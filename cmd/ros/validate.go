package main

import (
	"errors"

	"github.com/urfave/cli/v2"
)

func configValidate(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "validate",
		Usage:     "check cloud-configs; needs neither root nor Pharos",
		ArgsUsage: "[FILE]…",
		Description: "Prints one line per problem, FILE:LINE:COL: error: PATH: text (or warning:), " +
			"and ends with 1 if there is an error. Without a file: reads standard input.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "check `FILE` (- is standard input)"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			return errors.New("not part of this build")
		},
	}
}
