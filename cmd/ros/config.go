package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/urfave/cli/v2"
)

func configCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "config",
		Aliases:     []string{"c"},
		Usage:       "show and check the configuration",
		Action:      group,
		Subcommands: []*cli.Command{configGet(t), configExport(t), configValidate(t)},
	}
}

func configGet(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "get",
		Usage:     "print the value at a key",
		ArgsUsage: "KEY",
		Description: "A key is a path with dots: hostname, rancher.network.interfaces. " +
			"Defaults count; secrets are shown with --private, to root.",
		Flags: []cli.Flag{privateFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, 1)
			if err != nil {
				return err
			}
			text, err := t.manager.Config(c.Context, args[0], true, c.Bool("private"))
			if err != nil {
				return err
			}
			return t.yaml(text, c.Bool("json"))
		},
	}
}

func configExport(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "print the configuration as one cloud-config",
		Flags: []cli.Flag{
			boolFlag("full", "with the defaults", "f"),
			privateFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			text, err := t.manager.Config(c.Context, "", c.Bool("full"), c.Bool("private"))
			if err != nil {
				return err
			}
			if file := c.String("output"); file != "" {
				to := *t
				var out bytes.Buffer
				to.out = &out
				if err := to.yaml(text, c.Bool("json")); err != nil {
					return err
				}
				return writeFile(file, out.Bytes(), c.Bool("private"))
			}
			return t.yaml(text, c.Bool("json"))
		},
	}
}

func privateFlag() cli.Flag {
	return boolFlag("private", "with secrets (root only)", "p")
}

// yaml prints YAML as it is or as JSON.
func (t *terminal) yaml(text string, asJSON bool) error {
	data := []byte(text)
	if asJSON {
		var err error
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
	}
	data = append(bytes.TrimRight(data, "\n"), '\n')
	_, err := t.out.Write(data)
	return err
}

// writeFile writes a file of the user's, wherever it is; with secrets in it,
// for nobody else to read. Only a fresh file is certain to have that mode.
func writeFile(name string, data []byte, private bool) error {
	mode := fs.FileMode(0o644)
	if private {
		mode = 0o600
		if err := os.Chmod(name, mode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.WriteFile(name, data, mode)
}
