package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pharos-os/pharos/system/control/api"
)

func bootCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name:        "boot",
		Usage:       "show what the boot did when",
		Description: "Times are seconds since the kernel started.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "plot", Usage: "draw the boot into `FILE`.svg (- is standard output)"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			b, err := t.manager.Boot(c.Context)
			if err != nil {
				return err
			}
			slices.SortStableFunc(b.Stages, func(a, b api.Stage) int { return cmp.Compare(a.Start, b.Start) })
			slices.SortStableFunc(b.Milestones, func(a, b api.Milestone) int { return cmp.Compare(a.At, b.At) })
			if file := c.String("plot"); file != "" {
				return t.plot(c.Context, b, file)
			}
			if c.Bool("json") {
				return t.json(b)
			}
			t.boot(b)
			return nil
		},
	}
}

const (
	minBar     = 12 // columns of the bars at least
	defaultBar = 40 // without a terminal
)

// boot prints the stages as a table whose last column is a time line.
func (t *terminal) boot(b api.Boot) {
	end := bootEnd(b)
	var rows [][]string
	used := 0
	for _, s := range b.Stages {
		row := []string{s.Name, s.Lane, seconds(s.Start), "", ""}
		if s.End > 0 {
			row[3], row[4] = seconds(s.End), seconds(s.End-s.Start)
		} else {
			row[3] = "running"
		}
		rows = append(rows, row)
	}
	columns := []column{{Title: "STAGE"}, {Title: "LANE"}, {Title: "START", Right: true}, {Title: "END", Right: true}, {Title: "TOOK", Right: true}, {Title: "TIME LINE"}}
	for i, c := range columns[:5] {
		width := len(c.Title)
		for _, row := range rows {
			width = max(width, len([]rune(row[i])))
		}
		used += width + 2
	}
	room := defaultBar
	if t.width > 0 {
		room = max(t.width-used-1, minBar)
	}
	for i, s := range b.Stages {
		rows[i] = append(rows[i], bar(s, end, room))
	}
	wide := *t
	wide.width = 0 // the bars fit already
	wide.table(columns, rows)
	for _, s := range b.Stages {
		if s.Error != "" {
			t.printf("%s %s: %s\n", t.paint(red, "failed:"), s.Name, s.Error)
		}
	}
	var reached []string
	for _, m := range b.Milestones {
		reached = append(reached, fmt.Sprintf("%s %s", m.Name, seconds(m.At)))
	}
	if len(reached) > 0 {
		t.printf("\nreached: %s\n", strings.Join(reached, ", "))
	}
}

// bootEnd is the end of the time line.
func bootEnd(b api.Boot) float64 {
	end := 0.1
	for _, s := range b.Stages {
		end = max(end, s.Start, s.End)
	}
	for _, m := range b.Milestones {
		end = max(end, m.At)
	}
	return end
}

// bar draws a stage on a line of room columns that stand for end seconds.
func bar(s api.Stage, end float64, room int) string {
	at := func(seconds float64) int { return int(math.Round(seconds / end * float64(room))) }
	from, to := min(at(s.Start), room-1), room
	fill := "░"
	if s.End > 0 {
		to, fill = at(s.End), "█"
	}
	return strings.Repeat(" ", from) + strings.Repeat(fill, max(to-from, 1))
}

func seconds(s float64) string { return fmt.Sprintf("%.2fs", s) }
