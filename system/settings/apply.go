package settings

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/change"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/control/api"
)

const (
	// applyDeadline bounds how long carrying a configuration out may take.
	applyDeadline = 5 * time.Minute
	// shortestTrial is less than which nobody can confirm in; longestTrial is
	// more than which nobody waits for.
	shortestTrial = 5 * time.Second
	longestTrial  = 24 * time.Hour
)

// Diff says what Apply would change.
func (s *Settings) Diff() (api.ConfigDiff, error) {
	running := s.o.Running()
	if running.Document.Root == nil {
		return api.ConfigDiff{}, errNotLoaded()
	}
	after := s.again(running)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := api.ConfigDiff{Changes: s.changes(running, after), Problems: wrong(after)}
	if s.trial != nil {
		d.Try = s.trial.api()
	}
	return d, nil
}

// changes are those between the running configuration and another one; what
// needs a reboot is told against what was booted. s.mu is held.
func (s *Settings) changes(running, after load.Result) []api.ConfigChange {
	booted := running
	if s.booted != nil {
		booted = *s.booted
	}
	units, containersEnd := map[string]string{}, true
	if s.o.Units != nil {
		units, containersEnd = s.o.Units(running.Config, after.Config)
	}
	now, _ := change.Apart(change.Between(running.Config, after.Config, containersEnd))
	_, reboot := change.Apart(change.Between(booted.Config, after.Config, containersEnd))
	out := []api.ConfigChange{}
	named := map[string]bool{}
	add := func(cs []change.Change) {
		for _, c := range cs {
			named[c.Unit] = true
			out = append(out, api.ConfigChange{Key: c.Key, How: string(c.How), Unit: c.Unit, Text: c.Text})
		}
	}
	add(now)
	for _, name := range slices.Sorted(maps.Keys(units)) {
		if !named[name] {
			out = append(out, api.ConfigChange{How: string(change.Restart), Unit: name, Text: "service " + name + " " + units[name]})
		}
	}
	add(reboot)
	return out
}

// wrong are the errors of a configuration.
func wrong(r load.Result) []string {
	out := []string{}
	for _, p := range r.Report {
		if p.Severity == osconfig.Error {
			out = append(out, p.String())
		}
	}
	return out
}

// Apply brings the machine to what the files say. It goes on when ctx ends:
// whoever asked may have lost the network by it. With try it goes back after
// that time unless Confirm is called. What cannot be undone is done with yes
// only.
func (s *Settings) Apply(ctx context.Context, try time.Duration, yes bool, who string) (api.ConfigDiff, error) {
	if try != 0 && (try < shortestTrial || try > longestTrial) {
		return api.ConfigDiff{}, fmt.Errorf("a trial takes %s to %s: %w", shortestTrial, longestTrial, errdefs.ErrInvalidArgument)
	}
	return s.carry(ctx, job{try: try, yes: yes, who: who})
}

// job is one application of the files.
type job struct {
	try  time.Duration // 0 is for good
	yes  bool          // also what cannot be undone
	who  string
	part func(before, after load.Result) load.Result // what of it is applied; nil is all
}

// carry does a job; it goes on when ctx ends.
func (s *Settings) carry(ctx context.Context, j job) (api.ConfigDiff, error) {
	select {
	case s.work <- struct{}{}:
	default:
		return api.ConfigDiff{}, fmt.Errorf("the machine is just being changed; try again when that is done: %w", errdefs.ErrFailedPrecondition)
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyDeadline)
	type answer struct {
		diff api.ConfigDiff
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		diff, err := s.apply(work, cancel, j)
		cancel()
		<-s.work // before the answer: who has it may ask for the next
		done <- answer{diff, err}
	}()
	select {
	case a := <-done:
		return a.diff, a.err
	case <-ctx.Done():
		return api.ConfigDiff{}, ctx.Err()
	}
}

