package units

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is what a unit is doing.
type State string

// The states of a unit.
const (
	Inactive   State = "inactive"
	Waiting    State = "waiting" // for units that come before it
	Starting   State = "starting"
	Active     State = "active"
	Exited     State = "exited" // ended well, and counts as active
	Stopping   State = "stopping"
	Restarting State = "restarting"
	Failed     State = "failed"
)

// Status is the state of one unit.
type Status struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	Text     string    `json:"text,omitempty"` // why, a phrase
	Since    time.Time `json:"since"`
	Restarts int       `json:"restarts,omitempty"` // in a row
	Last     string    `json:"last,omitempty"`     // why it was restarted
}

// Status lists the units by name.
func (r *Runner) Status() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Status
	for _, u := range r.units {
		out = append(out, Status{Name: u.name, State: u.state, Text: u.text, Since: u.since, Restarts: u.restarts, Last: u.last})
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// manyRestarts is when a unit that restarts is a problem that people should
// hear of.
const manyRestarts = 3

// longWait is when a unit that waits for the engine or the network is a
// problem, too: it may wait for ever.
const longWait = 3 * time.Minute

// Problems are sentences about what does not work.
func (r *Runner) Problems() []string {
	r.mu.Lock()
	out := slices.Clone(r.faults)
	r.mu.Unlock()
	for _, s := range r.Status() {
		switch {
		case s.State == Failed:
			out = append(out, fmt.Sprintf("unit %s failed: %s", s.Name, s.Text))
		case s.State == Waiting && s.Text != "" && time.Since(s.Since) >= longWait:
			out = append(out, fmt.Sprintf("unit %s has not started: it waits %s since %s", s.Name, s.Text, s.Since.UTC().Format(time.TimeOnly+" MST")))
		case s.Restarts >= manyRestarts && s.State != Inactive:
			out = append(out, fmt.Sprintf("unit %s keeps ending: %d restarts, the last after %s", s.Name, s.Restarts, s.Last))
		}
	}
	return out
}
