package main

import (
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/control/api"
)

func configSet(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "set",
		Usage:     "give a key a value",
		ArgsUsage: "KEY VALUE",
		Description: "The value is YAML: true, 42, text, [a, b], {a: b}. A list or mapping replaces the old one. " +
			"- reads it from standard input, where nobody sees it in a list of processes. Write -- before a value that begins with a dash.\n\n" +
			"   ros config set hostname lake\n" +
			"   ros config set rancher.network.interfaces.eth0 '{address: 192.0.2.7/24, gateway: 192.0.2.1}'\n" +
			"   ros config set rancher.docker.registry_mirror '[https://mirror.example]'\n" +
			"   ros config set rancher.docker.ca_cert - <ca.pem",
		Flags:  []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error { return t.change(c, api.VerbSet, 2) },
	}
}

func configUnset(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "unset",
		Usage:       "take a key away",
		ArgsUsage:   "KEY",
		Description: "Only what the machine's own file says can go. Then another layer counts, or the default.",
		Flags:       []cli.Flag{jsonFlag()},
		Action:      func(c *cli.Context) error { return t.change(c, api.VerbUnset, 1) },
	}
}

func configAppend(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "append",
		Usage:     "add to a list",
		ArgsUsage: "KEY VALUE",
		Description: "What is in the list stays, also what another layer put there. An item that has the same name, path " +
			"or key as another one takes its place.\n\n" +
			"   ros config append ssh_authorized_keys \"$(cat id_ed25519.pub)\"\n" +
			"   ros config append users '{name: ann, groups: [docker]}'",
		Flags:  []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error { return t.change(c, api.VerbAppend, 2) },
	}
}

func configRemove(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Usage:     "take an item out of a list",
		ArgsUsage: "KEY ITEM",
		Description: "The item is its value, or what it is known by: the name of a user, the path of a file, the comment " +
			"of an SSH key, the device or mount point of a mount, a mapping's key.\n\n" +
			"   ros config remove users ann\n" +
			"   ros config remove ssh_authorized_keys ann@desk",
		Flags:  []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error { return t.change(c, api.VerbRemove, 2) },
	}
}

func configMerge(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "merge",
		Usage:       "merge a cloud-config into the machine's own",
		Description: "Mappings merge key by key, lists with names merge by them, everything else is replaced.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "input", Aliases: []string{"i"}, Usage: "read `FILE` instead of standard input"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			text, err := t.input(c.String("input"))
			if err != nil {
				return err
			}
			return t.write(c, api.ConfigEdit{Verb: api.VerbMerge, Text: string(text)})
		},
	}
}

// input reads a cloud-config and checks that it is YAML, so that positions
// are those of the file.
func (t *terminal) input(file string) ([]byte, error) {
	in, name := t.in, "stdin"
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in, name = f, file
	} else {
		t.awaitsInput()
	}
	text, err := io.ReadAll(io.LimitReader(in, osconfig.MaxSize+1))
	if err != nil {
		return nil, err
	}
	_, report := osconfig.Parse("", name, text)
	for _, p := range report {
		if p.Kind == osconfig.Syntax && p.Severity == osconfig.Error {
			return nil, errors.New(p.String())
		}
	}
	return text, nil
}

// change is a verb with a key and, when it has two arguments, a value.
func (t *terminal) change(c *cli.Context, verb string, count int) error {
	args, err := arguments(c, count, count)
	if err != nil {
		return err
	}
	e := api.ConfigEdit{Verb: verb, Key: args[0]}
	if count > 1 {
		e.Value = args[1]
	}
	if e.Value == "-" {
		t.awaitsInput()
		text, err := io.ReadAll(io.LimitReader(t.in, osconfig.MaxSize+1))
		if err != nil {
			return err
		}
		e.Value = string(text)
	}
	return t.write(c, e)
}

func (t *terminal) write(c *cli.Context, e api.ConfigEdit) error {
	out, err := t.manager.ConfigEdit(c.Context, e)
	if err != nil {
		return err
	}
	return t.written(out, c.Bool("json"))
}

// written says what has been written, and that it does not count yet.
func (t *terminal) written(out api.ConfigWritten, asJSON bool) error {
	if asJSON {
		return t.json(out)
	}
	t.printf("%s", out.Summary)
	if out.Generation > 0 {
		t.printf(" (generation %d)", out.Generation)
	}
	t.printf("\n")
	for _, n := range out.Notes {
		t.printf("%s %s\n", t.paint(yellow, "note:"), n)
	}
	if out.Generation > 0 {
		t.printf("It counts from the next boot on, or now: ros config apply\n")
	}
	return nil
}

func configHistory(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "history",
		Usage:       "list what the machine's own configuration was",
		Description: "The last ten states of the file are kept, * is the one that it has now; `ros config rollback NUMBER` brings one back.",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			all, err := t.manager.ConfigHistory(c.Context)
			switch {
			case err != nil:
				return err
			case c.Bool("json"):
				return t.json(all)
			case len(all) == 0:
				t.printf("nothing has been changed yet\n")
				return nil
			}
			var rows [][]string
			for _, g := range all {
				number := strconv.Itoa(g.Number)
				if g.Current {
					number += "*"
				}
				rows = append(rows, []string{number, g.Time.In(t.zone).Format("2006-01-02 15:04:05"), g.Who, g.Verb, g.Summary})
			}
			t.table([]column{{Title: "NUMBER"}, {Title: "TIME"}, {Title: "WHO"}, {Title: "WHAT"}, {Title: "CHANGE"}}, rows)
			return nil
		},
	}
}

func configRollback(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "rollback",
		Usage:     "bring back an older configuration",
		ArgsUsage: "[NUMBER]",
		Description: "Without a number it is the one before; a second time brings back what was rolled back. While a " +
			"configuration is on trial it ends the trial at once.",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 0, 1)
			if err != nil {
				return err
			}
			number := 0
			if len(args) > 0 {
				if number, err = strconv.Atoi(args[0]); err != nil || number < 1 {
					return usageError("%q is no number of a generation; see: ros config history", args[0])
				}
			}
			out, err := t.manager.ConfigRollback(c.Context, number)
			if err != nil {
				return err
			}
			return t.written(out, c.Bool("json"))
		},
	}
}
