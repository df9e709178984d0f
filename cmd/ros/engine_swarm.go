package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/pharos-os/pharos/system/control/api"
)

func engineCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:   "engine",
		Usage:  "look after the user engine",
		Action: group,
		Subcommands: []*cli.Command{{
			Name:  "swarm",
			Usage: "show the swarm, its tokens and keys",
			Description: "A machine makes or joins the swarm that rancher.docker.swarm of its configuration names, and stays in it. " +
				"To leave it, take the key away: `ros config unset rancher.docker.swarm`, `ros config apply`.",
			Action:      group,
			Subcommands: []*cli.Command{swarmStatus(t), swarmToken(t), swarmUnlock(t), swarmKey(t)},
		}},
	}
}

func swarmStatus(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "show this machine's part in the swarm, and on a manager all nodes",
		Description: "Ends with 1 when something is wrong with this machine's part.",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			s, err := t.manager.Swarm(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = t.json(s)
			} else {
				t.swarm(s)
			}
			if err == nil && (len(s.Reasons) > 0 || s.Configured && s.State != "active") {
				return &exitError{Code: 1}
			}
			return err
		},
	}
}

func swarmToken(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "token",
		Usage:     "print the join tokens, as a configuration; on a manager, as root",
		ArgsUsage: "[worker|manager]",
		Description: "The manager's token gives root on every machine of the swarm. --rotate makes a new token: the old one is not accepted " +
			"any more, and machines that are in the swarm stay in it.\n\n" +
			"   sudo ros engine swarm token worker",
		Flags: []cli.Flag{boolFlag("rotate", "make a new token first"), boolFlag("quiet", "print the token alone", "q"), jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 0, 1)
			if err != nil {
				return err
			}
			roles := []string{api.RoleWorker, api.RoleManager}
			switch {
			case len(args) == 1 && args[0] != api.RoleWorker && args[0] != api.RoleManager:
				return usageError("%q is not worker or manager", args[0])
			case len(args) == 1:
				roles = args
			case c.Bool("rotate"):
				return usageError("--rotate needs a role: worker or manager")
			}
			var all []api.SwarmToken
			for _, role := range roles {
				token, err := t.manager.SwarmToken(c.Context, role, c.Bool("rotate"))
				if err != nil {
					return err
				}
				all = append(all, token)
			}
			if c.Bool("json") {
				return t.json(all)
			}
			for _, token := range all {
				if c.Bool("quiet") {
					t.printf("%s\n", token.Token)
					continue
				}
				t.printf("# for a %s\nrancher:\n  docker:\n    swarm:\n      join:\n        remote: [%q]\n        token: %s\n", token.Role, token.Remote, token.Token)
			}
			return nil
		},
	}
}

func swarmUnlock(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "unlock",
		Usage: "unlock this manager's keys; the unlock key is read from the terminal or standard input",
		Description: "With autolock a manager waits for the unlock key after a restart. The machine does not keep the key, so its disk alone " +
			"does not give away the swarm's secrets.",
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			key, err := t.secret("Unlock key: ")
			if err != nil {
				return err
			}
			if err := t.manager.SwarmUnlock(c.Context, key); err != nil {
				return err
			}
			t.printf("The swarm is unlocked.\n")
			return nil
		},
	}
}

func swarmKey(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "unlock-key",
		Usage:       "print the key that unlocks managers; on a manager, as root",
		Description: "Keep it outside of the swarm: nothing else unlocks the managers when all of them restart at once.",
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			key, err := t.manager.SwarmUnlockKey(c.Context)
			if err != nil {
				return err
			}
			if key == "" {
				return errors.New("autolock is off: there is no unlock key; rancher.docker.swarm.autolock turns it on")
			}
			t.printf("%s\n", key)
			return nil
		},
	}
}

// secret reads one line; from a terminal without showing it.
func (t *terminal) secret(prompt string) (string, error) {
	if f, ok := t.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(t.err, prompt)
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(t.err)
		return strings.TrimSpace(string(text)), err
	}
	text, err := bufio.NewReader(t.in).ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimSpace(text), err
}

// swarm prints this machine's part, then the nodes.
func (t *terminal) swarm(s api.Swarm) {
	state := s.State
	if s.Role != "" {
		state = join(", ", state, s.Role)
		if s.Leader {
			state += " and leader"
		}
	}
	t.fact("swarm", state)
	for _, reason := range s.Reasons {
		t.fact("", t.paint(yellow, "• "+reason))
	}
	for i, n := range s.Notes {
		t.fact(first(i, "note"), n)
	}
	if s.Error != "" && len(s.Reasons) == 0 {
		t.fact("error", s.Error)
	}
	t.fact("address", s.Address)
	t.fact("node", s.Node)
	if s.Role != "manager" {
		t.fact("managers", strings.Join(s.Managers, ", "))
	}
	if q := s.Quorum; q.Managers > 0 {
		t.fact("quorum", fmt.Sprintf("%d of %d managers answer, %d are needed", q.Reachable, q.Managers, q.Needed))
	}
	if s.Autolock != nil {
		t.fact("autolock", map[bool]string{true: "on", false: "off"}[*s.Autolock])
	}
	if len(s.Nodes) == 0 {
		return
	}
	var rows [][]string
	for _, n := range s.Nodes {
		role := n.Role
		switch {
		case n.Leader:
			role = "leader"
		case n.Role == "manager" && !n.Reachable:
			role = "manager, away"
		}
		name := n.Name
		if n.Self {
			name += " *"
		}
		rows = append(rows, []string{name, n.State, n.Availability, role, n.Address, n.ID})
	}
	t.printf("\n")
	t.table([]column{{Title: "NODE"}, {Title: "STATE", State: true}, {Title: "AVAILABILITY"}, {Title: "ROLE"}, {Title: "ADDRESS"}, {Title: "ID"}}, rows)
}
