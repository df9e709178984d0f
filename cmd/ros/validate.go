package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/load"
)

func configValidate(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "validate",
		Usage:     "check cloud-configs; needs neither root nor Pharos",
		ArgsUsage: "[FILE]…",
		Description: "Prints one line per problem, FILE:LINE:COL: error: PATH: text (or warning:), " +
			"and ends with 1 if there is an error. Without a file: reads standard input.",
		Flags: []cli.Flag{
			listFlag{&cli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "check `FILE` (- is standard input); may be repeated"}},
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "warn about what has no effect in layer `NAME`: iso, user-data, cloud-config, …"},
			boolFlag("strict", "end with 1 if there is a warning, too"),
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			files := append(c.StringSlice("input"), c.Args().Slice()...)
			if slices.Contains(files, "") {
				return emptyArgument(c)
			}
			if len(files) == 0 {
				files = []string{"-"}
			}
			if l, _, _ := strings.Cut(c.String("layer"), "/"); l != "" && !slices.Contains(layers(), l) {
				return usageError("there is no layer %q: one of %s", l, strings.Join(layers(), ", "))
			}
			return t.validate(c, files)
		},
	}
}

// layers are those that files and datasources make, from the weakest to the
// strongest.
func layers() []string {
	return []string{"oem", "iso", "vendor-data", "metadata", "user-data", "cloud-config.d", "cloud-config", "cmdline"}
}

// problem is one entry of `ros config validate --json`.
type problem struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Path     string `json:"path"`
	Text     string `json:"text"`
}

// validate prints what is wrong with the files.
func (t *terminal) validate(c *cli.Context, files []string) error {
	if slices.Contains(files, "-") {
		t.awaitsInput()
	}
	var report osconfig.Report
	if layer := c.String("layer"); layer != "" {
		report = load.ValidateAs(layer, t.in, files...)
	} else {
		report = load.ValidateFiles(t.in, files...)
	}
	if c.Bool("json") {
		problems := []problem{}
		for _, p := range report {
			problems = append(problems, problem{p.File, p.Line, p.Col, p.Severity.String(), p.Path, p.Text})
		}
		if err := t.json(problems); err != nil {
			return err
		}
	} else {
		for _, p := range report {
			t.printf("%s\n", p)
		}
	}
	if report.HasErrors() || c.Bool("strict") && len(report) > 0 {
		return &exitError{Code: 1}
	}
	return nil
}
