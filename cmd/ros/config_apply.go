package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

func configDiff(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "diff",
		Usage: "say what applying the configuration would change",
		Description: "It compares what runs with what the files say now. Ends with 1 when the files have errors: what " +
			"has one is left out.",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			d, err := t.manager.ConfigDiff(c.Context)
			if err != nil {
				return err
			}
			if err := t.difference(c, d, "at once", "by a restart"); err != nil {
				return err
			}
			if !c.Bool("json") && d.Try != nil {
				t.printf("On trial for %s more: ros config confirm keeps it.\n", lasting(d.Try.Seconds))
			}
			return problemsExit(d)
		},
	}
}

func configApply(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "apply",
		Usage: "bring the running machine to its configuration",
		Description: "The network changes where it differs, the console and sshd keep their sessions. Some options of " +
			"the engine stop containers, and `ros config diff` says so. The manager carries it out, also when the network goes away under you.\n\n" +
			"With --try the machine goes back by itself after that time, unless `ros config confirm` comes first: " +
			"files, network and all. A reboot meanwhile goes back too.\n\n" +
			"   ros config apply --try 60s\n\n" +
			"A change that cannot be undone, such as leaving a swarm, is refused with the reason unless --yes is given. " +
			"To join, make or leave a swarm cannot be on trial.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "try", Aliases: []string{"t"}, Usage: "go back after `TIME` (60s, 5m) unless confirmed", DefaultText: "for good"},
			boolFlag("yes", "also do what cannot be undone"),
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			var try time.Duration
			if c.IsSet("try") {
				var err error
				if try, err = time.ParseDuration(c.String("try")); err != nil || try <= 0 {
					return usageError("--try %q is no time; write 60s or 5m", c.String("try"))
				}
			}
			d, err := t.manager.ConfigApply(c.Context, try, c.Bool("yes"))
			if errors.Is(err, client.ErrAway) {
				return fmt.Errorf("%w; what may have begun goes on: see ros config diff", err)
			}
			if err != nil {
				return err
			}
			if err := t.difference(c, d, "done", "restarted"); err != nil {
				return err
			}
			if !c.Bool("json") && d.Try != nil {
				t.printf("On trial: `ros config confirm` keeps it. Otherwise the machine goes back in %s, at %s.\n",
					lasting(d.Try.Seconds), d.Try.Until.In(t.zone).Format(time.TimeOnly))
			}
			return problemsExit(d)
		},
	}
}

func configConfirm(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "confirm",
		Usage: "keep the configuration that is on trial",
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			if err := t.manager.ConfigConfirm(c.Context); err != nil {
				return err
			}
			t.printf("The configuration stays.\n")
			return nil
		},
	}
}

// difference prints changes by the way in which they are carried out.
func (t *terminal) difference(c *cli.Context, d api.ConfigDiff, live, restart string) error {
	if c.Bool("json") {
		return t.json(d)
	}
	if len(d.Changes) == 0 {
		t.printf("The machine runs what is configured.\n")
	}
	for _, part := range []struct {
		how   string
		title string
		style style
	}{{"live", live, green}, {"restart", restart, yellow}, {"reboot", "by a reboot", yellow}, {"nothing", "without effect", dim}} {
		first := true
		for _, change := range d.Changes {
			if change.How != part.how {
				continue
			}
			if first {
				t.printf("%s\n", t.paint(part.style, part.title+":"))
			}
			first = false
			t.printf("  %s\n", change.Text)
		}
	}
	for i, p := range d.Problems {
		if i == 0 {
			t.printf("%s\n", t.paint(red, "problems:"))
		}
		t.printf("  %s\n", p)
	}
	return nil
}

func problemsExit(d api.ConfigDiff) error {
	if len(d.Problems) > 0 {
		return &exitError{Code: 1}
	}
	return nil
}

func lasting(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}
