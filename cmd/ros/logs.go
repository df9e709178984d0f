package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pharos-os/pharos/system/control/api"
)

// followLines is how many old lines come before the new ones.
const followLines = 10

func logFlags() []cli.Flag {
	return []cli.Flag{
		boolFlag("follow", "go on with new lines", "f"),
		&cli.StringFlag{Name: "lines", Aliases: []string{"n"}, Usage: "print the last `N` lines; default all, with -f 10"},
		&cli.StringFlag{Name: "since", Usage: "print what is newer than `TIME`: 10m, 2h, 3d or 2006-01-02T15:04:05Z"},
		jsonFlag(),
	}
}

func logsCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "logs",
		Usage:       "print the logs of the system, the kernel or one service",
		ArgsUsage:   "[system|kernel|NAME]",
		Description: "Without a name: all of them, in order of time. With --json, one object a line.",
		Flags:       logFlags(),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 0, 1)
			if err != nil {
				return err
			}
			unit := ""
			if len(args) > 0 {
				unit = args[0]
			}
			return t.logs(c, unit)
		},
	}
}

// logsOf is `ros service logs`.
func logsOf(t *terminal) *cli.Command {
	return &cli.Command{
		Name:      "logs",
		Usage:     "print the log of one service",
		ArgsUsage: "NAME",
		Flags:     logFlags(),
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, 1)
			if err != nil {
				return err
			}
			return t.logs(c, args[0])
		},
	}
}

func (t *terminal) logs(c *cli.Context, unit string) error {
	q := api.LogQuery{Unit: unit, Lines: -1, Follow: c.Bool("follow")}
	if q.Follow {
		q.Lines = followLines
	}
	var err error
	if n := c.String("lines"); c.IsSet("lines") && n != "all" {
		if q.Lines, err = strconv.Atoi(n); err != nil || q.Lines < 0 {
			return usageError("%q is no number of lines", n)
		}
	} else if n == "all" {
		q.Lines = -1
	}
	if q.Since, err = parseSince(c.String("since"), t.now(), t.zone); err != nil {
		return err
	}
	return t.printLogs(c.Context, q, c.Bool("json"))
}

func (t *terminal) printLogs(ctx context.Context, q api.LogQuery, asJSON bool) error {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	return t.manager.Logs(ctx, q, func(l api.LogLine) error {
		if asJSON {
			return e.Encode(l)
		}
		unit := ""
		if q.Unit == "" {
			unit = fmt.Sprintf("%-10s ", l.Unit)
		}
		_, err := fmt.Fprintf(t.out, "%s %s%s\n", t.paint(dim, stamp(l.Time, t.zone)), t.paint(bold, unit), l.Text)
		return err
	})
}

func stamp(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return "---------- --:--:--"
	}
	return at.In(zone).Format(time.DateTime)
}

// parseSince reads a point in time: how long ago ("10m", "3d") or when.
func parseSince(s string, now time.Time, zone *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if days, ok := cutDays(s); ok {
		return now.AddDate(0, 0, -days), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, s, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usageError("%q is no time: write 10m, 2h, 3d or 2006-01-02T15:04:05Z", s)
}

func cutDays(s string) (int, bool) {
	if len(s) < 2 || s[len(s)-1] != 'd' {
		return 0, false
	}
	n, err := strconv.Atoi(s[:len(s)-1])
	return n, err == nil && n >= 0
}
