package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pharos-os/pharos/system/control/api"
)

// Measures of the drawing, in user units (CSS pixels at 100 %).
const (
	margin      = 24
	titleHeight = 58
	axisHeight  = 26
	rowHeight   = 22
	barHeight   = 14
	laneGap     = 12
	chartWidth  = 900
	labelSpace  = 260 // right of the chart, for labels of late bars
	flagHeight  = 18  // a row of milestones' names
	glyph       = 6.8 // mean width of a character of 12 px
	boldGlyph   = 7.6
)

// tone is a colour by day and by night. Lanes are told apart by place and
// label; the colours only help.
type tone struct{ Selector, Property, Light, Dark string }

func tones() []tone {
	return []tone{
		{".ground", "fill", "#ffffff", "#0d1117"},
		{"text", "fill", "#1c2128", "#e6edf3"},
		{"text", "stroke", "#ffffff", "#0d1117"}, // a halo: lines do not cross letters
		{".soft", "fill", "#59636e", "#9198a1"},
		{"tspan.bad", "fill", "#cf222e", "#ff7b72"},
		{"text.flag", "fill", "#7d4e00", "#e3b341"},
		{".grid", "stroke", "#dde2e8", "#262c36"},
		{".mark", "stroke", "#bf8700", "#9e6a03"},
		{".init", "fill", "#8250df", "#a371f7"},
		{".manager", "fill", "#0969da", "#4493f8"},
		{".network", "fill", "#1a7f37", "#3fb950"},
		{".unit", "fill", "#bc4c00", "#f0883e"},
		{".other", "fill", "#57606a", "#9198a1"},
		{".bad", "fill", "#cf222e", "#f85149"},
	}
}

const plainStyle = `text{font:12px system-ui,"DejaVu Sans",sans-serif;paint-order:stroke;stroke-width:3px;stroke-linejoin:round}
.title{font-size:16px;font-weight:600}.lane{font-size:11px;font-weight:600;letter-spacing:.06em}.flag{font-weight:600}
.mark{stroke-dasharray:3 3}.running{fill-opacity:.45}
`

// styleSheet spells the tones out instead of using CSS variables, which many
// viewers do not know.
func styleSheet() string {
	var light, dark strings.Builder
	for _, t := range tones() {
		fmt.Fprintf(&light, "%s{%s:%s}", t.Selector, t.Property, t.Light)
		fmt.Fprintf(&dark, "%s{%s:%s}", t.Selector, t.Property, t.Dark)
	}
	return plainStyle + light.String() + "\n@media (prefers-color-scheme:dark){" + dark.String() + "}"
}

// drawing is an SVG that grows from the top down.
type drawing struct {
	body  strings.Builder
	end   float64 // seconds at the right edge of the chart
	y     float64
	right float64 // of what has been drawn
}

func (d *drawing) x(seconds float64) float64 { return margin + seconds/d.end*chartWidth }

// add writes one element; string arguments are escaped.
func (d *drawing) add(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = escape(s)
		}
	}
	fmt.Fprintf(&d.body, format+"\n", args...)
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

func textWidth(s string) float64 { return glyph * float64(len([]rune(s))) }

// tick is the distance of the axis's ticks: 1, 2 or 5 times a power of ten,
// for ten ticks or so.
func tick(end float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(end/10)))
	for _, factor := range []float64{1, 2, 5} {
		if end/(unit*factor) <= 10 {
			return unit * factor
		}
	}
	return 10 * unit
}

