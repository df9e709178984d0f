package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/os-config/edit"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/control/api"
)

const (
	historyDir  = load.ConfDir + "/history"
	generations = 10 // are kept
)

// generation is one state of the user's file, kept in a file of its own.
type generation struct {
	Number  int       `json:"number"`
	Time    time.Time `json:"time"`
	Who     string    `json:"who"`
	Verb    string    `json:"verb"`
	Summary string    `json:"summary"`
	Text    string    `json:"text"`
}

// read returns the generations, oldest first. One that is damaged is left
// out: the others are all the more worth having.
func (s *Settings) read() []generation {
	paths, err := filepath.Glob(s.path(historyDir) + "/*.json")
	if err != nil {
		paths = nil // cannot be: the pattern is constant
	}
	slices.Sort(paths)
	var out []generation
	for _, path := range paths {
		var g generation
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &g)
		}
		if err != nil || g.Number == 0 {
			s.o.Log.Warn("generation of the configuration is not readable", "file", path, "error", err)
			continue
		}
		out = append(out, g)
	}
	return out
}

// record adds a generation and drops the oldest ones. s.mu is held.
func (s *Settings) record(who, verb string, before, text []byte) (int, error) {
	all := s.read()
	number := 1
	if len(all) > 0 {
		number = all[len(all)-1].Number + 1
	}
	g := generation{Number: number, Time: now(), Who: who, Verb: verb, Text: string(text),
		Summary: edit.Summary(parsed(before), parsed(text))}
	data, err := json.Marshal(g)
	if err != nil {
		return 0, fmt.Errorf("generation: %w", err)
	}
	if err := os.MkdirAll(s.path(historyDir), 0o700); err != nil {
		return 0, err
	}
	if err := atomicfile.WriteFile(s.generationPath(number), data, 0o600); err != nil {
		return 0, err
	}
	for len(all)+1 > generations {
		if err := os.Remove(s.generationPath(all[0].Number)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return number, err
		}
		all = all[1:]
	}
	return number, nil
}

func (s *Settings) generationPath(number int) string {
	return s.path(fmt.Sprintf("%s/%06d.json", historyDir, number))
}

// catchUp records what somebody changed in the file by hand, and what it was
// before it was changed here for the first time. s.mu is held.
func (s *Settings) catchUp(text []byte) error {
	all := s.read()
	switch {
	case len(all) == 0:
		_, err := s.record("-", "as it was before", nil, text)
		return err
	case all[len(all)-1].Text != string(text):
		_, err := s.record("-", "edited by hand", []byte(all[len(all)-1].Text), text)
		return err
	}
	return nil
}

// History lists the generations, newest first.
func (s *Settings) History() ([]api.ConfigGeneration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := s.userText()
	if err != nil {
		return nil, err
	}
	all := s.read()
	slices.Reverse(all)
	var out []api.ConfigGeneration
	found := false
	for _, g := range all {
		current := !found && g.Text == string(text)
		found = found || current
		out = append(out, api.ConfigGeneration{Number: g.Number, Time: g.Time, Who: g.Who, Verb: g.Verb, Summary: g.Summary, Current: current})
	}
	return out, nil
}

// pick finds the generation to go back to: number, or with 0 the newest one
// that says something else than the file does now. s.mu is held.
func (s *Settings) pick(number int, text []byte) (generation, error) {
	all := s.read()
	slices.Reverse(all)
	i := slices.IndexFunc(all, func(g generation) bool {
		return number == g.Number || number == 0 && g.Text != string(text)
	})
	switch {
	case i >= 0:
		return all[i], nil
	case len(all) == 0 || number == 0:
		return generation{}, fmt.Errorf("there is nothing to go back to; `ros config history` lists what there is: %w", errdefs.ErrNotFound)
	}
	return generation{}, fmt.Errorf("there is no generation %d; the oldest is %d, the newest %d: %w", number, all[len(all)-1].Number, all[0].Number, errdefs.ErrNotFound)
}

// Rollback writes an older generation again. While a configuration is on
// trial it ends the trial, when no other number is asked for.
func (s *Settings) Rollback(number int, who string) (api.ConfigWritten, error) {
	s.mu.Lock()
	if t := s.trial; t != nil && number == 0 {
		s.mu.Unlock()
		s.revert(t, who+" ended the trial")
		return api.ConfigWritten{Changed: true, Summary: "the trial is over; the machine is as it was before"}, nil
	}
	defer s.mu.Unlock()
	text, err := s.writable()
	if err != nil {
		return api.ConfigWritten{}, err
	}
	if err := s.catchUp(text); err != nil {
		return api.ConfigWritten{}, err
	}
	g, err := s.pick(number, text)
	if err != nil {
		return api.ConfigWritten{}, err
	}
	return s.write(who, fmt.Sprintf("rollback to %d", g.Number), text, []byte(g.Text))
}
