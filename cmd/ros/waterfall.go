package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

// plot draws the boot into file. The title takes what the machine says of
// itself, if it does.
func (t *terminal) plot(ctx context.Context, b api.Boot, file string) error {
	title := "Boot"
	s, err := t.manager.Status(ctx)
	if errors.Is(err, client.ErrAway) {
		return err
	}
	if err == nil {
		title = join(" · ", "Boot of "+s.Hostname, join(" ", s.Version, parenthesis(s.Slot, "slot ")), s.Kernel)
	}
	svg := waterfall(b, title)
	if file == "-" {
		_, err := t.out.Write([]byte(svg))
		return err
	}
	return os.WriteFile(file, []byte(svg), 0o644)
}

// lanes is the order of the lanes from top to bottom; others follow.
func lanes(b api.Boot) []string {
	order := []string{"init", "manager", "network", "unit"}
	for _, s := range b.Stages {
		if !slices.Contains(order, s.Lane) {
			order = append(order, s.Lane)
		}
	}
	return slices.DeleteFunc(order, func(lane string) bool {
		return !slices.ContainsFunc(b.Stages, func(s api.Stage) bool { return s.Lane == lane })
	})
}

// waterfall draws the stages of a boot as bars over time: one lane for each
// kind, one row for each stage, milestones across.
func waterfall(b api.Boot, title string) string {
	step := tick(bootEnd(b))
	d := &drawing{end: math.Ceil(bootEnd(b)/step) * step, y: margin}
	d.add(`<text class="title" x="%d" y="%.0f">%s</text>`, margin, d.y+14, title)
	d.add(`<text class="soft" x="%d" y="%.0f">%s</text>`, margin, d.y+34, summary(b))
	d.right = margin + max(chartWidth, textWidth(title)*1.4)
	d.y += titleHeight
	d.flags(b.Milestones)
	top := d.y
	d.y += axisHeight
	var bars drawing
	bars.end, bars.y, bars.right = d.end, d.y, d.right
	for _, lane := range lanes(b) {
		bars.lane(lane, b.Stages)
	}
	d.axis(step, top, bars.y)
	d.marks(b.Milestones, top, bars.y)
	d.axisLabels(step, top)
	width, height := max(bars.right, d.right)+margin, bars.y+margin
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img">
<title>%s</title>
<style>%s</style>
<rect class="ground" width="100%%" height="100%%"/>
`, width, height, width, height, escape(title), styleSheet()) + d.body.String() + bars.body.String() + "</svg>\n"
}

// summary is the drawing in a sentence.
func summary(b api.Boot) string {
	failed, running := 0, 0
	for _, s := range b.Stages {
		switch {
		case s.Error != "":
			failed++
		case s.End == 0:
			running++
		}
	}
	text := fmt.Sprintf("%d stages in %s since the kernel started", len(b.Stages), seconds(bootEnd(b)))
	if i := slices.IndexFunc(b.Milestones, func(m api.Milestone) bool { return m.Name == "ready" }); i >= 0 {
		text += ", ready at " + seconds(b.Milestones[i].At)
	}
	if running > 0 {
		text += fmt.Sprintf(", %d still running", running)
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return text
}
