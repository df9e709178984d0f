package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// quantity is one line of the report.
type quantity struct {
	name, unit string
	of         func(sample) float64
	format     string
	// The largest ratios that the goals allow; 0 is none.
	peer, lean, before float64
}

// quantities lists what is compared, with the goals of the project.
func quantities() []quantity {
	return []quantity{
		{"SSH banner", "s", func(s sample) float64 { return s.ssh.Seconds() }, "%.1f", 0.40, 0.80, 1.03},
		{"engine ready", "s", func(s sample) float64 { return s.engine.Seconds() }, "%.1f", 0.45, 0.65, 1.03},
		{"docker run --rm", "s", func(s sample) float64 { return s.run.Seconds() }, "%.2f", 0, 0, 1.03},
		{"memory used", "MB", func(s sample) float64 { return float64(s.memory) / 1e6 }, "%.0f", 1.00, 0, 0},
		{"processes", "", func(s sample) float64 { return float64(s.processes) }, "%.0f", 0, 0, 0},
		{"bytes on disk", "MB", func(s sample) float64 { return float64(s.disk) / 1e6 }, "%.0f", 0, 0, 0},
	}
}

// report prints medians and ratios and returns the goals that were missed.
func report(w io.Writer, results map[string][]sample) (missed []string) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "median of\tPharos\tpeer\tlean peer\tbefore\t/ peer\t/ lean\t/ before\tgoals")
	for _, q := range quantities() {
		cell := map[string]float64{}
		for name, samples := range results {
			cell[name] = median(samples, q.of)
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s", q.name, q.cell(cell["pharos"]), q.cell(cell["peer"]), q.cell(cell["lean"]), q.cell(cell["before"]))
		goals := ""
		for _, other := range []struct {
			name string
			goal float64
		}{{"peer", q.peer}, {"lean", q.lean}, {"before", q.before}} {
			if cell["pharos"] == 0 || cell[other.name] == 0 {
				fmt.Fprint(tab, "\t–")
				continue
			}
			ratio := cell["pharos"] / cell[other.name]
			fmt.Fprintf(tab, "\t%.2f", ratio)
			if other.goal == 0 {
				continue
			}
			goals += fmt.Sprintf("≤ %.2f × %s  ", other.goal, other.name)
			if ratio > other.goal {
				missed = append(missed, fmt.Sprintf("%s %.2f × %s, goal %.2f", q.name, ratio, other.name, other.goal))
			}
		}
		fmt.Fprintf(tab, "\t%s\n", goals)
	}
	if err := tab.Flush(); err != nil {
		return append(missed, err.Error())
	}
	for _, m := range missed {
		fmt.Fprintln(w, "missed:", m)
	}
	return missed
}

func (q quantity) cell(v float64) string {
	if v == 0 {
		return "–"
	}
	s := fmt.Sprintf(q.format, v)
	if q.unit != "" {
		s += " " + q.unit
	}
	return s
}

func median(samples []sample, of func(sample) float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	v := make([]float64, 0, len(samples))
	for _, s := range samples {
		v = append(v, of(s))
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