// Alone runs do while nobody else changes the machine's configuration and none
// is on trial: a trial that goes back would take with it what do has done. It
// waits for that until ctx ends.
func (s *Settings) Alone(ctx context.Context, do func() error) error {
	for {
		select {
		case s.work <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.mu.Lock()
		t := s.trial
		s.mu.Unlock()
		if t == nil {
			defer func() { <-s.work }()
			return do()
		}
		<-s.work
		select {
		case <-t.over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// apply is carry's work; s.work is held.
func (s *Settings) apply(ctx context.Context, cancel context.CancelFunc, j job) (api.ConfigDiff, error) {
	before := s.o.Running()
	if before.Document.Root == nil {
		return api.ConfigDiff{}, errNotLoaded()
	}
	after := s.again(before)
	if errs := newErrors(before, after); len(errs) > 0 {
		return api.ConfigDiff{}, invalid(errs)
	}
	if j.part != nil {
		after = j.part(before, after)
	}
	if err := s.affordable(ctx, before, after, j); err != nil {
		return api.ConfigDiff{}, err
	}
	files, err := s.files()
	if err != nil {
		return api.ConfigDiff{}, err
	}
	s.mu.Lock()
	if s.trial != nil {
		defer s.mu.Unlock()
		return api.ConfigDiff{}, fmt.Errorf("a configuration is on trial for %s more: `ros config confirm` keeps it, `ros config rollback` ends it: %w",
			left(s.trial.until), errdefs.ErrFailedPrecondition)
	}
	d := api.ConfigDiff{Changes: s.changes(before, after), Problems: []string{}}
	if s.booted == nil {
		s.booted = &before
	}
	if j.try > 0 && len(d.Changes) > 0 {
		if err := s.begin(j.try, before, cancel); err != nil {
			s.mu.Unlock()
			return api.ConfigDiff{}, err
		}
		d.Try = s.trial.api()
	} else {
		s.applied = files
	}
	s.mu.Unlock()
	s.o.Log.Info("configuration is applied", "who", j.who, "changes", len(d.Changes), "try", j.try)
	if err := s.o.Apply(ctx, before, after, j.yes); err != nil {
		d.Problems = append(d.Problems, lines(err)...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Try != nil && s.trial == nil { // it took too long, or was ended meanwhile
		d.Try = nil
		d.Problems = append(d.Problems, "the trial is over already: the machine is as it was before")
	} else if d.Try != nil {
		d.Try = s.trial.api()
	}
	return d, nil
}

// affordable refuses a change that cannot be undone unless the job says yes to
// it, and a trial of a change that the trial's end would not take back.
func (s *Settings) affordable(ctx context.Context, before, after load.Result, j job) error {
	var costs []string
	if s.o.Costs != nil {
		costs = s.o.Costs(ctx, before.Config, after.Config)
	}
	lasting := costs
	if len(costs) == 0 {
		lasting = change.Lasting(before.Config, after.Config)
	}
	switch {
	case j.try > 0 && len(costs) > 0:
		return fmt.Errorf("%s; a trial cannot take that back; apply it without --try, with --yes: %w", strings.Join(costs, "; "), errdefs.ErrFailedPrecondition)
	case j.try > 0 && len(lasting) > 0:
		return fmt.Errorf("%s; a trial cannot take that back; apply it without --try: %w", strings.Join(lasting, "; "), errdefs.ErrFailedPrecondition)
	case !j.yes && len(costs) > 0:
		return fmt.Errorf("%s; nothing was applied; to apply it, run ros config apply --yes: %w", strings.Join(costs, "; "), errdefs.ErrFailedPrecondition)
	}
	return nil
}

// newErrors are the errors of a configuration that another one did not have.
func newErrors(before, after load.Result) []string {
	type known struct{ layer, path, text string }
	old := map[known]bool{}
	for _, p := range before.Report {
		old[known{p.Layer, p.Path, p.Text}] = true
	}
	var out []string
	for _, p := range after.Report {
		if p.Severity == osconfig.Error && !old[known{p.Layer, p.Path, p.Text}] {
			out = append(out, p.String())
		}
	}
	return out
}
