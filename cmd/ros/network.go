package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

func networkCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:    "network",
		Aliases: []string{"net"},
		Usage:   "show, plan and apply the network",
		Description: "The network is what rancher.network of the configuration says; `ros config set` changes that. The manager " +
			"keeps links, addresses and routes as configured for as long as the machine runs.",
		Action:      group,
		Subcommands: []*cli.Command{networkStatus(t), networkPlan(t), networkApply(t), networkRenew(t)},
	}
}

func networkStatus(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show links, addresses, routes and names, and where each is from",
		Description: "It says what each link waits for, and what the machine waits for to be online: a default route, and " +
			"every link configured that is not optional.",
		Flags: []cli.Flag{boolFlag("quiet", "print the names of links only", "q"), jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			n, err := t.manager.Network(c.Context)
			switch {
			case err != nil:
				return err
			case c.Bool("json"):
				return t.json(n)
			case c.Bool("quiet"):
				for _, l := range n.Links {
					t.printf("%s\n", l.Name)
				}
				return nil
			}
			t.network(n)
			return nil
		},
	}
}

func networkPlan(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "say what applying the network's configuration would change",
		ArgsUsage: "[FILE]",
		Description: "It compares the running network with what the files say now. FILE, or - for standard input, is a " +
			"cloud-config that is merged into the machine's own first, as `ros config merge` does it; nothing is written. " +
			"Ends with 1 when the files have errors, of which what has one is left out, or when something cannot be done.\n\n" +
			"   ros network plan bond.yml",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 0, 1)
			if err != nil {
				return err
			}
			text := []byte(nil)
			if len(args) > 0 {
				if text, err = t.input(args[0]); err != nil {
					return err
				}
			}
			p, err := t.manager.NetworkPlan(c.Context, string(text))
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = t.json(p)
			} else {
				t.plan(p, "would change:", "would be done:")
			}
			return errors.Join(err, planExit(p))
		},
	}
}

func networkApply(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "apply",
		Usage: "bring the network to its configuration",
		Description: "It reads rancher.network of the files again and carries out what differs; the rest of the configuration " +
			"stays as it runs, links that are the same stay up. Files with a new error change nothing. It waits until the " +
			"network is online, but not for long, and ends with 1 when it is not by then, or something could not be done. The manager carries it out, also when the network goes away under you: " +
			"where that would hurt, `ros config apply --try 60s` goes back by itself.",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			out, err := t.manager.NetworkApply(c.Context)
			if errors.Is(err, client.ErrAway) {
				return fmt.Errorf("%w; what may have begun goes on: see ros network status", err)
			}
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = t.json(out)
			} else {
				t.applied(out)
			}
			if err == nil && !out.Online {
				return &exitError{Code: 1}
			}
			return errors.Join(err, planExit(out.NetworkPlan))
		},
	}
}

func networkRenew(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "renew",
		Usage:       "ask for a link's leases anew",
		ArgsUsage:   "LINK",
		Description: "DHCP and DHCPv6 are asked at once, and the new leases are printed. The old ones serve meanwhile.",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, 1)
			if err != nil {
				return err
			}
			l, err := t.manager.NetworkRenew(c.Context, args[0])
			switch {
			case err != nil:
				return err
			case c.Bool("json"):
				return t.json(l)
			}
			for _, lease := range l.Leases {
				t.printf("%s: %s\n", l.Name, join(" ", strings.Join(lease.Address, " "), leaseText(lease)))
			}
			return nil
		},
	}
}

// plan prints a plan: first what the configuration says, then what the kernel
// is told.
func (t *terminal) plan(p api.NetworkPlan, keys, steps string) {
	if len(p.Keys)+len(p.Changes) == 0 {
		t.printf("The network is as configured.\n")
	}
	for i, k := range p.Keys {
		if i == 0 {
			t.printf("%s\n", t.paint(bold, keys))
		}
		t.printf("  %s\n", k.Text)
	}
	for i, change := range p.Changes {
		if i == 0 {
			t.printf("%s\n", t.paint(bold, steps))
		}
		t.printf("  %s\n", change.Text)
	}
	for i, problem := range p.Problems {
		if i == 0 {
			t.printf("%s\n", t.paint(red, "problems:"))
		}
		t.printf("  %s\n", problem)
	}
}

func (t *terminal) applied(out api.NetworkApplied) {
	t.plan(out.NetworkPlan, "changed:", "done:")
	switch {
	case out.Online:
		t.printf("%s\n", t.paint(green, "The network is online."))
	default:
		t.printf("%s\n", t.paint(yellow, "The network is not online yet; it waits for:"))
		for _, w := range out.Waiting {
			t.printf("  %s\n", w)
		}
	}
}

func planExit(p api.NetworkPlan) error {
	if len(p.Problems) > 0 {
		return &exitError{Code: 1}
	}
	return nil
}

// leaseText is a lease in one line: what matters most comes first.
func leaseText(l api.NetworkLease) string {
	text := l.Family + " " + l.State
	for _, p := range l.Prefix {
		text += ", prefix " + p
	}
	if l.Valid > 0 {
		text += ", valid for " + age(time.Duration(l.Valid)*time.Second)
	}
	if l.Renew > 0 {
		text += ", renewed in " + age(time.Duration(l.Renew)*time.Second)
	}
	if l.Server != "" {
		text += ", from " + l.Server
	}
	if l.Attempt > 0 {
		text += fmt.Sprintf(", %d unanswered", l.Attempt)
	}
	if l.Message != "" {
		text += ": " + l.Message
	}
	return text
}
