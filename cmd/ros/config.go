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
		Name:    "config",
		Aliases: []string{"c"},
		Usage:   "show, check, change and apply the configuration",
		Description: "Changes go to /var/lib/pharos/conf/cloud-config.yml, which wins over every other layer but the kernel " +
			"command line. They are checked first, and count when they are applied or at the next boot.",
		Action: group,
		Subcommands: append([]*cli.Command{
			configGet(t), configSet(t), configUnset(t), configAppend(t), configRemove(t), configMerge(t), configEdit(t),
			configExport(t), configValidate(t), configDiff(t), configApply(t), configConfirm(t),
			configHistory(t), configRollback(t), configSchema(t), configSources(t),
		}, droppedConfig()...),
	}
}

// droppedConfig are commands of RancherOS that have no use here: they say
// what to do instead.
func droppedConfig() []*cli.Command {
	var out []*cli.Command
	for _, d := range []struct{ name, text string }{
		{"generate", "there are no templates; variables such as $public_ipv4 stand for what the cloud tells, and `ros config validate` checks a file"},
		{"images", "services bring their images when they start; `ros service list` shows them"},
		{"syslinux", "the boot loader's menu takes kernel parameters for one boot: press e at the entry; what is to stay is set with `ros config set`"},
	} {
		out = append(out, &cli.Command{Name: d.name, Hidden: true, Action: func(*cli.Context) error {
			return usageError("ros config %s is RancherOS's: %s", d.name, d.text)
		}})
	}
	return out
}

func configGet(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "get",
		Usage:     "print the value at a key",
		ArgsUsage: "KEY",
		Description: "A key is a path with dots: hostname, rancher.network.interfaces, users[0].name. " +
			"Defaults count; secrets are shown with --private, to root.",
		Flags: []cli.Flag{
			boolFlag("source", "print where it was set instead: layer and FILE:LINE", "s"),
			privateFlag(), jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, 1)
			if err != nil {
				return err
			}
			if c.Bool("source") {
				return t.origin(c, args[0])
			}
			text, err := t.manager.Config(c.Context, args[0], true, c.Bool("private"))
			if err != nil {
				return err
			}
			return t.yaml(text, c.Bool("json"))
		},
	}
}

func (t *terminal) origin(c *cli.Context, key string) error {
	o, err := t.manager.ConfigOrigin(c.Context, key)
	switch {
	case err != nil:
		return err
	case c.Bool("json"):
		return t.json(o)
	case o.Line > 0:
		t.printf("%s %s:%d\n", o.Layer, o.File, o.Line)
	default:
		t.printf("%s %s\n", o.Layer, o.File)
	}
	return nil
}

func configExport(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "print the configuration as one cloud-config",
		Description: "It has everything that the layers say, without the secrets: passwords, keys, credentials. " +
			"With --private it has them, for root; a file is then for root's eyes only.",
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
// for nobody else to read, also where there was one that others may read. What
// is no file, like /dev/null, keeps its mode.
func writeFile(name string, data []byte, private bool) error {
	mode := fs.FileMode(0o644)
	if private {
		mode = 0o600
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && private && info.Mode().IsRegular() {
		err = f.Chmod(mode)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Close())
}