func (d *drawing) axis(step, top, bottom float64) {
	for i := 0; float64(i)*step <= d.end+step/1000; i++ {
		at := float64(i) * step
		d.add(`<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, d.x(at), top+axisHeight-6, d.x(at), bottom)
	}
}

func (d *drawing) axisLabels(step, top float64) {
	for i := 0; float64(i)*step <= d.end+step/1000; i++ {
		at := float64(i) * step
		d.add(`<text class="soft" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`, d.x(at), top+14, label(at, step))
	}
}

func label(at, step float64) string {
	decimals := 0
	if step < 1 {
		decimals = int(math.Ceil(-math.Log10(step) - 1e-9))
	}
	return fmt.Sprintf("%.*f s", decimals, at)
}

// flags writes the milestones' names above the axis, in as many rows as they
// need not to touch.
func (d *drawing) flags(ms []api.Milestone) {
	var ends []float64 // of the last name in each row
	for _, m := range ms {
		text := flagText(m)
		x := d.x(m.At)
		row := slices.IndexFunc(ends, func(end float64) bool { return end < x })
		if row < 0 {
			row = len(ends)
			ends = append(ends, 0)
		}
		ends[row] = x + 4 + boldGlyph*float64(len([]rune(text))) + 8
		y := d.y + float64(row)*flagHeight
		d.add(`<text class="flag" x="%.1f" y="%.1f">%s</text>`, x+4, y+12, text)
		d.right = max(d.right, ends[row])
		// The line of its flag; marks goes on through the chart.
		d.add(`<line class="mark" x1="%.1f" y1="%.1f" x2="%.1f" y2="FLAGS"/>`, x, y+1, x)
	}
	d.y += float64(len(ends))*flagHeight + 4
	body := strings.ReplaceAll(d.body.String(), "FLAGS", fmt.Sprintf("%.1f", d.y))
	d.body.Reset()
	d.body.WriteString(body)
}

func flagText(m api.Milestone) string { return fmt.Sprintf("%s %s", m.Name, seconds(m.At)) }

func (d *drawing) marks(ms []api.Milestone, top, bottom float64) {
	for _, m := range ms {
		d.add(`<line class="mark" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, d.x(m.At), top, d.x(m.At), bottom)
	}
}

// lane draws the stages of one lane.
func (d *drawing) lane(name string, stages []api.Stage) {
	stages = slices.DeleteFunc(slices.Clone(stages), func(s api.Stage) bool { return s.Lane != name })
	slices.SortStableFunc(stages, func(a, b api.Stage) int { return cmp.Compare(a.Start, b.Start) })
	d.y += laneGap
	d.add(`<text class="lane soft" x="%d" y="%.1f">%s</text>`, margin, d.y+10, strings.ToUpper(name))
	d.y += 16
	for _, s := range stages {
		d.stage(s)
	}
}

func (d *drawing) stage(s api.Stage) {
	class := s.Lane
	if !slices.Contains([]string{"init", "manager", "network", "unit"}, class) {
		class = "other"
	}
	end, took := s.End, seconds(s.End-s.Start)
	switch {
	case s.Error != "":
		class = "bad"
	case s.End == 0:
		class += " running"
	}
	if s.End == 0 {
		end, took = d.end, "running"
	}
	x, width := d.x(s.Start), max(d.x(end)-d.x(s.Start), 2)
	name, detail := s.Name+" ", took
	if s.Error != "" {
		detail += " · " + cut(s.Error, 60)
	}
	text := name + detail
	d.add(`<g><title>%s</title>`, tip(s))
	d.add(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2"/>`, class, x, d.y+4, width, barHeight)
	// The label goes behind the bar; where there is no room, before it.
	tx, anchor, tone := x+width+6, "start", "soft"
	if tx+textWidth(text) > margin+chartWidth+labelSpace && x-6-textWidth(text) > margin {
		tx, anchor = x-6, "end"
	}
	if s.Error != "" {
		tone = "bad"
	}
	d.add(`<text text-anchor="%s" x="%.1f" y="%.1f">%s<tspan class="%s">%s</tspan></text></g>`, anchor, tx, d.y+15, name, tone, detail)
	if anchor == "start" {
		d.right = max(d.right, tx+textWidth(text))
	}
	d.y += rowHeight
}

// tip is everything about a stage, shown when the pointer rests on it.
func tip(s api.Stage) string {
	parts := []string{s.Name + " (" + s.Lane + ")", "from " + seconds(s.Start)}
	if s.End > 0 {
		parts = append(parts, "to "+seconds(s.End))
	}
	if len(s.After) > 0 {
		parts = append(parts, "after "+strings.Join(s.After, ", "))
	}
	if s.Deadline > 0 {
		parts = append(parts, "given up at "+seconds(s.Deadline))
	}
	if s.Error != "" {
		parts = append(parts, "error: "+s.Error)
	}
	return strings.Join(parts, ", ")
}
