package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/control/api"
)

func dockerCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:   "docker",
		Usage:  "look at how containers use the machine",
		Action: group,
		Subcommands: []*cli.Command{{
			Name:  "doctor",
			Usage: "find what containers lose at the next boot, and what they miss",
			Description: "With a state disk, " + strings.Join(osconfig.LastingDirectories(), ", ") + ", the directories of " +
				"rancher.state.directories and what is mounted last. Files with defer: true come after containers have started. " +
				"A container that was started before the console restarted may use files of the console's old tree. " +
				"Ends with 1 when something is listed.",
			Flags: []cli.Flag{jsonFlag()},
			Action: func(c *cli.Context) error {
				if _, err := arguments(c, 0, 0); err != nil {
					return err
				}
				found, err := t.manager.Binds(c.Context)
				if err != nil {
					return err
				}
				if c.Bool("json") {
					err = t.json(found)
				} else {
					t.doctor(found)
				}
				if err == nil && (found.Stateless || found.DataRoot != nil || len(found.Binds)+len(found.LateFiles)+len(found.OldBinds) > 0) {
					return &exitError{Code: 1}
				}
				return err
			},
		}},
	}
}

func (t *terminal) doctor(found api.Binds) {
	switch {
	case found.Stateless:
		t.printf("this machine has no state disk: nothing that containers write lasts, except on disks that are mounted\n" +
			"  make a file system with the label PHAROS_STATE and reboot\n")
	case found.DataRoot == nil && len(found.Binds)+len(found.LateFiles)+len(found.OldBinds) == 0:
		t.printf("everything that containers write to lasts\n")
	}
	if d := found.DataRoot; d != nil {
		t.printf("the engine\n  keeps images and volumes in %s, which the next boot empties\n  %s\n", d.Path, d.Advice)
	}
	for _, b := range found.Binds {
		t.printf("%s\n", join(" ", b.Container, parenthesis(b.Project, "project ")))
		source, target := b.Source, b.Target
		if b.Leads != "" {
			source += ", a link to " + b.Leads
		}
		if b.Volume != "" {
			target += ", volume " + b.Volume
		}
		t.printf("  writes to %s (in the container %s), which the next boot empties\n  %s\n", source, target, b.Advice)
	}
	for _, l := range found.LateFiles {
		t.printf("%s\n", join(" ", l.Container, parenthesis(l.Project, "project ")))
		t.printf("  binds %s, which write_files writes after containers have started\n  leave out defer\n", l.Path)
	}
	for _, o := range found.OldBinds {
		t.printf("%s\n", join(" ", o.Container, parenthesis(o.Project, "project ")))
		t.printf("  still uses %s (in the container %s) from before the console restarted\n  run '%s'\n", o.Source, o.Target, o.Command)
	}
}
