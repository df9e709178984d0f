package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

// terminal is what a command reads from, prints to and asks.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	width    int // columns; 0 is without bound (no terminal)
	colour   bool
	now      func() time.Time
	zone     *time.Location
	manager  *client.Client
}

// newTerminal is the process's own terminal.
func newTerminal() *terminal {
	t := &terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now, zone: time.Local}
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		// A serial line says that it has no columns at all.
		if t.width, _, _ = term.GetSize(fd); t.width <= 0 {
			t.width = 80
		}
		t.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	socket := os.Getenv("PHAROS_CONTROL")
	if socket == "" {
		socket = api.Socket
	}
	t.manager = client.New(socket)
	return t
}

// awaitsInput tells who sits at a terminal that standard input is read.
func (t *terminal) awaitsInput() {
	if f, ok := t.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintln(t.err, "reading standard input; Ctrl-D ends it")
	}
}

// style is an SGR parameter, ECMA-48 8.3.117.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// paint wraps text in s where the terminal shows colours.
func (t *terminal) paint(s style, text string) string {
	if !t.colour || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// paintState gives a state of the machine or of a service its colour.
func (t *terminal) paintState(state string) string {
	switch strings.TrimSpace(state) {
	case "ready", "running":
		return t.paint(green, state)
	case "failed", "crash-looping":
		return t.paint(red, state)
	case "degraded", "booting", "waiting", "starting", "stopping":
		return t.paint(yellow, state)
	default:
		return state
	}
}

// json prints v for programs.
func (t *terminal) json(v any) error {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (t *terminal) printf(format string, args ...any) {
	fmt.Fprintf(t.out, format, args...)
}

// column is one column of a table.
type column struct {
	Title string
	Right bool // numbers
	State bool // coloured as a state
}

// table prints rows in columns as wide as needed. The last column is cut off
// at the terminal's edge.
func (t *terminal) table(columns []column, rows [][]string) {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = utf8.RuneCountInString(c.Title)
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.Title
	}
	t.row(columns, widths, titles, true)
	for _, row := range rows {
		t.row(columns, widths, row, false)
	}
}

func (t *terminal) row(columns []column, widths []int, cells []string, head bool) {
	var line strings.Builder
	used := 0
	for i, cell := range cells {
		last := i == len(cells)-1
		switch {
		case last && !columns[i].Right:
			cell = cut(cell, t.width-used)
		case columns[i].Right:
			cell = strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + cell
		default:
			cell += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		}
		used += widths[i] + 2
		switch {
		case head:
			cell = t.paint(bold, cell)
		case columns[i].State:
			cell = t.paintState(cell)
		}
		line.WriteString(cell)
		if !last {
			line.WriteString("  ")
		}
	}
	fmt.Fprintln(t.out, strings.TrimRight(line.String(), " "))
}

// cut shortens text to width columns; a width that is no room at all is taken
// for "no bound", so that nothing is lost in a pipe.
func cut(text string, width int) string {
	if width <= 1 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// age is a duration as people say it: "12s", "5m", "3h", "2d".
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// size is a number of bytes as people say it, in powers of 1024.
func size(n int64) string {
	value, unit := float64(n), 0
	for value >= 1024 && unit < 4 {
		value /= 1024
		unit++
	}
	if unit > 0 && value < 9.95 {
		return fmt.Sprintf("%.1f%c", value, "BKMGT"[unit])
	}
	return fmt.Sprintf("%.0f%c", value, "BKMGT"[unit])
}
